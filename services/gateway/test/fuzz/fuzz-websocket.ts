import { CLOSES } from '../../src/errors.ts';
import { OPCODE } from '../../src/wire/websocket/frame.ts';
import { Receiver, type ReceiverHandler, type ReceiverProblem } from '../../src/wire/websocket/receiver.ts';
import { clientText } from './client-text.ts';
import { concurrently } from './concurrently.ts';
import { type Conversation, conversation, encode, frameOf } from './conversation.ts';
import type { FrameOptions } from './fuzz-receiver.ts';
import { type Mutated, mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { Tally } from './tally.ts';
import { BURST_FRAMES, MAX_PAYLOAD_BYTES, type Target } from './target.ts';
import { Violation } from './violation.ts';
import { type Exchange, exchangeFrames } from './websocket-exchange.ts';

/** The part's name. */
export const WEBSOCKETS = 'WebSocket';

/** Connections at a time. */
const CONCURRENCY = 16;
/** Share of the clients that send more frames than they may. */
const FLOOD_SHARE = 0.003;
/** Far more than may come at once, also when the node takes seconds to read them. */
const FLOOD_FRAMES = 6 * BURST_FRAMES;
/** Share of the clients that vanish in the middle. */
const RESET_SHARE = 0.03;

/** Sends mutated conversations to a real node, each over a connection of its own, until the tally says that it is enough. */
export async function fuzzWebSockets(target: Target, tally: Tally, options: FrameOptions): Promise<void> {
  const { seed, frames, isOver, progress } = options;
  let next = seed + tally.conversations;
  await concurrently(CONCURRENCY, async () => {
    if (tally.mutatedRead >= frames || isOver()) return false;
    await fuzzWebSocket(target, next++, tally);
    progress();
    return true;
  });
}

/** Sends the conversation that this seed makes. */
export async function fuzzWebSocket(target: Target, seed: number, tally: Tally): Promise<void> {
  const random = new Random(seed);
  const deflate = random.chance(0.5);
  // Binary messages end a conversation (1003), so few of them.
  const make = (): Conversation => conversation(random, { deflate, most: 8, text: clientText, binary: 0.02 });
  const { pieces, mutations } = random.chance(FLOOD_SHARE) ? flood(random) : mutate(random, make(), make);
  const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
  const input = { part: WEBSOCKETS, seed, mutations, bytes };
  const expected = new Model(deflate);
  const reads = pieces.map((piece) => {
    const isRead = expected.end === undefined;
    expected.read(piece.bytes);
    return isRead;
  });

  const isReset = random.chance(RESET_SHARE);
  const exchange = exchangeFrames(target.port, {
    path: random.pick(['/v1/ws', '/v1/ws', '/v1/ws?channel=fuzz:0&channel=other']),
    deflate,
    subprotocol: random.chance(0.5),
    bytes: isReset ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes,
    cuts: Array.from({ length: random.pick([0, 0, 1, 4]) }, () => random.below(bytes.length + 1)),
    withHead: random.chance(0.3),
    end: isReset ? 'reset' : expected.end === undefined ? 'at once' : 'after the close',
  });
  const outcome = await target.take(input, exchange);
  const problem = isReset ? undefined : judge(outcome, expected);
  if (problem !== undefined) throw new Violation(problem, [input]);
  // What a node has read of a client that vanished, nobody knows.
  pieces.forEach(({ mutated: isMutated }, i) => {
    tally.countPiece(isMutated, !isReset && reads[i] === true);
  });
  tally.countEnd(isReset ? 0 : expected.frames, isReset ? 'reset by the client' : expected.ending);
}

/** A conversation, and then more frames than a client may send. */
function flood(random: Random): Mutated {
  const start = frameOf(random, OPCODE.text, '{"type":"ping"}');
  const many = random.chance(0.5)
    ? frameOf(random, OPCODE.pong, random.bytes(random.below(20)))
    : frameOf(random, OPCODE.continuation, '', { fin: false });
  const begin = many.opcode === OPCODE.continuation ? [frameOf(random, OPCODE.text, '', { fin: false })] : [];
  const pieces = [start, ...begin, ...Array.from({ length: FLOOD_FRAMES }, () => many)].map((frame) => ({
    bytes: encode(frame),
    mutated: false,
  }));
  return { pieces, mutations: ['a flood of frames'] };
}

/** What a node does with a client's bytes, from what PROTOCOL.md says of frames and closes; what the texts say is not in it. */
class Model implements ReceiverHandler {
  /** The code of the close frame that the node sends; undefined while it sends none. */
  end: number | undefined;
  /** The same in words, for the tally. */
  ending = 'no end';
  /** Frames that were read up to there. */
  frames = 0;
  /** Payloads of the pongs that it sends, as hex. */
  readonly pongs: string[] = [];
  /** Text messages that it answers. */
  texts = 0;
  readonly #receiver: Receiver;

  constructor(deflate: boolean) {
    this.#receiver = new Receiver({ maxMessageBytes: MAX_PAYLOAD_BYTES, deflate, handler: this });
  }

  read(bytes: Buffer): void {
    this.#receiver.push(Buffer.from(bytes));
  }

  frame(): void {
    if (++this.frames > BURST_FRAMES) this.#end(CLOSES.flooding.code);
  }
  text(): void {
    this.texts++;
  }
  binary(): void {
    this.#end(CLOSES.unsupported_data.code);
  }
  ping(payload: Buffer): void {
    this.pongs.push(payload.toString('hex'));
  }
  pong(): void {}
  closeReceived(code: number): void {
    this.#end(code, 'closed by the client');
  }
  failed({ code }: ReceiverProblem): void {
    this.#end(code);
  }

  #end(code: number, ending = String(code)): void {
    if (this.end === undefined) this.ending = ending;
    this.end ??= code;
    this.#receiver.stop();
  }
}

const TYPES = [
  'welcome',
  'subscribed',
  'unsubscribed',
  'message',
  'cursor',
  'gap',
  'caught-up',
  'published',
  'pong',
  'error',
];
const ANSWERS = ['subscribed', 'unsubscribed', 'published', 'pong', 'error'];

/** What is wrong with a node's side of a conversation, in words. */
function judge({ status, frames, closeCode, error }: Exchange, expected: Model): string | undefined {
  if (error !== undefined) return `the connection broke: ${error}`;
  if (status !== 101) return `the handshake was answered with ${status}`;
  if (closeCode !== expected.end) return `closed with ${closeCode}, not ${expected.end}`;
  if (frames.some(({ opcode }) => opcode === OPCODE.binary)) return 'the node sent a binary frame';
  const close = frames.findIndex(({ opcode }) => opcode === OPCODE.close);
  const pongs = frames
    .slice(0, close === -1 ? undefined : close)
    .filter(({ opcode }) => opcode === OPCODE.pong)
    .map(({ payload }) => payload.toString('hex'));
  if (pongs.join() !== expected.pongs.join()) return `${pongs.length} pongs [${pongs}], not [${expected.pongs}]`;
  const texts = frames
    .filter(({ opcode }) => opcode === OPCODE.text)
    .map(({ payload }) => JSON.parse(payload.toString()));
  if (texts[0]?.type !== 'welcome') return `the first message is ${JSON.stringify(texts[0])}`;
  const strange = texts.find(({ type, code }) => !TYPES.includes(type) || code === 'internal');
  if (strange !== undefined) return `the node said ${JSON.stringify(strange)}`;
  const answers = texts.filter(({ type }) => ANSWERS.includes(type)).length;
  // Fewer: a publish whose answer came after the end. More: the channels that the address named.
  return answers > expected.texts + 2 ? `${answers} answers to ${expected.texts} messages` : undefined;
}
