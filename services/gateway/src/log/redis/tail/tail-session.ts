import { setTimeout as pause } from 'node:timers/promises';
import { ZERO_ID } from '../../../message.ts';
import type { LogOperation } from '../../../metrics/metrics.ts';
import {
  type Commands,
  type ConnectionSettings,
  closeConnection,
  type LogRedis,
  leaveFor,
  sessionConnection,
} from '../connection.ts';
import type { Located } from '../endpoint.ts';
import { type Held, heldOf, isMarker, isSame, type RawEntry } from '../entry.ts';
import { floorKey, logKey } from '../keys.ts';
import { type Newest, readNewest } from './newest.ts';

/** What the master says of a log. */
export interface Judged {
  readonly floor: string;
  /** The log's newest id. */
  readonly newest: string;
}

/** What open.lua found. */
export interface Opened extends Judged {
  /** The oldest entry of the log that the session reads. */
  readonly oldest: string;
  readonly oldestIsMarker: boolean;
}

export interface TailSessionSettings {
  readonly connection: ConnectionSettings;
  readonly partition: number;
  /** Other connections to the partition's master. */
  readonly master: Commands;
  /** The connection counts as dead when a command has waited this long, milliseconds. */
  readonly silenceMs: number;
}

/**
 * One connection on which a tail reads its partition's log. On a replica what may write, and what must judge, goes to the
 * master: a replica takes no writes, and may be behind, or follow a master that was replaced.
 */
export class TailSession {
  /** True when it reads a replica. */
  readonly replica: boolean;
  readonly #settings: TailSessionSettings;
  readonly #located: Located;
  readonly #redis: LogRedis;
  readonly #log: string;
  readonly #unwatch: (() => void) | undefined;
  #closed = false;
  #connected = false;

  constructor(settings: TailSessionSettings, located: Located) {
    const { connection, partition, silenceMs } = settings;
    this.#settings = settings;
    this.#located = located;
    this.replica = located.replica;
    this.#log = logKey(partition);
    const redis = sessionConnection(connection, located.endpoint, `tail-${partition}`, silenceMs);
    this.#redis = redis;
    this.#unwatch = located.watch?.((by) => leaveFor(by, redis, false));
  }

  /** True once there was a connection. */
  get connected(): boolean {
    return this.#connected;
  }

  /** ioredis rejects with no more than "closed": the reason comes as an event. */
  async connect(): Promise<void> {
    let reason: unknown;
    this.#redis.on('error', (error) => {
      reason = error;
    });
    const connecting = this.#redis.connect().catch((error) => {
      throw reason ?? error;
    });
    await this.#counted('connect', connecting);
    this.#connected = true;
    // At the start the connections to the master are made at the same time.
    const { master, silenceMs } = this.#settings;
    if (this.replica) await Promise.race([master.untilReady, pause(silenceMs, undefined, { ref: false })]);
    if (this.#located.readonly) await this.#counted('connect', this.#redis.readonly());
  }

  /** Makes the log where there is none, and checks that it holds what it is known to have held; else raises the floor. */
  async open(known: readonly Held[]): Promise<Opened> {
    const opened = await this.#openMaster(known);
    // By the log that is read: the master's may have been trimmed further.
    return this.replica ? { ...opened, ...(await this.#oldest()) } : opened;
  }

  /** The same, but for the oldest entry, and with nothing asked of a replica, which may be busy with a read. */
  judge(known: readonly Held[]): Promise<Judged> {
    return this.#openMaster(known);
  }

  /** The log's newest id, by another connection to the master. */
  async end(): Promise<string | undefined> {
    const { partition, master } = this.#settings;
    const asked = master.run(partition, ({ redis }, begin) => {
      begin();
      return redis.xrevrange(this.#log, '+', '-', 'COUNT', 1);
    });
    return (await this.#counted('tail', asked))[0]?.[0];
  }

  /** See readNewest. */
  newest(after: string, maxBytes: number): Promise<Newest> {
    return this.#counted('tail', readNewest(this.#redis, this.#settings.partition, after, maxBytes));
  }

  /** Up to `count` entries after `position`; waits up to `blockMs` when there are none. */
  async read(position: string, count: number, blockMs?: number): Promise<RawEntry[]> {
    this.#asking();
    const reading =
      blockMs === undefined
        ? this.#redis.xread('COUNT', count, 'STREAMS', this.#log, position)
        : this.#redis.xread('COUNT', count, 'BLOCK', blockMs, 'STREAMS', this.#log, position);
    return (await this.#counted('tail', reading))?.[0]?.[1] ?? [];
  }

  /** True when the log that is read holds this. */
  async holds(held: Held): Promise<boolean> {
    this.#asking();
    const [entry] = await this.#counted('tail', this.#redis.xrange(this.#log, held.id, held.id));
    return entry !== undefined && (held.channel === '' || isSame(held, heldOf(entry)));
  }

  /** Ends what is under way, and so the session. */
  disconnect(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unwatch?.();
    await closeConnection(this.#redis);
  }

  async #openMaster(known: readonly Held[]): Promise<Opened> {
    const { partition, master } = this.#settings;
    const keys = [this.#log, floorKey(partition)];
    const held = known.flatMap(({ id, channel, data }) => [id, channel, data]);
    const on = (redis: LogRedis, begin: () => void) => {
      begin();
      return redis.fanfareOpen(keys.length, ...keys, ...held);
    };
    const opening = this.replica
      ? master.run(partition, ({ redis }, begin) => on(redis, begin))
      : on(this.#redis, () => this.#asking());
    const [floor, newest, oldest, oldestIsMarker] = await this.#counted('open', opening);
    return { floor, newest, oldest, oldestIsMarker: oldestIsMarker === 1 };
  }

  /** Of a replica. One that has nothing yet has lost nothing. */
  async #oldest(): Promise<Pick<Opened, 'oldest' | 'oldestIsMarker'>> {
    const [entry] = await this.#counted('tail', this.#redis.xrange(this.#log, '-', '+', 'COUNT', 1));
    return entry === undefined
      ? { oldest: ZERO_ID, oldestIsMarker: false }
      : { oldest: entry[0], oldestIsMarker: isMarker(entry) };
  }

  /** Right before a command. What is wrong with it, the command itself will say. */
  #asking(): void {
    if (this.#located.asking) this.#redis.asking().catch(() => {});
  }

  /** Counts an error, unless it is that of being closed. */
  async #counted<T>(operation: LogOperation, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!this.#closed) this.#settings.connection.metrics.logError(operation);
      throw error;
    }
  }
}
