import type { Message } from '../message.ts';
import { encodeEnvelope, encodeRaw } from './sse.ts';
import { encodeMessageFrame } from './websocket/message-frame.ts';

/** The ways in which a message's bytes differ from connection to connection. */
export type Format = 'sse' | 'sse-envelope' | 'websocket';

/** A message and its bytes: made once for each format that somebody wants, and shared by all who want it. */
export class EncodedMessage {
  readonly message: Message;
  #sse: Buffer | undefined;
  #envelope: Buffer | undefined;
  #websocket: Buffer | undefined;

  constructor(message: Message) {
    this.message = message;
  }

  /** The message's bytes in a format. Shared: never to be changed. */
  bytes(format: Format): Buffer {
    switch (format) {
      case 'sse':
        this.#sse ??= Buffer.from(encodeRaw(this.message));
        return this.#sse;
      case 'sse-envelope':
        this.#envelope ??= Buffer.from(encodeEnvelope(this.message));
        return this.#envelope;
      case 'websocket':
        this.#websocket ??= encodeMessageFrame(this.message);
        return this.#websocket;
    }
  }

  /** An SSE format's bytes without the `id:` line, for connections whose cursor is not this message's id alone. */
  bytesWithoutId(format: 'sse' | 'sse-envelope'): Buffer {
    return this.bytes(format).subarray('id: \n'.length + this.message.id.length);
  }

  /** Bytes that it costs to keep this message, roughly: its text, its bytes in two formats, and the objects around them. */
  get memoryBytes(): number {
    return 300 + 4 * (this.message.data.length + (this.message.event?.length ?? 0) + this.message.channel.length);
  }
}
