import type { ChainableCommander } from 'ioredis';
import { compareIds, idBefore, type Message, partitionOf, ZERO_ID } from '../../message.ts';
import type { HistoryPage } from '../log.ts';
import { expiryBound, judgeGap, type Retention } from '../retention.ts';
import type { Commands, ConnectionSettings } from './connection.ts';
import { type RawEntry, readHistoryEntry } from './entry.ts';
import { readFailure, reasonOf } from './failure.ts';
import { historyKey, logKey } from './keys.ts';

/** The highest id there can be: nothing comes after it, and Redis refuses to look. */
const LAST_ID = '18446744073709551615-18446744073709551615';

/** What Redis replies to TIME: seconds and microseconds. */
type Time = [seconds: string, microseconds: string];

/**
 * Reads the channels' histories. What belongs together is read in one transaction, with the time by Redis' clock. Not by
 * a script: measured on a page of 100 messages, that costs Redis about four times as much CPU.
 */
export class HistoryReader {
  readonly #commands: Commands;
  readonly #partitions: number;
  readonly #retention: Retention;
  readonly #connection: ConnectionSettings;

  constructor(commands: Commands, partitions: number, retention: Retention, connection: ConnectionSettings) {
    this.#commands = commands;
    this.#partitions = partitions;
    this.#retention = retention;
    this.#connection = connection;
  }

  /** See Log.historyAfter. */
  async after(channel: string, after: string, limit: number): Promise<HistoryPage> {
    if (compareIds(after, LAST_ID) >= 0) return { messages: [], more: false };
    const partition = partitionOf(channel, this.#partitions);
    const key = historyKey(partition, channel);
    // One more than asked for tells whether there is more.
    const read = (from: string) =>
      this.#atomic<[Time, RawEntry[], RawEntry[]]>(partition, (commands) =>
        commands
          .time()
          .xrevrange(key, '+', '-', 'COUNT', 1)
          .xrange(key, from, '+', 'COUNT', limit + 1),
      );
    let [time, [newest], raw] = await read(`(${after}`);
    let bound = this.#expiryBound(time);
    if (raw[0] !== undefined && compareIds(raw[0][0], bound) < 0) {
      // Expired, and not removed yet: the page begins behind.
      [time, [newest], raw] = await read(bound);
      bound = this.#expiryBound(time);
    }
    const entries = raw.slice(0, limit).map((entry) => readHistoryEntry(channel, entry));
    // Without a history, whatever the channel had expired with its key; a Redis that evicts keys breaks this.
    const since = entries[0]?.previous ?? newest?.[0] ?? idBefore(bound);
    const gap = judgeGap(after, since, bound);
    const page = { messages: entries.map(({ message }) => message), more: raw.length > limit };
    return gap === undefined ? page : { ...page, gap };
  }

  /** See Log.historyLast. */
  async last(channel: string, limit: number): Promise<readonly Message[]> {
    if (limit < 1) return [];
    const partition = partitionOf(channel, this.#partitions);
    const [time, raw] = await this.#atomic<[Time, RawEntry[]]>(partition, (commands) =>
      commands.time().xrevrange(historyKey(partition, channel), '+', '-', 'COUNT', limit),
    );
    const bound = this.#expiryBound(time);
    const alive = raw.filter(([id]) => compareIds(id, bound) >= 0);
    return alive.map((entry) => readHistoryEntry(channel, entry).message).reverse();
  }

  /** See Log.end. */
  async end(partition: number): Promise<string> {
    const [newest] = await this.#atomic<[RawEntry[]]>(partition, (commands) =>
      commands.xrevrange(logKey(partition), '+', '-', 'COUNT', 1),
    );
    return newest[0]?.[0] ?? ZERO_ID;
  }

  #expiryBound([seconds, microseconds]: Time): string {
    const nowMs = Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
    return expiryBound(nowMs, this.#retention.historyTtlSeconds);
  }

  /** Runs commands as one transaction; their replies, in order. */
  async #atomic<Replies extends unknown[]>(
    partition: number,
    add: (commands: ChainableCommander) => ChainableCommander,
  ): Promise<Replies> {
    try {
      const run = () => this.#commands.run(partition, async ({ redis }) => (await add(redis.multi()).exec()) ?? []);
      const replies = await run();
      for (const [error] of replies) if (error !== null) throw error;
      return replies.map(([, reply]) => reply) as Replies;
    } catch (error) {
      this.#connection.metrics.logError('history');
      this.#connection.denials.heard(reasonOf(error));
      throw readFailure(error);
    }
  }
}
