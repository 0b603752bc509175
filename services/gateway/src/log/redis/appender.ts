import { FanfareError } from '../../errors.ts';
import { type NewMessage, partitionOf } from '../../message.ts';
import type { Appended } from '../log.ts';
import { IDEMPOTENCY_TTL_SECONDS, type Retention } from '../retention.ts';
import type { Commands, ConnectionSettings } from './connection.ts';
import { appendFailure, reasonOf } from './failure.ts';
import { floorKey, historyKey, logKey, onceKey } from './keys.ts';
import type { Held } from './unseen.ts';

/**
 * Data that may be on its way to Redis at once, in UTF-16 code units. Past it appends are refused: a Redis that has
 * stalled must not fill this node's memory until the time-outs strike.
 */
const MAX_IN_FLIGHT = 64 * 1024 * 1024;

/** Told of each message that the log has taken, as it tells us; again where it had taken it before. */
export type OnAppended = (partition: number, held: Held) => void;

/** Sends appends to Redis: one call of append.lua each. */
export class Appender {
  readonly #commands: Commands;
  readonly #partitions: number;
  readonly #settings: readonly number[];
  readonly #connection: ConnectionSettings;
  readonly #onAppended: OnAppended;
  #inFlight = 0;

  constructor(
    commands: Commands,
    partitions: number,
    retention: Retention & { readonly logSize: number },
    connection: ConnectionSettings,
    onAppended: OnAppended,
  ) {
    this.#commands = commands;
    this.#partitions = partitions;
    this.#settings = [
      retention.historySize,
      retention.historyTtlSeconds * 1000,
      retention.logSize,
      IDEMPOTENCY_TTL_SECONDS * 1000,
    ];
    this.#connection = connection;
    this.#onAppended = onAppended;
  }

  /** Rejects with `log_unavailable` (surely not appended) or `log_timeout` (it may have been). */
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

  async #send({ channel, data, event = '', idempotencyKey }: NewMessage): Promise<Appended> {
    const partition = partitionOf(channel, this.#partitions);
    const keys = [logKey(partition), floorKey(partition), historyKey(partition, channel)];
    if (idempotencyKey !== undefined) keys.push(onceKey(partition, channel, idempotencyKey));
    const [id, replayed] = await this.#commands.run(partition, (connection) => {
      connection.gather();
      return connection.redis.fanfareAppend(keys.length, ...keys, channel, data, event, ...this.#settings);
    });
    // A retry may have brought other data than what was taken the first time.
    this.#onAppended(partition, { id, channel, data: replayed === 1 ? '' : data });
    return { id, replayed: replayed === 1 };
  }
}
