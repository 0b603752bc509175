import { deflate } from '../deflate.ts';
import { type DataOpcode, encodeCompressed, encodeFrame, payloadOf } from './frame.ts';

/** Octets that a sender takes off a message's end (RFC 7692, 7.2.1): 00 00 FF FF, which is what every sync flush ends with. */
const TAIL_BYTES = 4;

/**
 * A message's plain frame, as those get it who negotiated permessage-deflate: compressed with nothing before it to refer to
 * (RFC 7692, 7.2.1), so that it is the same for all. It is the very same frame when that would not make it smaller.
 */
export function deflateFrame(frame: Buffer): Buffer {
  const deflated = deflate(payloadOf(frame));
  return deflated === undefined ? frame : encodeCompressed(frame, deflated.subarray(0, -TAIL_BYTES));
}

/** One message as a whole frame, compressed if that makes it smaller. */
export function encodeDeflated(opcode: DataOpcode, payload: Buffer): Buffer {
  return deflateFrame(encodeFrame(opcode, payload));
}
