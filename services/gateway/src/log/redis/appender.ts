import { FanfareError } from '../../errors.ts';
import { type NewMessage, partitionOf } from '../../message.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Appended } from '../log.ts';
import { IDEMPOTENCY_TTL_SECONDS, type Retention } from '../retention.ts';
import type { CommandConnection } from './connection.ts';
import { appendFailure, notConnected } from './failure.ts';
import { floorKey, historyKey, logKey, onceKey } from './keys.ts';

/**
 * Data that may be on its way to Redis at once, in UTF-16 code units. Past it appends are refused: a Redis that has
 * stalled must not fill this node's memory until the time-outs strike.
 */
const MAX_IN_FLIGHT = 64 * 1024 * 1024;

/** Told of each message of ours that the log has taken. */
export type OnAppended = (partition: number, id: string) => void;

/** Sends appends to Redis: one call of append.lua each. */
export class Appender {
  readonly #connection: CommandConnection;
  readonly #partitions: number;
  readonly #settings: readonly number[];
  readonly #metrics: Metrics;
  readonly #onAppended: OnAppended;
  #inFlight = 0;

  constructor(
    connection: CommandConnection,
    partitions: number,
    retention: Retention & { readonly logSize: number },
    metrics: Metrics,
    onAppended: OnAppended,
  ) {
    this.#connection = connection;
    this.#partitions = partitions;
    this.#settings = [
      retention.historySize,
      retention.historyTtlSeconds * 1000,
      retention.logSize,
      IDEMPOTENCY_TTL_SECONDS * 1000,
    ];
    this.#metrics = metrics;
    this.#onAppended = onAppended;
  }

  /** Rejects with `log_unavailable` (surely not appended) or `log_timeout` (it may have been). */
  async append(message: NewMessage): Promise<Appended> {
    const size = message.data.length;
    if (!this.#connection.ready) {
      this.#metrics.logError('append');
      throw notConnected();
    }
    if (this.#inFlight + size > MAX_IN_FLIGHT) {
      this.#metrics.logError('append');
      throw new FanfareError('log_unavailable', 'Too much waits for the log already. The message was not published.');
    }
    this.#inFlight += size;
    try {
      return await this.#send(message);
    } catch (error) {
      this.#metrics.logError('append');
      throw appendFailure(error);
    } finally {
      this.#inFlight -= size;
    }
  }

  async #send({ channel, data, event = '', idempotencyKey }: NewMessage): Promise<Appended> {
    const partition = partitionOf(channel, this.#partitions);
    const keys = [logKey(partition), floorKey(partition), historyKey(partition, channel)];
    if (idempotencyKey !== undefined) keys.push(onceKey(partition, channel, idempotencyKey));
    this.#connection.gather();
    const sent = this.#connection.redis.fanfareAppend(keys.length, ...keys, channel, data, event, ...this.#settings);
    const [id, replayed] = await sent;
    if (replayed === 1) return { id, replayed: true };
    this.#onAppended(partition, id);
    return { id, replayed: false };
  }
}
