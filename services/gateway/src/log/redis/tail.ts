import { setTimeout as pause } from 'node:timers/promises';
import { compareIds, idBefore, idTime, type Message } from '../../message.ts';
import type { LogOperation } from '../../metrics/metrics.ts';
import type { TailListener } from '../log.ts';
import { expiryBound } from '../completeness.ts';
import { backoffMs } from './backoff.ts';
import { type ConnectionSettings, closeConnection, type LogRedis, sessionConnection } from './connection.ts';
import type { Located, Locator } from './endpoint.ts';
import { heldOf, isMarker, type RawEntry, readLogEntry, sizeOf } from './entry.ts';
import { reasonOf } from './failure.ts';
import { floorKey, logKey } from './keys.ts';
import { readNewest, wholeFrom } from './newest.ts';
import { type Held, Unseen } from './unseen.ts';

/** Entries in one read, at most; half of what the log holds when that is less. */
const MAX_READ_ENTRIES = 512;
/** About how much data one read may bring: entries are asked for in numbers, by the size of those before. */
const READ_TARGET_BYTES = 1024 * 1024;
const MIN_READ_ENTRIES = 16;

export interface TailTiming {
  /** How long Redis holds a read while there is nothing new (XREAD BLOCK). */
  readonly blockMs: number;
  /** How much later than that the answer may come before the connection counts as dead. */
  readonly marginMs: number;
  /** How long a message that this node appended may take to come by. Longer: the node is not healthy. */
  readonly unseenMs: number;
}

export const TAIL_TIMING: TailTiming = { blockMs: 2_000, marginMs: 3_000, unseenMs: 5_000 };

export interface TailSettings {
  readonly connection: ConnectionSettings;
  readonly locator: Locator;
  readonly partition: number;
  readonly historyTtlSeconds: number;
  /** Entries that the log holds, at least. */
  readonly logSize: number;
  readonly timing: TailTiming;
}

/** What open.lua found. */
interface Opened {
  readonly floor: string;
  readonly newest: string;
  readonly oldest: string;
  readonly oldestIsMarker: boolean;
}

/**
 * Follows one partition's log, on a connection of its own, for ever.
 *
 * It reads from a concrete id, so that what is appended while it is away is there when it is back. A session is: connect,
 * make sure that the log is still the one it followed (open.lua), read on. Whatever goes wrong ends the session; the
 * next one starts after a pause, on a new connection.
 */
export class Tail {
  readonly #settings: TailSettings;
  readonly #listener: TailListener;
  readonly #recentBytes: number;
  readonly #unseen = new Unseen();
  readonly #closing = new AbortController();
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  #redis: LogRedis | undefined;
  #asking = false;
  #state: 'new' | 'following' | 'lost' = 'new';
  #attempt = 0;
  /** Everything up to here was handed on; undefined until the first session has begun. */
  #position: string | undefined;
  /** The newest entry that was read: the log must go on to hold it, until it is trimmed. */
  #newestSeen: Held | undefined;
  #floor = '';
  readonly #maxReadEntries: number;
  #readEntries: number;

  constructor(settings: TailSettings, listener: TailListener, recentBytes: number) {
    this.#settings = settings;
    this.#listener = listener;
    this.#recentBytes = recentBytes;
    this.#maxReadEntries = Math.max(1, Math.min(MAX_READ_ENTRIES, Math.floor(settings.logSize / 2)));
    this.#readEntries = this.#maxReadEntries;
    this.#ended = this.#run();
  }

  /** Resolves when the newest messages have been handed on and the tail follows, or when it is closed. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  /** True while the log is followed and brings what this node appended. */
  get healthy(): boolean {
    return this.#state === 'following' && this.#unseen.waitingMs(Date.now()) < this.#settings.timing.unseenMs;
  }

  /** To be told of each message that this node appended to the partition. */
  appended(held: Held): void {
    this.#unseen.add(held, Date.now());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#begun.resolve();
    // Ends the read under way, and with it the session.
    this.#redis?.disconnect();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { locator, partition } = this.#settings;
    let failure: unknown;
    while (!signal.aborted) {
      let redis: LogRedis | undefined;
      try {
        const located = await locator.locate(partition, failure);
        if (signal.aborted) return;
        redis = this.#connection(located);
        await this.#session(redis);
      } catch (error) {
        failure = error;
        if (!signal.aborted) this.#lost(error);
      } finally {
        if (redis !== undefined) await closeConnection(redis);
      }
      this.#attempt++;
      await pause(backoffMs(this.#attempt), undefined, { signal }).catch(() => {});
    }
  }

  #connection({ endpoint, asking }: Located): LogRedis {
    const { connection, partition, timing } = this.#settings;
    const redis = sessionConnection(connection, endpoint, `tail-${partition}`, timing.blockMs + timing.marginMs);
    this.#redis = redis;
    this.#asking = asking;
    return redis;
  }

  /** Never resolves but by an error or `close`. */
  async #session(redis: LogRedis): Promise<void> {
    await this.#connect(redis);
    if (this.#position === undefined) await this.#begin(redis);
    else this.#resume(await this.#open(redis));
    // Up to the end first, without waiting for more: a tail that is behind does not follow yet.
    while (await this.#read(redis)) if (this.#closing.signal.aborted) return;
    this.#followed();
    while (!this.#closing.signal.aborted) await this.#read(redis, this.#settings.timing.blockMs);
  }

  /** ioredis rejects with no more than "closed": the reason comes as an event. */
  async #connect(redis: LogRedis): Promise<void> {
    let reason: unknown;
    redis.on('error', (error) => {
      reason = error;
    });
    await this.#counted('connect', redis.connect()).catch((error) => {
      throw reason ?? error;
    });
  }

  /** Counts an error, unless it is that of being closed. */
  async #counted<T>(operation: LogOperation, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#settings.connection.metrics.logError(operation);
      throw error;
    }
  }

  /** Makes the log where there is none, and checks that it holds what it is known to have held. */
  async #open(redis: LogRedis): Promise<Opened> {
    const { partition } = this.#settings;
    const seen = this.#newestSeen === undefined ? [] : [this.#newestSeen];
    const keys = [logKey(partition), floorKey(partition)];
    this.#ask(redis);
    const held = [...seen, ...this.#unseen.all()].flatMap(({ id, channel, data }) => [id, channel, data]);
    const opening = redis.fanfareOpen(keys.length, ...keys, ...held);
    const [floor, newest, oldest, oldestIsMarker] = await this.#counted('open', opening);
    return { floor, newest, oldest, oldestIsMarker: oldestIsMarker === 1 };
  }

  /** The first session: hands on the newest messages. */
  async #begin(redis: LogRedis): Promise<void> {
    const { partition, historyTtlSeconds } = this.#settings;
    const { floor, newest: end } = await this.#open(redis);
    const expired = idBefore(expiryBound(Date.now(), historyTtlSeconds));
    // This node's clock may be far ahead of the log's.
    const alive = compareIds(expired, end) < 0 ? expired : end;
    const after = compareIds(floor, alive) > 0 ? floor : alive;
    const newest = await this.#counted('tail', readNewest(redis, partition, after, this.#recentBytes));
    const from = wholeFrom(newest, (await this.#open(redis)).oldest);
    this.#raiseFloor(floor);
    this.#position = floor;
    this.#newestSeen = { id: floor, channel: '', data: '' };
    if (compareIds(from, floor) > 0) this.#skip(floor, from);
    this.#handOn(newest.entries);
  }

  /** A later session: goes on from where the last one stood, or from the oldest entry that is left after that. */
  #resume(opened: Opened, next = opened.oldest): void {
    const position = this.#position;
    if (position === undefined || compareIds(opened.oldest, position) <= 0) return;
    // The log begins anew behind that marker, and reading on brings it: it says more than that something was trimmed.
    if (opened.oldestIsMarker) return;
    const before = idBefore(next);
    if (compareIds(before, position) <= 0) return;
    // A marker may have been trimmed too.
    const risen = compareIds(opened.floor, this.#floor) > 0 && compareIds(opened.floor, before) <= 0;
    if (risen) this.#raiseFloor(opened.floor);
    const after = compareIds(this.#floor, position) > 0 ? this.#floor : position;
    if (compareIds(before, after) > 0) this.#skip(after, before);
  }

  /** One read; waits up to `blockMs` when there is nothing. True when there may be more right away. */
  async #read(redis: LogRedis, blockMs?: number): Promise<boolean> {
    const { connection, partition } = this.#settings;
    const position = this.#position ?? this.#floor;
    const count = this.#readEntries;
    const log = logKey(partition);
    this.#ask(redis);
    const reading =
      blockMs === undefined
        ? redis.xread('COUNT', count, 'STREAMS', log, position)
        : redis.xread('COUNT', count, 'BLOCK', blockMs, 'STREAMS', log, position);
    const entries = (await this.#counted('tail', reading))?.[0]?.[1] ?? [];
    const [first] = entries;
    const full = entries.length === count;
    // A read that is not full proves that nothing was trimmed: the log holds more than one read, and would have filled
    // it. A full one leaves it open.
    if (first !== undefined && full) this.#resume(await this.#open(redis), first[0]);
    this.#handOn(entries);
    this.#size(entries);
    const newest = entries.at(-1);
    if (newest !== undefined) connection.metrics.tailLag(Math.max(0, Date.now() - idTime(newest[0])) / 1000);
    await this.#checkUnseen(redis, entries.length);
    return full;
  }

  /** Right before a command. What is wrong with it, the command itself will say. */
  #ask(redis: LogRedis): void {
    if (this.#asking) redis.asking().catch(() => {});
  }

  async #checkUnseen(redis: LogRedis, entries: number): Promise<void> {
    const { connection, partition, timing } = this.#settings;
    const missed = this.#unseen.passed(this.#position ?? this.#floor);
    if (missed.length > 0) {
      // Looks for each of them, and raises the floor when one is gone. If it fails, the next session asks again.
      const { floor } = await this.#open(redis);
      this.#unseen.forget(missed);
      if (compareIds(floor, this.#floor) <= 0) return;
      connection.logger.error({ partition }, 'the log has lost messages that it had taken');
      connection.metrics.logError('tail');
    } else if (entries === 0 && this.#unseen.waitingMs(Date.now()) >= timing.unseenMs) {
      connection.metrics.logError('tail');
      throw new Error('the log does not bring what was appended to it');
    }
  }

  /** Hands entries on, in order; they follow on the position. */
  #handOn(entries: readonly RawEntry[]): void {
    let messages: Message[] = [];
    const deliver = () => {
      const delivered = messages;
      const position = this.#position ?? this.#floor;
      messages = [];
      this.#tell((listener, partition) => listener.deliver(partition, delivered, position));
    };
    for (const entry of entries) {
      const [id] = entry;
      const message = readLogEntry(entry);
      if (message !== undefined) messages.push(message);
      else if (isMarker(entry)) {
        if (messages.length > 0) deliver();
        this.#raiseFloor(id);
      } else this.#settings.connection.logger.warn({ partition: this.#settings.partition, id }, 'foreign log entry');
      this.#position = id;
      this.#newestSeen = heldOf(entry);
      this.#unseen.seen(this.#newestSeen);
    }
    if (entries.length > 0) deliver();
  }

  /** A marker in the order, or one that was trimmed away with what stood around it. */
  #raiseFloor(floor: string): void {
    if (this.#floor !== '') {
      const { connection, partition } = this.#settings;
      connection.logger.warn({ partition, floor }, 'the log came back empty or rewound; messages may be lost');
      // What is missing before it is told by the floor.
      this.#unseen.forget(this.#unseen.passed(floor));
    }
    this.#floor = floor;
    this.#tell((listener, partition) => listener.floor(partition, floor));
  }

  #skip(after: string, position: string): void {
    this.#unseen.forget(this.#unseen.passed(position));
    this.#position = position;
    this.#tell((listener, partition) => listener.skipped(partition, after, position));
  }

  /** An error of the listener must not stop the tail: the others that follow it would miss everything. */
  #tell(call: (listener: TailListener, partition: number) => void): void {
    const { connection, partition } = this.#settings;
    try {
      call(this.#listener, partition);
    } catch (error) {
      connection.metrics.logError('tail');
      connection.logger.error({ partition, err: error }, 'what the tail brought could not be handed on');
    }
  }

  #size(entries: readonly RawEntry[]): void {
    if (entries.length === 0) return;
    const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    const fitting = Math.floor(READ_TARGET_BYTES / Math.max(1, bytes / entries.length));
    this.#readEntries = Math.min(this.#maxReadEntries, Math.max(MIN_READ_ENTRIES, fitting));
  }

  #followed(): void {
    const { connection, partition } = this.#settings;
    this.#attempt = 0;
    this.#state = 'following';
    connection.logger.info({ partition, position: this.#position }, 'the tail follows the log');
    this.#begun.resolve();
  }

  #lost(error: unknown): void {
    const { connection, partition } = this.#settings;
    const reason = reasonOf(error);
    const denied = connection.denials.heard(reason);
    if (this.#state !== 'lost' && !denied)
      connection.logger.warn({ partition, reason }, 'the tail has lost the log; trying again');
    this.#state = 'lost';
  }
}
