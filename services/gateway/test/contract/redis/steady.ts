import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { compareIds, partitionOf } from '../../../src/message.ts';
import type { TailLedger } from '../../support/tail-ledger.ts';
import { until } from '../../support/until.ts';
import { appendSurely, type LogNode } from './node.ts';

/** Between two messages of one publisher, milliseconds. */
const PAUSE_MS = 2;

interface Taken {
  readonly id: string;
  readonly channel: string;
  readonly data: string;
}

/** Publishers on every node that publish to every partition, one message after another, whatever happens to Redis. */
export class SteadyPublishers {
  readonly taken: Taken[] = [];
  readonly #nodes: readonly LogNode[];
  readonly #channels: readonly string[];
  readonly #running: Promise<unknown>;
  readonly #givenUp = new AbortController();
  #stopped = false;

  constructor(nodes: readonly LogNode[], channels: readonly string[]) {
    this.#nodes = nodes;
    this.#channels = channels;
    this.#running = Promise.all(
      nodes.flatMap(({ log }, n) =>
        channels.map(async (channel) => {
          for (let i = 0; !this.#stopped; i++) {
            const data = `${n * 1_000_000 + i}`;
            this.taken.push({ id: await appendSurely(log, channel, data, this.#givenUp.signal), channel, data });
            await pause(PAUSE_MS);
          }
        }),
      ),
    );
  }

  /** Waits until each channel has had this many more messages taken. */
  async more(count: number): Promise<void> {
    const before = this.taken.length;
    await until(
      () => {
        const since = this.taken.slice(before);
        return this.#channels.every(
          (channel) => since.filter((message) => message.channel === channel).length >= count,
        );
      },
      'more messages on every channel',
      60,
    );
  }

  /** Resolves when the last message of each has been taken. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Ends them, also where the log takes nothing. */
  async abandon(): Promise<void> {
    this.#givenUp.abort();
    await this.stop().catch(() => {});
  }

  /**
   * Stops, waits until all is delivered, and checks each node's ledger: every message that was taken was delivered, or lies
   * before a floor that rose; nothing was delivered twice, unless such a floor lies between; and everything in order.
   */
  async settle(partitions: number): Promise<void> {
    await this.stop();
    const last = await appendLast(this.#nodes, this.#channels);
    for (const { ledger } of this.#nodes) {
      await until(
        () =>
          last.every(({ id, channel }) => ledger.messages.some((seen) => seen.id === id && seen.channel === channel)),
        'the last message of every channel',
      );
      expect(ledger.violations).toEqual([]);
      const delivered = new Set(ledger.messages.map(({ id, channel }) => `${channel} ${id}`));
      const risen = Array.from({ length: partitions }, (_, partition) => ledger.floors(partition).slice(1));
      const floorsOf = (channel: string) => risen[partitionOf(channel, partitions)] ?? [];
      const lost = this.taken.filter(
        ({ id, channel }) =>
          !delivered.has(`${channel} ${id}`) && !floorsOf(channel).some((floor) => compareIds(id, floor) < 0),
      );
      expect(lost).toEqual([]);
      expect(ledger.skips).toEqual([]);

      expect(doublesOf(ledger)).toEqual([]);
    }
    const [one, ...others] = this.#nodes;
    for (const { ledger } of others) expect(ledger.floors().at(-1)).toBe(one?.ledger.floors().at(-1));
  }

  /** The longest time for which a channel had no message taken, milliseconds, by the ids' clock. */
  get longestPauseMs(): number {
    let longest = 0;
    for (const channel of this.#channels) {
      const times = this.taken
        .filter((message) => message.channel === channel)
        .map(({ id }) => Number.parseInt(id, 10));
      times.sort((a, b) => a - b);
      times.forEach((time, i) => {
        longest = Math.max(longest, time - (times[i - 1] ?? time));
      });
    }
    return longest;
  }
}

/** Messages that came twice, and no floor was told in between. */
function doublesOf(ledger: TailLedger): string[] {
  const seen = new Map<number, Set<string>>();
  const doubles: string[] = [];
  for (const told of ledger.told) {
    if (told.kind === 'floor') seen.set(told.partition, new Set());
    if (told.kind !== 'message') continue;
    const text = `${told.message.channel} ${told.message.data}`;
    if (seen.get(told.partition)?.has(text)) doubles.push(text);
    seen.get(told.partition)?.add(text);
  }
  return doubles;
}

async function appendLast(nodes: readonly LogNode[], channels: readonly string[]): Promise<Taken[]> {
  const [node] = nodes;
  if (node === undefined) return [];
  const last: Taken[] = [];
  for (const channel of channels)
    last.push({ id: await appendSurely(node.log, channel, '"last"'), channel, data: '"last"' });
  return last;
}

/** One channel for each partition. */
export function channelsOf(partitions: number): string[] {
  return Array.from({ length: partitions }, (_, partition) => {
    for (let i = 0; ; i++) if (partitionOf(`c${i}`, partitions) === partition) return `c${i}`;
  });
}
