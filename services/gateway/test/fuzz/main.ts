import process from 'node:process';
import { parseArgs } from 'node:util';
import { type RunResult, run } from './run.ts';
import { Violation } from './violation.ts';

const HELP = `usage: npm run fuzz -- [--seed N] [--frames N] [--heads N] [--seconds N] [--help]

Sends what no client should to a node, and to the code that reads WebSocket frames, and fails at the first crash, hang, leak,
wrong answer or disturbed bystander; then it prints the input, and the seed that makes just this input again.

  --seed N      what the inputs are made from (any number; unset: another one each time)
  --frames N    mutated WebSocket frames that the product's code shall read, a tenth of them over sockets (1000000)
  --heads N     mutated request heads (100000)
  --seconds N   stop after this time though not all is done (3600)`;

const MOST = 2 ** 31;

interface Arguments {
  readonly seed: number;
  readonly frames: number;
  readonly heads: number;
  readonly seconds: number;
  readonly help: boolean;
}

/** Exit code: 0 nothing was found, 1 something was, 2 for bad words, 130 when it was stopped. */
async function main(words: string[]): Promise<number> {
  let given: Arguments;
  try {
    given = readArguments(words);
  } catch (error) {
    console.error(`fuzz: ${(error as Error).message}`);
    return 2;
  }
  if (given.help) {
    console.log(HELP);
    return 0;
  }
  console.log(`seed ${given.seed}`);
  const started = performance.now();
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
  try {
    const result = await run({ ...given, signal: stopping.signal, say: (line) => console.log(line) });
    console.log(summary(result, (performance.now() - started) / 1000));
    return stopping.signal.aborted ? 130 : 0;
  } catch (error) {
    // Ctrl-C reaches the node as well, which then leaves.
    if (stopping.signal.aborted) return 130;
    console.error(error instanceof Violation ? `\nFOUND (run of --seed ${given.seed}): ${error.report}` : error);
    return 1;
  }
}

function readArguments(args: string[]): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: String(Date.now() % MOST) },
      frames: { type: 'string', default: '1000000' },
      heads: { type: 'string', default: '100000' },
      seconds: { type: 'string', default: '3600' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    seed: wholeNumber('--seed', values.seed),
    frames: wholeNumber('--frames', values.frames),
    heads: wholeNumber('--heads', values.heads),
    seconds: wholeNumber('--seconds', values.seconds),
    help: values.help,
  };
}

function summary(result: RunResult, seconds: number): string {
  const { receiver, echoes, webSockets, heads, bystanderMessages, grownBytes, isComplete } = result;
  const frames = ({ mutatedRead, mutatedSent, framesRead, conversations }: RunResult['receiver']): string =>
    `${mutatedRead} of ${mutatedSent} mutated frames were read (${framesRead} frames in all) in ${conversations} conversations`;
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts]
      .sort(([, one], [, other]) => other - one)
      .map(([name, count]) => `${name}: ${count}`)
      .join(', ');
  return [
    '',
    `receiver   ${frames(receiver)}`,
    `           ${list(receiver.ends)}`,
    `           ws read ${receiver.oracle} of the conversations too; ${receiver.validFrames} frames came as they were meant`,
    `echoes     ${echoes} valid conversations came back`,
    `WebSocket  ${frames(webSockets)}`,
    `           ${list(webSockets.ends)}`,
    `heads      ${heads.heads} sent, answered with: ${list(heads.answers)}`,
    `bystanders got all of ${bystanderMessages} messages, once and in order`,
    `memory     grew by ${Math.round(grownBytes / 1024)} KiB in the second half of a part, at most`,
    `${isComplete ? 'done' : 'stopped'} after ${Math.round(seconds)} s; nothing was found`,
  ].join('\n');
}

function wholeNumber(name: string, value: string): number {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (number <= MOST) return number;
  throw new Error(`${name} must be a whole number up to ${MOST}, not ${JSON.stringify(value)}`);
}

process.exitCode = await main(process.argv.slice(2));
