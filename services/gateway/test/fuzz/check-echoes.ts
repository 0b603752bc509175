import { OPCODE } from '../../src/wire/websocket/frame.ts';
import { startEchoServer } from '../support/echo-server.ts';
import type { Told } from '../unit/wire/websocket/client.ts';
import { concurrently } from './concurrently.ts';
import { anyText, conversation, encode } from './conversation.ts';
import { Random } from './random.ts';
import type { ServerFrame } from './server-frames.ts';
import { Violation } from './violation.ts';
import { exchangeFrames } from './websocket-exchange.ts';

const CONCURRENCY = 4;

export interface EchoOptions {
  readonly seed: number;
  readonly conversations: number;
  /** Whether to stop though there is more to do. */
  readonly isOver: () => boolean;
}

/**
 * Sends conversations in which everything is right over real sockets, cut anywhere and half of them compressed: an echo
 * server that is made of the product's code must send back just what was said, in the same order. Resolves to how many it
 * were.
 */
export async function checkEchoes({ seed, conversations, isOver }: EchoOptions): Promise<number> {
  const server = await startEchoServer({ port: 0 });
  let next = seed;
  try {
    await concurrently(CONCURRENCY, async () => {
      if (next - seed >= conversations || isOver()) return false;
      await checkOnce(server.port, next++);
      return true;
    });
  } finally {
    await server.stop();
  }
  return next - seed;
}

async function checkOnce(port: number, seed: number): Promise<void> {
  const random = new Random(seed);
  const deflate = random.chance(0.5);
  const { frames, told } = conversation(random, { deflate, most: 20, text: anyText, binary: 0.3 });
  const bytes = Buffer.concat(frames.map(encode));
  const fail = (what: string): never => {
    throw new Violation(what, [{ part: 'echoes', seed, mutations: [], bytes }]);
  };
  const last = told.at(-1);
  const isClosed = last !== undefined && 'close' in last;
  const exchange = await exchangeFrames(port, {
    path: '/',
    deflate,
    subprotocol: false,
    bytes,
    cuts: Array.from({ length: random.below(20) }, () => random.below(bytes.length + 1)),
    withHead: random.chance(0.3),
    end: isClosed ? 'after the close' : 'at once',
  }).catch((error: Error) => fail(error.message));
  if (exchange.error !== undefined) fail(`the connection broke: ${exchange.error}`);
  const expected = told.map(echoOf).filter((echo) => echo !== undefined);
  const echoes = exchange.frames.map(write);
  const at = expected.findIndex((echo, i) => echoes[i] !== echo);
  if (at !== -1) fail(`echo ${at} is ${echoes[at]?.slice(0, 200)}, not ${expected[at]?.slice(0, 200)}`);
  if (echoes.length > expected.length) fail(`there is one more echo: ${echoes[expected.length]?.slice(0, 200)}`);
}

/** What an echo server sends back, as `write` puts it. */
function echoOf(told: Told): string | undefined {
  if ('text' in told) return write({ opcode: OPCODE.text, payload: Buffer.from(told.text) });
  if ('binary' in told) return write({ opcode: OPCODE.binary, payload: Buffer.from(told.binary, 'hex') });
  if ('ping' in told) return write({ opcode: OPCODE.pong, payload: Buffer.from(told.ping, 'hex') });
  if (!('close' in told)) return undefined;
  const payload = Buffer.alloc(told.close === 1005 ? 0 : 2);
  if (told.close !== 1005) payload.writeUInt16BE(told.close);
  return write({ opcode: OPCODE.close, payload });
}

function write({ opcode, payload }: ServerFrame): string {
  return `${opcode} ${payload.toString('hex')}`;
}
