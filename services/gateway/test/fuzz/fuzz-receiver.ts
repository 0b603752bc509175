import { setImmediate } from 'node:timers/promises';
import { Receiver } from '../../src/wire/websocket/receiver.ts';
import { Recorder, type Told } from '../unit/wire/websocket/client.ts';
import { anyText, type Conversation, conversation, encode } from './conversation.ts';
import { type Mutated, mutate, type Piece } from './mutate.ts';
import { disagreement, receiveWithWs } from './oracle.ts';
import { Random } from './random.ts';
import type { Tally } from './tally.ts';
import { Violation } from './violation.ts';

const MAX_BYTES = 70_000;
/** Share of the inputs that `ws` reads too; it takes ten times as long. */
const ORACLE_SHARE = 0.1;
/** Share of the rounds in which a conversation comes as it is, too. */
const VALID_SHARE = 0.3;
/** Inputs between which others may run. */
const BATCH = 500;

export interface FrameOptions {
  readonly seed: number;
  /** Mutated frames that the product's code shall have read. */
  readonly frames: number;
  /** Whether to stop though there is more to do. */
  readonly isOver: () => boolean;
  readonly progress: () => void;
}

/** Gives mutated conversations to the receiver itself, cut in several ways, and some of them to `ws` as well. */
export async function fuzzReceiver(tally: Tally, options: FrameOptions): Promise<void> {
  const { seed, frames, isOver, progress } = options;
  for (let i = 0; tally.mutatedRead < frames && !isOver(); i++) {
    await fuzzOnce(seed + i, tally);
    progress();
    if (i % BATCH === 0) await setImmediate();
  }
}

async function fuzzOnce(seed: number, tally: Tally): Promise<void> {
  const random = new Random(seed);
  const deflate = random.chance(0.5);
  const make = (): Conversation => conversation(random, { deflate, most: 6, text: anyText, binary: 0.3 });
  await checkMutated(random, deflate, mutate(random, make(), make), seed, tally);
  if (random.chance(VALID_SHARE)) checkValid(random, make(), seed, tally);
}

async function checkMutated(
  random: Random,
  deflate: boolean,
  { pieces, mutations }: Mutated,
  seed: number,
  tally: Tally,
): Promise<void> {
  const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
  const fail = (what: string): never => {
    throw new Violation(what, [{ part: 'receiver', seed, mutations, bytes }]);
  };
  let ours: Recorder;
  try {
    ours = receivePieces(pieces, deflate, tally);
  } catch (error) {
    return fail(`the receiver threw ${error}`);
  }
  const end = ours.told.findIndex(isEnd);
  if (end !== -1 && end !== ours.told.length - 1) fail(`told more after the end: ${abridged(ours.told)}`);
  const { told } = receiveCut(random, bytes, deflate);
  if (!isSame(ours.told, told))
    fail(`told otherwise when cut otherwise: ${abridged(ours.told)}, then ${abridged(told)}`);
  if (!random.chance(ORACLE_SHARE)) return;
  tally.oracle++;
  const difference = disagreement(ours, await receiveWithWs(bytes, MAX_BYTES, deflate), deflate);
  if (difference !== undefined) fail(difference);
}

function checkValid(random: Random, { deflate, frames, told }: Conversation, seed: number, tally: Tally): void {
  tally.validFrames += frames.length;
  const bytes = Buffer.concat(frames.map(encode));
  const ours = receiveCut(random, bytes, deflate).told;
  if (isSame(ours, told)) return;
  const what = `a valid conversation was told otherwise: ${abridged(ours)}, not ${abridged(told)}`;
  throw new Violation(what, [{ part: 'receiver', seed, mutations: [], bytes }]);
}

/** Frame by frame, so that it is known which of the mutated ones were read: those before whose first byte nothing had failed. */
function receivePieces(pieces: readonly Piece[], deflate: boolean, tally: Tally): Recorder {
  const handler = new Recorder();
  const receiver = new Receiver({ maxMessageBytes: MAX_BYTES, deflate, handler });
  for (const piece of pieces) {
    tally.countPiece(piece.mutated, !handler.told.some(isEnd));
    receiver.push(Buffer.from(piece.bytes)); // a copy, since the receiver unmasks in place
  }
  tally.countEnd(handler.frames, endOf(handler.told));
  return handler;
}

/** In pieces of any length. */
function receiveCut(random: Random, bytes: Buffer, deflate: boolean): Recorder {
  const handler = new Recorder();
  const receiver = new Receiver({ maxMessageBytes: MAX_BYTES, deflate, handler });
  const longest = bytes.length > 10_000 ? 5000 : random.pick([1, 3, 20, 300, 10_000]);
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + random.between(1, longest));
    receiver.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return handler;
}

function isEnd(told: Told): boolean {
  return 'failed' in told || 'close' in told;
}

function endOf(told: readonly Told[]): string {
  const last = told.at(-1);
  if (last === undefined || !isEnd(last)) return 'no end';
  return 'failed' in last ? String(last.failed) : 'closed by the client';
}

function isSame(one: readonly Told[], other: readonly Told[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function abridged(told: readonly Told[]): string {
  return told.map((each) => JSON.stringify(each).slice(0, 100)).join(' ');
}
