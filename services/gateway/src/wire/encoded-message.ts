import type { Message } from '../message.ts';
import { type GzipPiece, gzipPiece } from './gzip.ts';
import { encodeEnvelope, encodeRaw } from './sse.ts';
import { deflateFrame } from './websocket/deflate-frame.ts';
import { encodeMessageFrame } from './websocket/message-frame.ts';

/** The ways in which a message's bytes differ from connection to connection. */
export type Format = 'sse' | 'sse-envelope' | 'websocket' | 'websocket-deflate';

/** The same for those whose connections need to know more of the bytes than how many there are. */
export type GzipFormat = 'sse-gzip' | 'sse-envelope-gzip';

/** A message and its bytes: made once for each format that somebody wants, and shared by all who want it. */
export class EncodedMessage {
  readonly message: Message;
  #sse: Buffer | undefined;
  #envelope: Buffer | undefined;
  #websocket: Buffer | undefined;
  #sseGzip: GzipPiece | undefined;
  #envelopeGzip: GzipPiece | undefined;
  #websocketDeflate: Buffer | undefined;

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
      case 'websocket-deflate':
        this.#websocketDeflate ??= deflateFrame(this.bytes('websocket'));
        return this.#websocketDeflate;
    }
  }

  /** The message as a piece of a gzip stream. Shared: never to be changed. */
  piece(format: GzipFormat): GzipPiece {
    switch (format) {
      case 'sse-gzip':
        this.#sseGzip ??= gzipPiece(this.bytes('sse'));
        return this.#sseGzip;
      case 'sse-envelope-gzip':
        this.#envelopeGzip ??= gzipPiece(this.bytes('sse-envelope'));
        return this.#envelopeGzip;
    }
  }

  /** An SSE format's bytes without the `id:` line, for connections whose cursor is not this message's id alone. */
  bytesWithoutId(format: 'sse' | 'sse-envelope'): Buffer {
    return this.bytes(format).subarray('id: \n'.length + this.message.id.length);
  }

  /**
   * Bytes that it costs to keep this message, roughly: its text, its bytes in one SSE format and for WebSockets, both plain
   * and compressed, and the objects around them. Compressed, the two take as much as the text at most: large ones less than
   * half of it each; of small ones, the frame is the plain one.
   */
  get memoryBytes(): number {
    return 600 + 4 * (this.message.data.length + (this.message.event?.length ?? 0) + this.message.channel.length);
  }
}
