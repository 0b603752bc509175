import { compareIds, type Message, partitionOf, ZERO_ID } from '../../message.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { HistoryPage } from '../log.ts';
import { expiryBound, idBefore, judgeGap, type Retention } from '../retention.ts';
import type { CommandConnection, LogRedis } from './connection.ts';
import { readHistoryEntry } from './entry.ts';
import { readFailure } from './failure.ts';
import { historyKey, logKey } from './keys.ts';

/** The highest id there can be: nothing comes after it, and Redis refuses to look. */
const LAST_ID = '18446744073709551615-18446744073709551615';

/** Reads the channels' histories. */
export class HistoryReader {
  readonly #connection: CommandConnection;
  readonly #partitions: number;
  readonly #retention: Retention;
  readonly #metrics: Metrics;

  constructor(connection: CommandConnection, partitions: number, retention: Retention, metrics: Metrics) {
    this.#connection = connection;
    this.#partitions = partitions;
    this.#retention = retention;
    this.#metrics = metrics;
  }

  /** See Log.historyAfter. */
  async after(channel: string, after: string, limit: number): Promise<HistoryPage> {
    if (compareIds(after, LAST_ID) >= 0) return { messages: [], more: false };
    const { historyTtlSeconds } = this.#retention;
    // One more than asked for tells whether there is more.
    const [nowMs, newest, raw] = await this.#read((redis) =>
      redis.fanfareHistoryAfter(1, this.#key(channel), after, limit + 1, historyTtlSeconds * 1000),
    );
    const entries = raw.slice(0, limit).map((entry) => readHistoryEntry(channel, entry));
    const bound = expiryBound(Number(nowMs), historyTtlSeconds);
    // Without a history, whatever the channel had expired with its key; a Redis that evicts keys breaks this.
    const since = entries[0]?.previous ?? (newest === '' ? idBefore(bound) : newest);
    const gap = judgeGap(after, since, bound);
    const page = { messages: entries.map(({ message }) => message), more: raw.length > limit };
    return gap === undefined ? page : { ...page, gap };
  }

  /** See Log.historyLast. */
  async last(channel: string, limit: number): Promise<readonly Message[]> {
    if (limit < 1) return [];
    const ttlMs = this.#retention.historyTtlSeconds * 1000;
    const raw = await this.#read((redis) => redis.fanfareHistoryLast(1, this.#key(channel), limit, ttlMs));
    return raw.map((entry) => readHistoryEntry(channel, entry).message).reverse();
  }

  /** See Log.end. */
  async end(partition: number): Promise<string> {
    const newest = await this.#read((redis) => redis.xrevrange(logKey(partition), '+', '-', 'COUNT', 1));
    return newest[0]?.[0] ?? ZERO_ID;
  }

  #key(channel: string): string {
    return historyKey(partitionOf(channel, this.#partitions), channel);
  }

  async #read<T>(command: (redis: LogRedis) => Promise<T>): Promise<T> {
    this.#connection.gather();
    try {
      return await command(this.#connection.redis);
    } catch (error) {
      this.#metrics.logError('history');
      throw readFailure(error);
    }
  }
}
