import { connect } from 'node:net';
import { OPCODE } from '../../src/wire/websocket/frame.ts';
import { head, WEBSOCKET_HEADERS } from '../support/raw-socket.ts';
import { cutAt } from './cut.ts';
import { type ServerFrame, ServerFrames } from './server-frames.ts';

/** Far longer than anything takes. */
const HANG_MILLISECONDS = 60_000;

export interface ExchangeOptions {
  readonly path: string;
  readonly deflate: boolean;
  readonly subprotocol: boolean;
  /** What is sent behind the handshake. */
  readonly bytes: Buffer;
  /** Where it is cut: each piece is written in a turn of the event loop of its own. */
  readonly cuts: readonly number[];
  /** Whether the first piece goes out together with the handshake. */
  readonly withHead: boolean;
  /** When the client closes its side: as soon as everything is sent, when the node has sent a close frame, or by a reset. */
  readonly end: 'at once' | 'after the close' | 'reset';
}

export interface Exchange {
  /** The handshake's; 0 when there was no answer. */
  readonly status: number;
  readonly frames: readonly ServerFrame[];
  /** 1005 for a close frame without a code; undefined when there was no close frame. */
  readonly closeCode: number | undefined;
  /** The socket's error, if it had one. */
  readonly error: string | undefined;
}

/** One WebSocket from its handshake to its end. Rejects when the node sends what no node may, or does not come to an end. */
export function exchangeFrames(port: number, options: ExchangeOptions): Promise<Exchange> {
  const { path, deflate, subprotocol, bytes, cuts, withHead, end } = options;
  const headers = {
    ...WEBSOCKET_HEADERS,
    ...(deflate ? { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } : {}),
    ...(subprotocol ? { 'Sec-WebSocket-Protocol': 'other, fanfare.v1' } : {}),
  };
  const pieces = cutAt(bytes, cuts);
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const frames: ServerFrame[] = [];
    const reader = new ServerFrames(deflate);
    let answer: Buffer | undefined = Buffer.alloc(0);
    let status = 0;
    let closeCode: number | undefined;
    let error: string | undefined;
    const fail = (why: Error): void => {
      reject(why);
      socket.destroy();
    };
    const hang = setTimeout(() => fail(new Error(`no end in ${HANG_MILLISECONDS / 1000} s`)), HANG_MILLISECONDS);

    const read = (chunk: Buffer): void => {
      if (answer !== undefined) {
        answer = Buffer.concat([answer, chunk]);
        const bodyAt = answer.indexOf('\r\n\r\n') + 4;
        if (bodyAt < 4) return;
        status = Number(answer.subarray(9, 12));
        if (status !== 101) {
          socket.destroy();
          return;
        }
        const rest = answer.subarray(bodyAt);
        answer = undefined;
        return read(rest);
      }
      for (const frame of reader.push(chunk)) {
        frames.push(frame);
        if (frame.opcode !== OPCODE.close) continue;
        closeCode = frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0);
        if (end === 'after the close') socket.end();
      }
    };
    const write = (): void => {
      if (!socket.writable) return; // the node had enough before everything was sent
      const piece = pieces.shift();
      if (piece !== undefined) {
        socket.write(piece);
        setImmediate(write);
      } else if (end === 'reset') socket.resetAndDestroy();
      else if (end === 'at once') socket.end();
    };

    socket.on('connect', () => {
      const first = withHead ? pieces.shift() : undefined;
      socket.write(Buffer.concat([Buffer.from(head(`GET ${path}`, headers)), first ?? Buffer.alloc(0)]));
      write();
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        read(chunk);
      } catch (why) {
        fail(new Error(`the node sent ${(why as Error).message}`));
      }
    });
    socket.on('error', (why: NodeJS.ErrnoException) => {
      error = why.code ?? why.message;
    });
    socket.on('close', () => {
      clearTimeout(hang);
      resolve({ status, frames, closeCode, error });
    });
  });
}
