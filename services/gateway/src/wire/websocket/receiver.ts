import { isCloseCode, NO_CODE } from './close-code.ts';
import { OPCODE, RSV1 } from './frame.ts';
import { firstByteProblem, secondByteProblem } from './head.ts';
import { inflateMessage } from './inflate.ts';
import { turnMask, unmask } from './mask.ts';
import { advanceUtf8, decodeUtf8, UTF8_BOUNDARY, UTF8_INVALID } from './utf8.ts';

/**
 * Who is told what arrives; the connection itself can be it. A method may call the receiver's `stop`, but not its `push`.
 * Buffers may be kept: the receiver does not use them again.
 */
export interface ReceiverHandler {
  /** A frame of any kind has begun: once for each, so that their number can be bounded. */
  frame(): void;
  text(payload: string): void;
  binary(payload: Buffer): void;
  ping(payload: Buffer): void;
  pong(payload: Buffer): void;
  /** The peer's close frame: nothing follows. 1005 and an empty reason when the frame had no code. */
  closeReceived(code: number, reason: string): void;
  /** The peer broke the protocol: nothing follows. */
  failed(problem: ReceiverProblem): void;
}

export interface ReceiverProblem {
  /** What to close with (RFC 6455, 7.4.1): a protocol error, bytes that are not what they should be, a message that is too large. */
  readonly code: 1002 | 1007 | 1009;
  readonly detail: string;
}

export interface ReceiverOptions {
  /**
   * Largest message in bytes, over all its fragments. A larger one fails with 1009: as soon as a head announces it, or, of a
   * compressed one, when so many have come out.
   */
  readonly maxMessageBytes: number;
  /** True when permessage-deflate was negotiated (RFC 7692): a message may be compressed. */
  readonly deflate: boolean;
  readonly handler: ReceiverHandler;
}

const FIRST_BYTE = 0;
const SECOND_BYTE = 1;
const LENGTH_16 = 2;
const LENGTH_64 = 3;
const MASK = 4;
const PAYLOAD = 5;
const ENDED = 6;

const NO_MESSAGE = OPCODE.continuation;
/** What a longer length counts as. It keeps the fields small integers, which cost no object of their own. */
const LENGTH_CEILING = 0x7fffffff;
const NOT_UTF8 = 'a text message is not UTF-8';

/**
 * Reads what a client sends (RFC 6455, section 5): bytes in, cut anywhere; out come messages, control frames, and at most
 * one close or one problem. Between messages it holds nothing but a few small numbers.
 */
export class Receiver {
  readonly #handler: ReceiverHandler;
  readonly #maxMessageBytes: number;
  readonly #deflate: boolean;
  #state = FIRST_BYTE;
  /** Bytes still to come of what the state names. */
  #missing = 0;

  // The frame. A control frame's payload is kept apart, as it may come between two fragments of a message.
  #isFinal = false;
  #opcode: number = NO_MESSAGE;
  #length = 0;
  #mask = 0;
  #controlPayload: Buffer | undefined;

  // The message: text, binary or none, with RSV1 when it is compressed; the first bytes of it, and how its UTF-8 stands.
  #kind: number = NO_MESSAGE;
  #message: Buffer | undefined;
  #messageBytes = 0;
  #utf8 = UTF8_BOUNDARY;

  constructor(options: ReceiverOptions) {
    this.#handler = options.handler;
    this.#maxMessageBytes = Math.min(options.maxMessageBytes, LENGTH_CEILING - 1);
    this.#deflate = options.deflate;
  }

  /** Takes the next bytes. The chunk is the receiver's from here on: it is unmasked in place, and payloads share it. */
  push(chunk: Buffer): void {
    try {
      this.#read(chunk);
    } catch (error) {
      this.stop(); // the rest of the chunk is lost, so what comes next would be misread
      throw error;
    }
  }

  /** Lets go of what is held. Whatever else arrives is ignored, also the rest of the chunk at hand. */
  stop(): void {
    this.#state = ENDED;
    this.#controlPayload = undefined;
    this.#message = undefined;
  }

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#state) {
        case FIRST_BYTE:
          this.#readFirstByte(chunk[at++] as number);
          break;
        case SECOND_BYTE:
          this.#readSecondByte(chunk[at++] as number);
          break;
        case LENGTH_16:
        case LENGTH_64:
          this.#readLength(chunk[at++] as number);
          break;
        case MASK:
          this.#mask |= (chunk[at++] as number) << (8 * (4 - this.#missing--));
          if (this.#missing > 0) break;
          this.#state = PAYLOAD;
          this.#missing = this.#length;
          if (this.#length === 0) this.#readPayload(chunk, at, at);
          break;
        case PAYLOAD: {
          const start = at;
          at += Math.min(this.#missing, chunk.length - at);
          this.#readPayload(chunk, start, at);
          break;
        }
        default:
          return;
      }
    }
  }

  #readFirstByte(byte: number): void {
    const problem = firstByteProblem(byte, this.#kind !== NO_MESSAGE, this.#deflate);
    if (problem !== undefined) {
      this.#fail(1002, problem);
      return;
    }
    this.#isFinal = byte >= 0x80;
    this.#opcode = byte & 0x0f;
    if (this.#opcode === OPCODE.text || this.#opcode === OPCODE.binary) this.#kind = byte & (RSV1 | 0x0f);
    this.#state = SECOND_BYTE;
    this.#handler.frame();
  }

  #readSecondByte(byte: number): void {
    const problem = secondByteProblem(byte, this.#opcode);
    if (problem !== undefined) {
      this.#fail(1002, problem);
      return;
    }
    const length = byte & 0x7f;
    if (length < 126) {
      this.#length = length;
      this.#endLength();
    } else {
      this.#length = 0;
      this.#missing = length === 126 ? 2 : 8;
      this.#state = length === 126 ? LENGTH_16 : LENGTH_64;
    }
  }

  /** The length's 16 or 64 bits (RFC 6455, 5.2): the topmost of 64 is 0, and no shorter form would have held it. */
  #readLength(byte: number): void {
    if (this.#missing === 8 && byte >= 0x80) {
      this.#fail(1002, 'a length has its topmost bit set');
      return;
    }
    this.#length = this.#length > LENGTH_CEILING >> 8 ? LENGTH_CEILING : this.#length * 256 + byte;
    if (--this.#missing > 0) return;
    if (this.#length < (this.#state === LENGTH_16 ? 126 : 0x10000))
      this.#fail(1002, 'a length is not in its shortest form');
    else this.#endLength();
  }

  #endLength(): void {
    if (this.#opcode < OPCODE.close && this.#length > this.#maxPayloadBytes() - this.#messageBytes) {
      this.#failTooLarge();
      return;
    }
    this.#mask = 0;
    this.#missing = 4;
    this.#state = MASK;
  }

  /** A piece of the payload, possibly all of it. */
  #readPayload(chunk: Buffer, start: number, end: number): void {
    unmask(chunk, start, end, this.#mask);
    this.#missing -= end - start;
    if (this.#missing === 0) this.#state = FIRST_BYTE;
    else this.#mask = turnMask(this.#mask, end - start);
    const isWhole = end - start === this.#length;
    if (this.#opcode >= OPCODE.close) this.#readControl(chunk, start, end, isWhole);
    else if (isWhole && this.#isFinal && this.#opcode !== OPCODE.continuation) this.#readMessage(chunk, start, end);
    else this.#readFragment(chunk, start, end);
  }

  /** A message in one frame in one chunk, the usual case: nothing is kept or copied. */
  #readMessage(chunk: Buffer, start: number, end: number): void {
    const kind = this.#kind;
    this.#kind = NO_MESSAGE;
    if (isCompressed(kind)) this.#inflate(kind, chunk.subarray(start, end));
    else this.#endWhole(kind, chunk, start, end);
  }

  #endWhole(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === OPCODE.binary) {
      this.#handler.binary(bytes.subarray(start, end));
      return;
    }
    const text = decodeUtf8(bytes, start, end);
    if (text === undefined) this.#fail(1007, NOT_UTF8);
    else this.#handler.text(text);
  }

  /** A compressed message, whole: only now is it known what it says. */
  #inflate(kind: number, payload: Buffer): void {
    const message = inflateMessage(payload, this.#maxMessageBytes);
    if (message === 'too_large') this.#failTooLarge();
    // RFC 7692 names no code. 1007 is for what a message's bytes must not be, and what other implementations send.
    else if (message === 'invalid') this.#fail(1007, 'a compressed message is not deflated data');
    else this.#endWhole(kind & ~RSV1, message, 0, message.length);
  }

  #readFragment(chunk: Buffer, start: number, end: number): void {
    if (this.#kind === OPCODE.text) {
      this.#utf8 = advanceUtf8(this.#utf8, chunk, start, end);
      if (this.#utf8 === UTF8_INVALID) {
        this.#fail(1007, NOT_UTF8);
        return;
      }
    }
    const message = this.#keep(chunk, start, end);
    if (this.#missing === 0 && this.#isFinal) this.#endMessage(message.subarray(0, this.#messageBytes));
  }

  /** Adds a piece to the message. The room for it is at most twice what has really come, whatever a head announced. */
  #keep(chunk: Buffer, start: number, end: number): Buffer {
    const bytes = this.#messageBytes + end - start;
    let message = this.#message;
    if (message === undefined || message.length < bytes) {
      const most = this.#isFinal ? bytes + this.#missing : this.#maxPayloadBytes();
      message = Buffer.allocUnsafeSlow(Math.min(2 * bytes, most)); // from the pool, it would hold a whole slab
      this.#message?.copy(message, 0, 0, this.#messageBytes);
      this.#message = message;
    }
    chunk.copy(message, this.#messageBytes, start, end);
    this.#messageBytes = bytes;
    return message;
  }

  #endMessage(payload: Buffer): void {
    const kind = this.#kind;
    this.#kind = NO_MESSAGE;
    this.#message = undefined;
    this.#messageBytes = 0;
    if (isCompressed(kind)) this.#inflate(kind, payload);
    else if (kind === OPCODE.binary) this.#handler.binary(payload);
    else if (this.#utf8 === UTF8_BOUNDARY) this.#handler.text(payload.toString());
    else this.#fail(1007, 'a text message ends inside a character');
  }

  #readControl(chunk: Buffer, start: number, end: number, isWhole: boolean): void {
    if (isWhole) {
      this.#endControl(chunk.subarray(start, end));
      return;
    }
    const payload = this.#controlPayload ?? Buffer.allocUnsafeSlow(this.#length);
    chunk.copy(payload, this.#length - this.#missing - (end - start), start, end);
    this.#controlPayload = this.#missing === 0 ? undefined : payload;
    if (this.#missing === 0) this.#endControl(payload);
  }

  #endControl(payload: Buffer): void {
    if (this.#opcode === OPCODE.ping) this.#handler.ping(payload);
    else if (this.#opcode === OPCODE.pong) this.#handler.pong(payload);
    else this.#endClose(payload);
  }

  /** RFC 6455, 5.5.1 and 7.4. */
  #endClose(payload: Buffer): void {
    const code = payload.length === 0 ? NO_CODE : payload.readUInt16BE(0);
    if (payload.length > 0 && !isCloseCode(code)) {
      this.#fail(1002, `the close code ${code} is not valid`);
      return;
    }
    const reason = decodeUtf8(payload, 2, payload.length);
    if (reason === undefined) {
      this.#fail(1007, 'a close reason is not UTF-8');
      return;
    }
    this.stop();
    this.#handler.closeReceived(code, reason);
  }

  #maxPayloadBytes(): number {
    return isCompressed(this.#kind) ? maxCompressedBytes(this.#maxMessageBytes) : this.#maxMessageBytes;
  }

  #failTooLarge(): void {
    this.#fail(1009, `a message has more than ${this.#maxMessageBytes} bytes`);
  }

  #fail(code: ReceiverProblem['code'], detail: string): void {
    this.stop();
    this.#handler.failed({ code, detail });
  }
}

function isCompressed(kind: number): boolean {
  return (kind & RSV1) !== 0;
}

/**
 * What the payload of a compressed message of up to `bytes` may have: deflate's fixed codes need up to nine bits for a byte,
 * and its blocks have ends. Whoever compresses worse sends it plain.
 */
function maxCompressedBytes(bytes: number): number {
  return Math.min(bytes + (bytes >>> 3) + 64, LENGTH_CEILING - 1);
}
