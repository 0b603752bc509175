import { randomBytes } from 'node:crypto';
import { type Headers, head, RawSocket, WEBSOCKET_HEADERS } from './raw-socket.ts';
import { until } from './until.ts';

// The opcodes (RFC 6455, 5.2), as tests of the wire write them.
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** The reserved bits, where they stand in a frame's first byte. */
export const RSV1 = 0x40;
export const RSV2 = 0x20;
export const RSV3 = 0x10;

/** A frame as a server sent it. */
export interface Frame {
  readonly fin: boolean;
  /** RSV1–3, where they stand in the first byte. */
  readonly reserved: number;
  readonly opcode: number;
  readonly masked: boolean;
  /** The bytes in which the length is written. */
  readonly lengthBytes: 1 | 3 | 9;
  readonly payload: Buffer;
}

/** What a test wants to be wrong or odd in a frame; without it, it is a good one. */
interface FrameOptions {
  readonly fin?: boolean;
  readonly masked?: boolean;
  readonly mask?: Buffer;
  readonly reserved?: number;
  /** The form of the length; the shortest one that holds it. */
  readonly lengthBits?: 7 | 16 | 64;
}

/** A frame as a client sends it (RFC 6455, 5.2). */
export function clientFrame(opcode: number, payload: string | Buffer = '', options: FrameOptions = {}): Buffer {
  const bytes = Buffer.from(payload);
  const { fin = true, masked = true, mask = randomBytes(4), reserved = 0 } = options;
  const { lengthBits = bytes.length < 126 ? 7 : bytes.length < 0x10000 ? 16 : 64 } = options;
  const start = Buffer.alloc(lengthBits === 7 ? 2 : 2 + lengthBits / 8);
  start[0] = (fin ? 0x80 : 0) | reserved | opcode;
  start[1] = (masked ? 0x80 : 0) | (lengthBits === 7 ? bytes.length : lengthBits === 16 ? 126 : 127);
  if (lengthBits === 16) start.writeUInt16BE(bytes.length, 2);
  if (lengthBits === 64) start.writeBigUInt64BE(BigInt(bytes.length), 2);
  if (!masked) return Buffer.concat([start, bytes]);
  const body = Buffer.from(bytes.map((byte, i) => byte ^ (mask[i % 4] ?? 0)));
  return Buffer.concat([start, mask, body]);
}

/** A message in several frames: the first with its opcode, then continuations, the last with FIN. */
export function clientFragments(
  opcode: number,
  pieces: readonly (string | Buffer)[],
  { reserved = 0 }: { reserved?: number } = {},
): Buffer[] {
  return pieces.map((piece, i) =>
    clientFrame(i === 0 ? opcode : CONTINUATION, piece, {
      fin: i === pieces.length - 1,
      reserved: i === 0 ? reserved : 0,
    }),
  );
}

/** What a close frame has in it (RFC 6455, 5.5.1). */
export function closePayload(code: number, reason: string | Buffer = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
}

/** A WebSocket client down to the bytes: it answers nothing by itself, no ping and no close. */
export class RawWebSocket extends RawSocket {
  constructor(port: number, path = '/v1/ws', with_: Buffer = Buffer.alloc(0), headers: Headers = {}) {
    super(port);
    this.send(Buffer.concat([Buffer.from(head(`GET ${path}`, { ...WEBSOCKET_HEADERS, ...headers })), with_]));
  }

  /** Whole frames that have come so far. */
  get frames(): Frame[] {
    const all = this.bytes;
    let at = all.indexOf('\r\n\r\n') + 4;
    const frames: Frame[] = [];
    if (at < 4) return frames;
    while (at + 2 <= all.length) {
      const first = all[at] ?? 0;
      const second = all[at + 1] ?? 0;
      let length = second & 0x7f;
      let start = at + 2;
      if (length === 126 && all.length >= start + 2) {
        length = all.readUInt16BE(start);
        start += 2;
      } else if (length === 127 && all.length >= start + 8) {
        length = Number(all.readBigUInt64BE(start));
        start += 8;
      } else if (length > 125) break;
      if (all.length < start + length) break;
      frames.push({
        fin: first >= 0x80,
        reserved: first & 0x70,
        opcode: first & 0x0f,
        masked: second >= 0x80,
        lengthBytes: (start - at - 1) as Frame['lengthBytes'],
        payload: all.subarray(start, start + length),
      });
      at = start + length;
    }
    return frames;
  }

  /** The first `count` frames of a kind, as soon as they have come. */
  async hear(opcode: number, count = 1): Promise<Frame[]> {
    const found = (): Frame[] => this.frames.filter((frame) => frame.opcode === opcode);
    await until(() => found().length >= count || this.ended, `${count} frames of opcode ${opcode}`);
    if (found().length < count) throw new Error(`ended with ${found().length} frames of opcode ${opcode}`);
    return found().slice(0, count);
  }

  /** The close frame, as soon as there is one. */
  async closeFrame(): Promise<{ code: number; reason: string }> {
    const found = (): Frame | undefined => this.frames.find((frame) => frame.opcode === 0x8);
    await until(() => found() !== undefined || this.ended, 'a close frame');
    const payload = found()?.payload;
    if (payload === undefined) throw new Error(`the connection ended without a close frame: ${this.text}`);
    if (payload.length === 0) return { code: 1005, reason: '' };
    return { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
  }
}
