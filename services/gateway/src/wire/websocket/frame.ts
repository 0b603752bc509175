import { isCloseCode, NO_CODE } from './close-code.ts';

/** What a frame is (RFC 6455, 5.2 and 11.8). From 0x8 on: control frames (5.5). */
export const OPCODE = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

export type Opcode = (typeof OPCODE)[keyof typeof OPCODE];

/** What a message is, as its first frame says. */
export type DataOpcode = typeof OPCODE.text | typeof OPCODE.binary;

/** Bytes that a control frame's payload may have at most (RFC 6455, 5.5). */
export const MAX_CONTROL_BYTES = 125;

/** The reserved bit that marks a message as compressed, in its first frame (RFC 7692, 6). */
export const RSV1 = 0x40;

const FIN = 0x80;
const MAX_REASON_BYTES = MAX_CONTROL_BYTES - 2;

/** Frames that never vary. Shared: never to be changed. */
export const EMPTY_PING = encodeFrame(OPCODE.ping, Buffer.alloc(0));
export const EMPTY_PONG = encodeFrame(OPCODE.pong, Buffer.alloc(0));

/**
 * One whole, unmasked frame, as a server sends it (RFC 6455, 5.2): head and payload in one buffer, the length in its
 * shortest form. Throws a RangeError for a control frame with more than 125 bytes.
 */
export function encodeFrame(opcode: Opcode, payload: Buffer): Buffer {
  if (opcode >= OPCODE.close && payload.length > MAX_CONTROL_BYTES)
    throw new RangeError(`a control frame holds at most ${MAX_CONTROL_BYTES} bytes, not ${payload.length}`);
  return encodeWhole(FIN | opcode, payload);
}

/** A whole, unmasked frame's payload, over the same memory. */
export function payloadOf(frame: Buffer): Buffer {
  const length = frame[1] as number;
  if (length <= 125) return frame.subarray(2);
  return frame.subarray(length === 126 ? 4 : 10);
}

/** A data frame as it is when its payload is compressed: with this one instead, and RSV1 (RFC 7692, 7.2.1). */
export function encodeCompressed(frame: Buffer, payload: Buffer): Buffer {
  return encodeWhole((frame[0] as number) | RSV1, payload);
}

/** A text frame. Half of a surrogate pair becomes U+FFFD, since it has no UTF-8 form. */
export function encodeText(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headBytes(length) + length);
  frame.write(text, writeHead(frame, FIN | OPCODE.text, length));
  return frame;
}

/** A ping with up to 125 bytes that the pong will bring back (RFC 6455, 5.5.2). */
export function encodePing(payload: Buffer): Buffer {
  return payload.length === 0 ? EMPTY_PING : encodeFrame(OPCODE.ping, payload);
}

/** The answer to a ping: its payload, unchanged (RFC 6455, 5.5.3). */
export function encodePong(payload: Buffer): Buffer {
  return payload.length === 0 ? EMPTY_PONG : encodeFrame(OPCODE.pong, payload);
}

/**
 * A close frame (RFC 6455, 5.5.1). A reason of more than 123 bytes is cut, never inside a character. 1005 (no code) makes
 * one without a payload, so that a received code can be sent back as it came. Throws a RangeError for a code that no frame
 * may hold.
 */
export function encodeClose(code: number, reason = ''): Buffer {
  if (code === NO_CODE) return encodeFrame(OPCODE.close, Buffer.alloc(0));
  if (!isCloseCode(code)) throw new RangeError(`a close frame must not hold the code ${code}`);
  const payload = Buffer.allocUnsafe(2 + Math.min(Buffer.byteLength(reason), MAX_REASON_BYTES));
  payload.writeUInt16BE(code);
  const written = payload.write(reason, 2); // writes whole characters only
  return encodeFrame(OPCODE.close, payload.subarray(0, 2 + written));
}

function encodeWhole(firstByte: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headBytes(payload.length) + payload.length);
  payload.copy(frame, writeHead(frame, firstByte, payload.length));
  return frame;
}

function headBytes(length: number): number {
  if (length <= 125) return 2;
  return length <= 0xffff ? 4 : 10;
}

/** Writes the head of a whole, unmasked frame; answers where the payload begins. */
function writeHead(frame: Buffer, firstByte: number, length: number): number {
  frame[0] = firstByte;
  if (length <= 125) {
    frame[1] = length;
    return 2;
  }
  if (length <= 0xffff) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
    return 4;
  }
  frame[1] = 127;
  frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
  frame.writeUInt32BE(length % 2 ** 32, 6);
  return 10;
}
