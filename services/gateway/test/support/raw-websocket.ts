import { randomBytes } from 'node:crypto';
import { head, RawSocket, WEBSOCKET_HEADERS } from './raw-socket.ts';
import { until } from './until.ts';

/** A frame as a server sent it: unmasked. */
export interface Frame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A frame as a client sends it (RFC 6455, 5.2), with anything in it that a test wants to be wrong. */
export function clientFrame(
  opcode: number,
  payload: string | Buffer = '',
  { fin = true, masked = true, reserved = 0 }: { fin?: boolean; masked?: boolean; reserved?: number } = {},
): Buffer {
  const bytes = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | reserved | opcode;
  const maskBit = masked ? 0x80 : 0;
  let start: Buffer;
  if (bytes.length < 126) start = Buffer.from([first, maskBit | bytes.length]);
  else if (bytes.length < 0x10000) {
    start = Buffer.from([first, maskBit | 126, 0, 0]);
    start.writeUInt16BE(bytes.length, 2);
  } else {
    start = Buffer.alloc(10);
    start[0] = first;
    start[1] = maskBit | 127;
    start.writeBigUInt64BE(BigInt(bytes.length), 2);
  }
  if (!masked) return Buffer.concat([start, bytes]);
  const mask = randomBytes(4);
  const body = Buffer.from(bytes.map((byte, i) => byte ^ (mask[i % 4] ?? 0)));
  return Buffer.concat([start, mask, body]);
}

/** A WebSocket client down to the bytes: it answers nothing by itself, no ping and no close. */
export class RawWebSocket extends RawSocket {
  constructor(port: number, path = '/v1/ws', with_: Buffer = Buffer.alloc(0)) {
    super(port);
    this.send(Buffer.concat([Buffer.from(head(`GET ${path}`, WEBSOCKET_HEADERS)), with_]));
  }

  /** Whole frames that have come so far. */
  get frames(): Frame[] {
    const all = this.bytes;
    let at = all.indexOf('\r\n\r\n') + 4;
    const frames: Frame[] = [];
    if (at < 4) return frames;
    while (at + 2 <= all.length) {
      const first = all[at] ?? 0;
      let length = (all[at + 1] ?? 0) & 0x7f;
      let start = at + 2;
      if (length === 126 && all.length >= start + 2) {
        length = all.readUInt16BE(start);
        start += 2;
      } else if (length === 127 && all.length >= start + 8) {
        length = Number(all.readBigUInt64BE(start));
        start += 8;
      } else if (length > 125) break;
      if (all.length < start + length) break;
      frames.push({ fin: first >= 0x80, opcode: first & 0x0f, payload: all.subarray(start, start + length) });
      at = start + length;
    }
    return frames;
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
