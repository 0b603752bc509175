import { type ErrorCode, FanfareError } from '../errors.ts';
import type { NewMessage } from '../message.ts';
import type { Principal } from './principal.ts';
import type { PublishRate, Taken } from './publish-rate.ts';

/** What became of a message. */
export interface Published {
  readonly id: string;
  readonly replayed: boolean;
}

/** What it needs to publish. */
export interface Publisher {
  publish(message: NewMessage): Promise<Published>;
  /** Outcomes in the order of the messages; never rejects. */
  publishMany(messages: readonly NewMessage[]): Promise<readonly (Published | Error)[]>;
}

/**
 * Publishes for somebody: what he may, and as fast as he may. Whatever goes on to the publisher costs a permit, a retry with an idempotency
 * key too, since the log has to be asked all the same.
 */
export class GuardedPublisher {
  readonly #publisher: Publisher;
  readonly #rate: PublishRate;
  readonly #refused: (code: ErrorCode) => void;

  /** `refused` is told of each message that does not go on to the publisher. */
  constructor(publisher: Publisher, rate: PublishRate, refused: (code: ErrorCode) => void) {
    this.#publisher = publisher;
    this.#rate = rate;
    this.#refused = refused;
  }

  /** Throws FanfareError `forbidden` or `unauthenticated` for whoever may not publish there. */
  check(principal: Principal, channel: string): void {
    try {
      principal.checkPublish(channel);
    } catch (error) {
      if (error instanceof FanfareError) this.#refused(error.code);
      throw error;
    }
  }

  /**
   * Rejects with FanfareError `forbidden`, `unauthenticated` (where a token could help) or `rate_limited`, or like the publisher. What one
   * principal publishes reaches the publisher in the order of the calls.
   */
  async publish(principal: Principal, message: NewMessage): Promise<Published> {
    this.check(principal, message.channel);
    const taking = this.#rate.take(principal, 1);
    // No turn is lost where nobody had to be asked.
    const taken = taking instanceof Promise ? await taking : taking;
    if (taken.granted < 1) throw this.#tooMany(taken);
    return this.#publisher.publish(message);
  }

  /**
   * Outcomes in the order of the messages; never rejects. A message that is refused does not stop those after it, but when the permits do
   * not suffice for all, it is the first ones that are published.
   */
  async publishMany(principal: Principal, messages: readonly NewMessage[]): Promise<readonly (Published | Error)[]> {
    const refusals = messages.map((message) => this.#refusalOf(principal, message));
    const allowed = messages.filter((_, i) => refusals[i] === undefined);
    if (allowed.length === 0) return refusals.filter((refusal) => refusal !== undefined);
    const taking = this.#rate.take(principal, allowed.length);
    const taken = taking instanceof Promise ? await taking : taking;
    const outcomes = taken.granted === 0 ? [] : await this.#publisher.publishMany(allowed.slice(0, taken.granted));
    let next = 0;
    return refusals.map((refusal) => {
      if (refusal !== undefined) return refusal;
      const place = next++;
      return place < taken.granted ? (outcomes[place] as Published | Error) : this.#tooMany(taken);
    });
  }

  #refusalOf(principal: Principal, { channel }: NewMessage): FanfareError | undefined {
    try {
      this.check(principal, channel);
      return undefined;
    } catch (error) {
      if (error instanceof FanfareError) return error;
      throw error;
    }
  }

  #tooMany({ retryAfterSeconds }: Taken): FanfareError {
    this.#refused('rate_limited');
    const detail = `this token or key publishes faster than it may; the message was not published: try again after ${retryAfterSeconds} s`;
    return new FanfareError('rate_limited', detail, { retryAfterSeconds });
  }
}
