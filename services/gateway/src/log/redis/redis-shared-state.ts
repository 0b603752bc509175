import { setTimeout as pause } from 'node:timers/promises';
import { FanfareError } from '../../errors.ts';
import { partitionOf } from '../../message.ts';
import type { Claim, Permits, SharedState } from '../shared-state.ts';
import type { Commands, ConnectionSettings, LogRedis } from './connection.ts';
import { mayHaveRun, reasonOf } from './failure.ts';
import { rateKey, ticketKey } from './keys.ts';

/** How long a claim whose answer was lost may wait for a connection to be repeated on, milliseconds. */
const REPEAT_WITHIN_MS = 2_000;
/** Between two attempts to send it, milliseconds. */
const REPEAT_PAUSE_MS = 50;

const NOT_KEPT = 'The log cannot keep a ticket at the moment.';
const NOT_CLAIMED = 'The log cannot be asked about the ticket at the moment.';
const MAYBE_CLAIMED = 'The log did not answer in time, so the ticket may be used up. A new one is safe.';
const NOT_GRANTED = 'The log cannot be asked at the moment how much is allowed.';

/** The shared state in Redis: one script for each call, on the partition that the key falls on. */
export class RedisSharedState implements SharedState {
  readonly #commands: Commands;
  readonly #partitions: number;
  readonly #connection: ConnectionSettings;

  /** `commands`: not those that wait for replicas, as what comes behind such a wait waits too. */
  constructor(commands: Commands, partitions: number, connection: ConnectionSettings) {
    this.#commands = commands;
    this.#partitions = partitions;
    this.#connection = connection;
  }

  async put(key: string, value: string, claimMs: number, keepUntilMs: number): Promise<void> {
    const partition = this.#partitionOf(key);
    // For how long, not until when: this node's clock and Redis' may differ.
    const keepMs = keepUntilMs - Date.now();
    try {
      await this.#run(partition, (redis) => redis.fanfarePut(1, ticketKey(partition, key), value, claimMs, keepMs));
    } catch (error) {
      throw this.#failure(error, NOT_KEPT);
    }
  }

  async claim(key: string, presented: string | undefined, fresh: string): Promise<Claim> {
    const partition = this.#partitionOf(key);
    const claim = () =>
      this.#run(partition, (redis) => redis.fanfareClaim(1, ticketKey(partition, key), presented ?? '', fresh));
    try {
      const [outcome, value = ''] = await claim().catch((error) => this.#repeated(claim, error));
      return outcome === 'opened' || outcome === 'again' ? { outcome, value } : { outcome };
    } catch (error) {
      throw this.#failure(error, mayHaveRun(error) ? MAYBE_CLAIMED : NOT_CLAIMED);
    }
  }

  /** Never repeated: it would be granted, and counted, twice. */
  async take(account: string, perSecond: number, burst: number, count: number): Promise<Permits> {
    const partition = this.#partitionOf(account);
    try {
      const [granted, waitMs] = await this.#run(partition, (redis) =>
        redis.fanfareTake(1, rateKey(partition, account), perSecond, burst, count),
      );
      return { granted, waitMs };
    } catch (error) {
      throw this.#failure(error, NOT_GRANTED);
    }
  }

  /**
   * Once more, when it may have been carried out: the script then says the same again. Waits for a connection meanwhile.
   * Rejects with `lost`, which leaves that open, when there is none in time.
   */
  async #repeated<T>(command: () => Promise<T>, lost: unknown): Promise<T> {
    if (!mayHaveRun(lost)) throw lost;
    const deadline = performance.now() + REPEAT_WITHIN_MS;
    for (;;) {
      try {
        return await command();
      } catch (error) {
        if (mayHaveRun(error) || performance.now() > deadline) throw lost;
        await pause(REPEAT_PAUSE_MS);
      }
    }
  }

  #run<T>(partition: number, command: (redis: LogRedis) => Promise<T>): Promise<T> {
    return this.#commands.run(partition, (connection, begin) => {
      connection.gather();
      begin();
      return command(connection.redis);
    });
  }

  /** By all of the key: what has the same beginning (`sub:…`) is not to be on one partition, as a namespace is. */
  #partitionOf(key: string): number {
    return partitionOf(key.replaceAll(':', ' '), this.#partitions);
  }

  #failure(error: unknown, detail: string): FanfareError {
    const cause = reasonOf(error);
    this.#connection.metrics.logError('shared');
    this.#connection.denials.heard(cause);
    return new FanfareError('log_unavailable', detail, { cause });
  }
}
