import { parseArgs } from 'node:util';
import { COMPRESSION_CONNECTIONS } from './compression.ts';
import { BATCH_MESSAGES, ROUNDS } from './delivery.ts';
import { IDLE_CONNECTIONS } from './idle.ts';
import { CROWD_CLIENTS } from './log/crowd.ts';

export const PARTS = ['delivery', 'idle', 'compression', 'log'] as const;
export type Part = (typeof PARTS)[number];

export interface Arguments {
  readonly parts: readonly Part[];
  readonly connections: number;
  readonly messages: number;
  readonly channels: number;
  readonly help: boolean;
}

export const USAGE =
  'usage: npm run bench -- [delivery | idle | compression | log] [--connections N] [--messages N] [--channels N] [--help]';

export const HELP = `${USAGE}

Measures the hot path of a node on the embedded log, over SSE and over WebSocket, on this machine, and the shared log:

  delivery      CPU per delivery, next to a bare loop that writes the same bytes to as many plain sockets;
                one message at a time, then ${BATCH_MESSAGES} in one write
  idle          memory per idle connection: ${IDLE_CONNECTIONS} more in a fresh node, with compression and without
  compression   bytes and CPU per delivery to ${COMPRESSION_CONNECTIONS} clients that ask for compression, next to as many that do not
  log           appends, tails and replays next to bare commands, what ${CROWD_CLIENTS} clients with the same old cursor cost, and bytes
                in Redis per message and channel; on a Redis of its own (redis-server must be on the PATH)

Without a name all are measured. The exit code is 1 when a target is missed.

  --connections N   connections of the delivery part (1000)
  --messages N      messages of the delivery part, in ${ROUNDS} rounds (400)
  --channels N      channels of the log part's Redis with many of them (100000)

Compare ratios, not microseconds: those depend on the machine, and on what else it does. The target of the delivery part
is meant for 1000 connections and more; with fewer, the publish itself is a larger part of each delivery.`;

/** Reads the command line. Throws an Error that says in one line what is wrong with it. */
export function readArguments(words: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...words],
    strict: true,
    allowPositionals: true,
    options: {
      connections: { type: 'string', default: '1000' },
      messages: { type: 'string', default: '400' },
      channels: { type: 'string', default: '100000' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  for (const word of positionals)
    if (!PARTS.some((part) => part === word)) throw new Error(`there is no part ${JSON.stringify(word)}`);
  return {
    parts: positionals.length === 0 ? PARTS : PARTS.filter((part) => positionals.includes(part)),
    // A process may have some 20,000 files open on usual systems.
    connections: wholeNumber('--connections', values.connections, 1, 15_000),
    messages: wholeNumber('--messages', values.messages, ROUNDS, 1_000_000),
    channels: wholeNumber('--channels', values.channels, 1000, 10_000_000),
    help: values.help,
  };
}

function wholeNumber(name: string, value: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(value)}`);
}
