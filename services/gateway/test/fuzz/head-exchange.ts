import { connect } from 'node:net';
import { cutAt } from './cut.ts';

/** Far longer than anything takes. */
const HANG_MILLISECONDS = 60_000;
/** After this much silence a client closes its side: it may be that the node waits for the rest of a request. */
const SILENCE_MILLISECONDS = 150;
/** Bytes of an answer that are kept: heads come first. */
const KEPT_BYTES = 64 * 1024;

export interface HeadExchangeOptions {
  readonly bytes: Buffer;
  /** Where the bytes are cut: each piece is written in a turn of the event loop of its own. */
  readonly cuts: readonly number[];
  /** When the client closes its side: after an answer or some silence, never (the node shall lose patience), or by a reset. */
  readonly end: 'when answered' | 'never' | 'reset';
}

export interface HeadExchange {
  /** Of all answers, in their order. */
  readonly statuses: readonly number[];
  /** The header lines of each answer. */
  readonly heads: readonly (readonly string[])[];
}

/** Sends bytes to an HTTP server, and reads what comes until the connection has ended. Rejects when it does not end. */
export function exchangeHead(port: number, { bytes, cuts, end }: HeadExchangeOptions): Promise<HeadExchange> {
  const pieces = cutAt(bytes, cuts);
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const chunks: Buffer[] = [];
    let kept = 0;
    let isConnected = false;
    let silence: NodeJS.Timeout | undefined;
    const hang = setTimeout(() => {
      reject(
        new Error(
          `no end in ${HANG_MILLISECONDS / 1000} s, after ${JSON.stringify(Buffer.concat(chunks).toString('latin1'))}`,
        ),
      );
      socket.destroy();
    }, HANG_MILLISECONDS);
    const write = (): void => {
      if (!socket.writable) return; // the node had enough before everything was sent
      const piece = pieces.shift();
      if (piece !== undefined) {
        socket.write(piece);
        setImmediate(write);
      } else if (end === 'reset') socket.resetAndDestroy();
      else if (kept > 0) socket.end();
      else if (end === 'when answered') silence = setTimeout(() => socket.end(), SILENCE_MILLISECONDS);
    };
    socket.on('connect', () => {
      isConnected = true;
      write();
    });
    socket.on('data', (chunk: Buffer) => {
      if (kept < KEPT_BYTES) chunks.push(chunk);
      kept += chunk.length;
      if (pieces.length === 0) socket.end();
    });
    socket.on('error', (error) => {
      // A node may close before it has read everything: what it answered then may be lost.
      if (!isConnected) reject(error);
    });
    socket.on('close', () => {
      clearTimeout(hang);
      clearTimeout(silence);
      resolve(readAnswers(Buffer.concat(chunks).toString('latin1')));
    });
  });
}

/** No body that the node sends has a line that looks like the first one of an answer. */
function readAnswers(text: string): HeadExchange {
  const answers = text.split(/^(?=HTTP\/1\.1 )/m);
  const statuses: number[] = [];
  const heads: string[][] = [];
  for (const answer of answers) {
    if (answer === '') continue;
    const [first = '', ...lines] = (answer.split('\r\n\r\n', 1)[0] ?? '').split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) [ -~]*$/.exec(first)?.[1];
    statuses.push(Number(status ?? Number.NaN));
    heads.push(lines);
  }
  return { statuses, heads };
}
