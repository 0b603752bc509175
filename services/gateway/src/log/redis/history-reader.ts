import type { ChainableCommander } from 'ioredis';
import { compareIds, type GapReason, type Message, partitionOf, ZERO_ID } from '../../message.ts';
import { keptOf, type Retention } from '../../retention.ts';
import { expiryBound } from '../completeness.ts';
import { aliveIn, type Look, MAX_LAST_SIZE, pageOf } from '../history-page.ts';
import type { HistoryPage } from '../log.ts';
import type { Commands, ConnectionSettings } from './connection.ts';
import { type RawEntry, readHistoryEntry } from './entry.ts';
import { readFailure, reasonOf } from './failure.ts';
import { KeyTtl } from './key-ttl.ts';
import { floorKey, historyKey, logKey } from './keys.ts';
import { ReadSize } from './read-size.ts';

/** The highest id there can be: nothing comes after it, and Redis refuses to look. */
const LAST_ID = '18446744073709551615-18446744073709551615';

/** Entries in one read, at most. */
const MAX_READ = 512;

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
  readonly #keyTtl: KeyTtl;
  readonly #connection: ConnectionSettings;
  readonly #size = new ReadSize(MAX_READ);
  /** The latest time by Redis' clock: set back, it must not bring a history back to life that has gone. */
  #latestMs = 0;

  constructor(commands: Commands, partitions: number, retention: Retention, connection: ConnectionSettings) {
    this.#commands = commands;
    this.#partitions = partitions;
    this.#retention = retention;
    this.#keyTtl = new KeyTtl(retention);
    this.#connection = connection;
  }

  /** See Log.historyAfter. */
  async after(channel: string, after: string, limit: number): Promise<HistoryPage> {
    let gap: GapReason | undefined;
    let from = after;
    for (let size = limit; compareIds(from, LAST_ID) < 0; size = MAX_READ) {
      const look = await this.#look(channel, from, size);
      const page = pageOf(look);
      gap ??= page.gap;
      // A page of which nothing is left is none; what comes next may be more than was asked for.
      if (page.messages.length > 0 || !page.more) return cut(gap === undefined ? page : { ...page, gap }, limit);
      from = look.entries.at(-1)?.id ?? from;
    }
    return { messages: [], more: false };
  }

  /** See Log.historyLast. */
  async last(channel: string, limit: number): Promise<readonly Message[]> {
    const partition = partitionOf(channel, this.#partitions);
    const key = historyKey(partition, channel);
    const messages: Message[] = [];
    let size = 0;
    let end = '+';
    while (messages.length < limit && size < MAX_LAST_SIZE) {
      // After one read in which some had expired, more at once.
      const count = Math.min(end === '+' ? limit : MAX_READ, this.#size.entries);
      const [time, raw] = await this.#atomic<[Time, RawEntry[]]>(partition, (commands) =>
        commands.time().xrevrange(key, end, '-', 'COUNT', count),
      );
      const nowMs = millisecondsOf(time);
      const bound = this.#expiryBound(channel, nowMs);
      this.#size.learn(raw);
      for (const entry of raw) {
        const message = aliveIn(readHistoryEntry(channel, entry), bound, nowMs);
        if (message === undefined || messages.length === limit || size >= MAX_LAST_SIZE) continue;
        messages.push(message);
        size += message.data.length;
      }
      const oldest = raw.at(-1)?.[0];
      if (oldest === undefined || raw.length < count || compareIds(oldest, bound) < 0) break;
      end = `(${oldest}`;
    }
    return messages.reverse();
  }

  /** See Log.end. */
  async end(partition: number): Promise<string> {
    const [newest] = await this.#atomic<[RawEntry[]]>(partition, (commands) =>
      commands.xrevrange(logKey(partition), '+', '-', 'COUNT', 1),
    );
    return newest[0]?.[0] ?? ZERO_ID;
  }

  async #look(channel: string, after: string, most: number): Promise<Look> {
    const limit = Math.min(most, this.#size.entries);
    const partition = partitionOf(channel, this.#partitions);
    const key = historyKey(partition, channel);
    // One more than asked for tells whether there is more.
    const read = (from: string) =>
      this.#atomic<[Time, string | null, RawEntry[], RawEntry[]]>(partition, (commands) =>
        commands
          .time()
          .get(floorKey(partition))
          .xrevrange(key, '+', '-', 'COUNT', 1)
          .xrange(key, from, '+', 'COUNT', limit + 1),
      );
    let [time, floor, [newest], raw] = await read(`(${after}`);
    let bound = this.#expiryBound(channel, millisecondsOf(time));
    if (raw[0] !== undefined && compareIds(raw[0][0], bound) < 0) {
      // Expired, and not removed yet: the page begins behind.
      [time, floor, [newest], raw] = await read(bound);
      bound = this.#expiryBound(channel, millisecondsOf(time));
    }
    this.#size.learn(raw);
    const nowMs = millisecondsOf(time);
    this.#latestMs = Math.max(this.#latestMs, nowMs);
    return {
      after,
      entries: raw.slice(0, limit).map((entry) => readHistoryEntry(channel, entry)),
      more: raw.length > limit,
      // Without a history, whatever the channel had went with its key; a Redis that evicts keys breaks this.
      end: newest?.[0] ?? this.#keyTtl.removedUpTo(channel, floor, this.#latestMs),
      bound,
      nowMs,
    };
  }

  #expiryBound(channel: string, nowMs: number): string {
    return expiryBound(nowMs, keptOf(this.#retention, channel).historyTtlSeconds);
  }

  /** Runs commands as one transaction; their replies, in order. */
  async #atomic<Replies extends unknown[]>(
    partition: number,
    add: (commands: ChainableCommander) => ChainableCommander,
  ): Promise<Replies> {
    const run = (mode: 'multi' | 'pipeline') =>
      this.#commands.run(partition, async ({ redis }, begin) => {
        begin();
        const replies = (await add(redis[mode]()).exec()) ?? [];
        for (const [error] of replies) if (error !== null) throw error;
        return replies.map(([, reply]) => reply) as Replies;
      });
    try {
      // A Redis whose memory is full refuses transactions, also those that only read. Nothing is appended then that could come
      // in between.
      return await run('multi').catch((error) => (isOutOfMemory(error) ? run('pipeline') : Promise.reject(error)));
    } catch (error) {
      this.#connection.metrics.logError('history');
      this.#connection.denials.heard(reasonOf(error));
      throw readFailure(error);
    }
  }
}

/** Up to `limit` of a page's messages. */
function cut(page: HistoryPage, limit: number): HistoryPage {
  return page.messages.length <= limit ? page : { ...page, messages: page.messages.slice(0, limit), more: true };
}

function isOutOfMemory(error: unknown): boolean {
  return reasonOf(error).startsWith('OOM');
}

function millisecondsOf([seconds, microseconds]: Time): number {
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
