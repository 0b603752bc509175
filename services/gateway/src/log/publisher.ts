import { FanfareError } from '../errors.ts';
import type { NewMessage } from '../message.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Appended, Log } from './log.ts';

/** The one way into the log, for every transport: appends, and counts what came of it. */
export class Publisher {
  readonly #log: Log;
  readonly #metrics: Metrics;

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Appends one message. Rejects like Log.append. */
  async publish(message: NewMessage): Promise<Appended> {
    const started = performance.now();
    try {
      const appended = await this.#log.append(message);
      this.#count(appended);
      return appended;
    } catch (error) {
      this.#count(error);
      throw error;
    } finally {
      this.#metrics.publishDuration((performance.now() - started) / 1000);
    }
  }

  /** Appends many, each with an outcome of its own, in their order. */
  async publishMany(messages: readonly NewMessage[]): Promise<readonly (Appended | Error)[]> {
    const started = performance.now();
    const outcomes = await this.#log.appendMany(messages);
    this.#metrics.publishDuration((performance.now() - started) / 1000);
    for (const outcome of outcomes) this.#count(outcome);
    return outcomes;
  }

  #count(outcome: unknown): void {
    if (outcome instanceof FanfareError) this.#metrics.published(outcome.code);
    else if (outcome instanceof Error) this.#metrics.published('internal');
    else this.#metrics.published((outcome as Appended).replayed ? 'replayed' : 'accepted');
  }
}
