import { createRequire } from 'node:module';
import { constants, deflateRawSync } from 'node:zlib';
import { OPCODE, type Opcode } from '../../../../src/wire/websocket/frame.ts';
import type { ReceiverHandler, ReceiverProblem } from '../../../../src/wire/websocket/receiver.ts';

/** What a client frame may have wrong; by default it is right: whole, masked, and with the shortest length. */
export interface FrameFaults {
  fin?: boolean;
  /** RSV1–3 as three bits: 0b100 is RSV1. */
  reserved?: number;
  /** Four bytes, or none for a frame that is not masked. */
  mask?: readonly number[] | undefined;
  lengthBits?: 7 | 16 | 64;
  /** What the head says, whatever the payload is. */
  announcedLength?: number | bigint;
}

const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

/** One frame as a client sends it, written plainly from RFC 6455, 5.2, byte after byte. */
export function clientFrame(opcode: number, payload: Buffer | string = '', faults: FrameFaults = {}): Buffer {
  const bytes = Buffer.from(payload);
  const { fin = true, reserved = 0, announcedLength = bytes.length } = faults;
  const mask = 'mask' in faults ? faults.mask : MASK;
  const bits = faults.lengthBits ?? (announcedLength < 126 ? 7 : announcedLength < 65536 ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const maskBit = mask === undefined ? 0 : 0x80;
  if (bits === 7) head.push(maskBit | Number(announcedLength));
  else {
    head.push(maskBit | (bits === 16 ? 126 : 127));
    for (let shift = bits - 8; shift >= 0; shift -= 8)
      head.push(Number((BigInt(announcedLength) >> BigInt(shift)) & 255n));
  }
  if (mask === undefined) return Buffer.concat([Buffer.from(head), bytes]);
  return Buffer.concat([Buffer.from([...head, ...mask]), bytes.map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

/** A message in several frames: the first with its opcode, then continuations, the last with FIN. */
export function clientFragments(opcode: Opcode, pieces: readonly (Buffer | string)[]): Buffer[] {
  return pieces.map((piece, i) =>
    clientFrame(i === 0 ? opcode : OPCODE.continuation, piece, { fin: i === pieces.length - 1 }),
  );
}

/** The head of a compressed message's first frame. */
export const COMPRESSED: FrameFaults = { reserved: 0b100 };

/** A message's bytes as a client compresses them, by RFC 7692, 7.2.1. */
export function compress(plain: Buffer | string): Buffer {
  const deflated = deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH });
  if (deflated.subarray(-4).toString('hex') !== '0000ffff') throw new Error('the flush did not end the block');
  return deflated.subarray(0, -4);
}

/** A close frame's payload. */
export function closePayload(code: number, reason: Buffer | string = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

/** What a receiver told, in order; payloads are copied at once. */
export type Told =
  | { text: string }
  | { binary: string }
  | { ping: string }
  | { pong: string }
  | { close: number; reason: string }
  | { failed: ReceiverProblem['code'] };

/** Binary payloads stand in it as hex. */
export class Recorder implements ReceiverHandler {
  readonly told: Told[] = [];
  frames = 0;
  detail = '';

  frame(): void {
    this.frames++;
  }
  text(payload: string): void {
    this.told.push({ text: payload });
  }
  binary(payload: Buffer): void {
    this.told.push({ binary: payload.toString('hex') });
  }
  ping(payload: Buffer): void {
    this.told.push({ ping: payload.toString('hex') });
  }
  pong(payload: Buffer): void {
    this.told.push({ pong: payload.toString('hex') });
  }
  closeReceived(code: number, reason: string): void {
    this.told.push({ close: code, reason });
  }
  failed(problem: ReceiverProblem): void {
    this.told.push({ failed: problem.code });
    this.detail = problem.detail;
  }
}

interface WsFrameOptions {
  fin: boolean;
  opcode: number;
  mask: boolean;
  readOnly: boolean;
  rsv1: boolean;
}

/** The parts of the `ws` library that its types leave out. */
export const { Sender: WsSender, Receiver: WsReceiver } = createRequire(import.meta.url)('ws') as {
  Sender: { frame(data: Buffer, options: WsFrameOptions): (Buffer | string)[] };
  Receiver: new (options: {
    isServer: boolean;
    maxPayload?: number;
  }) => NodeJS.EventEmitter & {
    write(chunk: Buffer): boolean;
  };
};
