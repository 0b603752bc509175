import { FanfareError } from '../../errors.ts';
import { type NewMessage, partitionOf } from '../../message.ts';
import { keptOf, type Retention } from '../../retention.ts';
import { type Appended, IDEMPOTENCY_TTL_SECONDS } from '../log.ts';
import type { Commands, ConnectionSettings } from './connection.ts';
import type { Held } from './entry.ts';
import { appendFailure, reasonOf } from './failure.ts';
import { KeyTtl } from './key-ttl.ts';
import { floorKey, historyKey, logKey, onceKey } from './keys.ts';
import type { Replication } from './replication.ts';

/**
 * Data that may be on its way to Redis at once, in UTF-16 code units. Past it appends are refused: a Redis that has
 * stalled must not fill this node's memory until the time-outs strike.
 */
const MAX_IN_FLIGHT = 64 * 1024 * 1024;

/** Told of each message that the log has taken, as it tells us; again where it had taken it before. */
export type OnAppended = (partition: number, held: Held) => void;

export interface AppenderSettings {
  readonly partitions: number;
  readonly retention: Retention;
  /** Entries that a partition's log holds, at least. */
  readonly logSize: number;
  /** Undefined: an append is answered when the master has it. */
  readonly replication: Replication | undefined;
}

/** Sends appends to Redis: one call of append.lua each. */
export class Appender {
  readonly #commands: Commands;
  readonly #settings: AppenderSettings;
  readonly #keyTtl: KeyTtl;
  readonly #connection: ConnectionSettings;
  readonly #onAppended: OnAppended;
  #inFlight = 0;

  constructor(commands: Commands, settings: AppenderSettings, connection: ConnectionSettings, onAppended: OnAppended) {
    this.#commands = commands;
    this.#settings = settings;
    this.#keyTtl = new KeyTtl(settings.retention);
    this.#connection = connection;
    this.#onAppended = onAppended;
  }

  /** Rejects with `log_unavailable` (surely not appended), `log_timeout` or `not_replicated` (it may have been). */
  async append(message: NewMessage): Promise<Appended> {
    const size = message.data.length;
    if (this.#inFlight + size > MAX_IN_FLIGHT) {
      this.#connection.metrics.logError('append');
      throw new FanfareError('log_unavailable', 'Too much waits for the log already. The message was not published.');
    }
    this.#inFlight += size;
    try {
      return await this.#send(message);
    } catch (error) {
      this.#connection.metrics.logError('append');
      this.#connection.denials.heard(reasonOf(error));
      throw appendFailure(error);
    } finally {
      this.#inFlight -= size;
    }
  }

  async #send(message: NewMessage): Promise<Appended> {
    const { partitions, replication } = this.#settings;
    const { channel, data, idempotencyKey } = message;
    const partition = partitionOf(channel, partitions);
    const keys = [logKey(partition), floorKey(partition), historyKey(partition, channel)];
    if (idempotencyKey !== undefined) keys.push(onceKey(partition, channel, idempotencyKey));
    const values = this.#values(message);
    const [id, replayed] = await this.#commands.run(partition, (connection, begin) => {
      const append = () => {
        connection.gather();
        begin();
        return connection.redis.fanfareAppend(keys.length, ...keys, ...values);
      };
      return replication === undefined ? append() : replication.confirm(connection, append);
    });
    // A retry may have brought other data than what was taken the first time.
    this.#onAppended(partition, { id, channel, data: replayed === 1 ? '' : data });
    return { id, replayed: replayed === 1 };
  }

  /** The script's arguments, in its order. */
  #values({ channel, data, event = '', ttlSeconds }: NewMessage): (string | number)[] {
    const { retention, logSize, replication } = this.#settings;
    const { historySize, historyTtlSeconds } = keptOf(retention, channel);
    return [
      channel,
      data,
      event,
      ttlSeconds === undefined ? '' : ttlSeconds * 1000,
      historySize,
      historyTtlSeconds * 1000,
      this.#keyTtl.milliseconds(channel),
      this.#keyTtl.word,
      logSize,
      IDEMPOTENCY_TTL_SECONDS * 1000,
      replication === undefined ? 0 : 1,
    ];
  }
}
