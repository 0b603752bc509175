import type { Message } from '../message.ts';
import { type GzipPiece, gzipPiece } from './gzip.ts';
import { encodeEnvelope, encodeRaw } from './sse.ts';
import { deflateFrame } from './websocket/deflate-frame.ts';
import { encodeMessageFrame } from './websocket/message-frame.ts';

/** The ways in which a message's bytes differ from connection to connection. */
export type Format = 'sse' | 'sse-envelope' | 'websocket' | 'websocket-deflate';

/** The same for those whose connections need to know more of the bytes than how many there are. */
export type GzipFormat = 'sse-gzip' | 'sse-envelope-gzip';

/** The memory that somebody's messages take, as they tell it. */
export interface MemoryUse {
  bytes: number;
}

/** A message and its bytes: made once for each format that somebody wants, and shared by all who want it. */
export class EncodedMessage {
  readonly message: Message;
  #sse: Buffer | undefined;
  #envelope: Buffer | undefined;
  #websocket: Buffer | undefined;
  #sseGzip: GzipPiece | undefined;
  #envelopeGzip: GzipPiece | undefined;
  #websocketDeflate: Buffer | undefined;
  #memoryBytes: number;
  #keeper: MemoryUse | undefined;

  constructor(message: Message) {
    this.message = message;
    this.#memoryBytes = textBytes(message);
  }

  /** The message's bytes in a format. Shared: never to be changed. */
  bytes(format: Format): Buffer {
    switch (format) {
      case 'sse':
        this.#sse ??= this.#made(textBuffer(encodeRaw(this.message)));
        return this.#sse;
      case 'sse-envelope':
        this.#envelope ??= this.#made(textBuffer(encodeEnvelope(this.message)));
        return this.#envelope;
      case 'websocket':
        this.#websocket ??= this.#made(ownBuffer(encodeMessageFrame(this.message)));
        return this.#websocket;
      case 'websocket-deflate':
        this.#websocketDeflate ??= this.#deflated(this.bytes('websocket'));
        return this.#websocketDeflate;
    }
  }

  /** The message as a piece of a gzip stream. Shared: never to be changed. */
  piece(format: GzipFormat): GzipPiece {
    switch (format) {
      case 'sse-gzip':
        this.#sseGzip ??= this.#compressed(this.bytes('sse'));
        return this.#sseGzip;
      case 'sse-envelope-gzip':
        this.#envelopeGzip ??= this.#compressed(this.bytes('sse-envelope'));
        return this.#envelopeGzip;
    }
  }

  /** An SSE format's bytes without the `id:` line, for connections whose cursor is not this message's id alone. */
  bytesWithoutId(format: 'sse' | 'sse-envelope'): Buffer {
    return this.bytes(format).subarray('id: \n'.length + this.message.id.length);
  }

  /** Bytes that this message takes in memory now: its text, what it has been encoded to, and the objects around them. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Counts this message's memory, and that of what it is encoded to from now on, until `release`. By one keeper at a time. */
  keep(keeper: MemoryUse): void {
    this.#keeper = keeper;
    keeper.bytes += this.#memoryBytes;
  }

  /** Ends `keep`. */
  release(): void {
    if (this.#keeper === undefined) return;
    this.#keeper.bytes -= this.#memoryBytes;
    this.#keeper = undefined;
  }

  #deflated(frame: Buffer): Buffer {
    const deflated = deflateFrame(frame);
    return deflated === frame ? frame : this.#made(ownBuffer(deflated));
  }

  #compressed(plain: Buffer): GzipPiece {
    const piece = gzipPiece(plain);
    return { ...piece, bytes: this.#made(ownBuffer(piece.bytes)) };
  }

  #made(bytes: Buffer): Buffer {
    const taken = BUFFER_BYTES + bytes.length;
    this.#memoryBytes += taken;
    if (this.#keeper !== undefined) this.#keeper.bytes += taken;
    return bytes;
  }
}

// Measured on Node 26, 64 bits: heap and external memory after a full collection, over some 10,000 messages.

/** The message, this object, and their places in two queues. */
const OBJECT_BYTES = 240;
/** A string besides its characters. */
const STRING_BYTES = 24;
/** A buffer besides its bytes: its objects in V8, and what is behind them. */
const BUFFER_BYTES = 300;

/** V8 has one byte a character, or two when any needs them. It knows which, so that this looks at no character of the former. */
const WIDE = /[^\0-\xff]/;

/** What a message takes before it is encoded. */
function textBytes({ id, channel, event, data }: Message): number {
  const name = event === undefined ? 0 : stringBytes(event);
  return OBJECT_BYTES + stringBytes(id) + stringBytes(channel) + name + stringBytes(data);
}

function stringBytes(text: string): number {
  return STRING_BYTES + (WIDE.test(text) ? 2 : 1) * text.length;
}

// Small buffers share a slab of 64 KiB with whatever else is made just then, and each keeps all of the slab alive. So what
// may be kept for long has memory of its own.

function textBuffer(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

function ownBuffer(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength === bytes.length) return bytes;
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
