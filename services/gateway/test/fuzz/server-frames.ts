import { inflateRawSync } from 'node:zlib';
import { OPCODE } from '../../src/wire/websocket/frame.ts';

/** One frame of a server, its payload inflated. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

const KNOWN: readonly number[] = [OPCODE.text, OPCODE.binary, OPCODE.close, OPCODE.ping, OPCODE.pong];

/**
 * Reads what a server sends on a WebSocket, and holds it to the letter of RFC 6455, 5.2 (and RFC 7692, 6, when `deflate` was
 * negotiated): whole, unmasked frames, with shortest lengths, and nothing but pongs
 * after a close.
 */
export class ServerFrames {
  readonly #deflate: boolean;
  #rest: Buffer = Buffer.alloc(0);
  #closed = false;

  constructor(deflate: boolean) {
    this.#deflate = deflate;
  }

  /** The frames that these bytes complete. Throws an Error that says what is wrong. */
  push(chunk: Buffer): ServerFrame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: ServerFrame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
      // A pong is due until the client has closed, too (RFC 6455, 5.5.2).
      if (this.#closed && frame.opcode !== OPCODE.pong) throw new Error('a frame after its close frame');
      if (frame.opcode === OPCODE.close) this.#closed = true;
      frames.push(frame);
    }
    return frames;
  }

  #next(): ServerFrame | undefined {
    const bytes = this.#rest;
    if (bytes.length < 2) return undefined;
    const [first = 0, second = 0] = bytes;
    const opcode = first & 0x0f;
    const isCompressed = (first & 0x40) !== 0;
    if (first < 0x80 || (first & 0x30) !== 0 || !KNOWN.includes(opcode)) throw new Error(`the first byte ${first}`);
    if (isCompressed && (!this.#deflate || opcode >= OPCODE.close))
      throw new Error('a frame that must not be compressed');
    if (second > 127) throw new Error('a masked frame');
    const extended = second === 126 ? 2 : second === 127 ? 8 : 0;
    const start = 2 + extended;
    if (bytes.length < start) return undefined;
    const length = extended === 0 ? second : bytes.readUIntBE(start - Math.min(extended, 6), Math.min(extended, 6));
    if (length < (extended === 2 ? 126 : extended === 8 ? 65_536 : 0)) throw new Error('a length in too long a form');
    if (opcode >= OPCODE.close && length > 125) throw new Error('a long control frame');
    if (bytes.length < start + length) return undefined;
    this.#rest = bytes.subarray(start + length);
    const payload = bytes.subarray(start, start + length);
    return { opcode, payload: isCompressed ? inflateRawSync(Buffer.concat([payload, TAIL])) : payload };
  }
}

/** The end that a sender takes off, and an empty last block (RFC 7692, 7.2.2). */
const TAIL = Buffer.from('0000ffff0300', 'hex');
