import { fuzzHead, HEADS, HeadTally } from './fuzz-heads.ts';
import { fuzzWebSocket, WEBSOCKETS } from './fuzz-websocket.ts';
import { Tally } from './tally.ts';
import { Target } from './target.ts';
import { type Input, Violation } from './violation.ts';

/** Tries each of several suspected inputs on a node of its own; when one alone does the same harm, only that is named. */
export async function narrow(error: unknown): Promise<unknown> {
  if (!(error instanceof Violation) || error.inputs.length < 2) return error;
  for (const input of error.inputs) {
    const harm = await harmOf(input);
    if (harm?.message === error.message) return new Violation(harm.message, [input], harm.detail);
  }
  return error;
}

async function harmOf(input: Input): Promise<Violation | undefined> {
  const target = await Target.start();
  try {
    await send(target, input).catch(() => {});
    return await target.diagnosis();
  } finally {
    await target.stop();
  }
}

async function send(target: Target, { part, seed }: Input): Promise<void> {
  if (part === HEADS) await fuzzHead(target, seed, new HeadTally());
  if (part === WEBSOCKETS) await fuzzWebSocket(target, seed, new Tally());
}
