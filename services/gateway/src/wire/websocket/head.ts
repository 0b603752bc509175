import { MAX_CONTROL_BYTES, OPCODE, RSV1 } from './frame.ts';

const RESERVED_BITS = 0x70;

/**
 * What is wrong with a frame's first byte (FIN, RSV1–3, opcode: RFC 6455, 5.2), or undefined. `isInMessage`: a message has
 * begun and not ended, so its next fragment may come, and no other message (5.4). `deflate`: permessage-deflate was
 * negotiated, so that RSV1 may mark a message's first frame, and none else (RFC 7692, 6).
 */
export function firstByteProblem(byte: number, isInMessage: boolean, deflate: boolean): string | undefined {
  const opcode = byte & 0x0f;
  const mayBeCompressed = deflate && (opcode === OPCODE.text || opcode === OPCODE.binary);
  if ((byte & RESERVED_BITS & (mayBeCompressed ? ~RSV1 : ~0)) !== 0) return 'a reserved bit is set';
  switch (opcode) {
    case OPCODE.continuation:
      return isInMessage ? undefined : 'a continuation frame continues nothing';
    case OPCODE.text:
    case OPCODE.binary:
      return isInMessage ? 'a message begins before the one before it has ended' : undefined;
    case OPCODE.close:
    case OPCODE.ping:
    case OPCODE.pong:
      return byte >= 0x80 ? undefined : 'a control frame is fragmented';
    default:
      return `the opcode 0x${opcode.toString(16)} is reserved`;
  }
}

/** What is wrong with the second byte of a client's frame (mask bit, first length: RFC 6455, 5.1, 5.2, 5.5), or undefined. */
export function secondByteProblem(byte: number, opcode: number): string | undefined {
  if (byte < 0x80) return 'a client frame is not masked';
  const length = byte & 0x7f;
  if (opcode >= OPCODE.close && length > MAX_CONTROL_BYTES)
    return `a control frame has more than ${MAX_CONTROL_BYTES} bytes`;
  if (opcode === OPCODE.close && length === 1) return 'a close frame has half a close code';
  return undefined;
}
