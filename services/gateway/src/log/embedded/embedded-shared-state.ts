import { FanfareError } from '../../errors.ts';
import type { Claim, Permits, SharedState } from '../shared-state.ts';
import { EmbeddedRates } from './rates.ts';
import { EmbeddedTickets } from './tickets.ts';

/** The shared state of a log that is in this process' memory: bounded, and gone with it. */
export class EmbeddedSharedState implements SharedState {
  readonly #clock: () => number;
  readonly #tickets = new EmbeddedTickets();
  readonly #rates = new EmbeddedRates();
  #closed = false;

  /** `clock`: milliseconds since 1970. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async put(key: string, value: string, claimMs: number, keepUntilMs: number): Promise<void> {
    this.#check();
    this.#tickets.put(key, value, claimMs, keepUntilMs, this.#clock());
  }

  async claim(key: string, presented: string | undefined, fresh: string): Promise<Claim> {
    this.#check();
    return this.#tickets.claim(key, presented, fresh, this.#clock());
  }

  async take(account: string, perSecond: number, burst: number, count: number): Promise<Permits> {
    this.#check();
    return this.#rates.take(account, perSecond, burst, count, this.#clock());
  }

  /** From now on all is refused. */
  close(): void {
    this.#closed = true;
  }

  #check(): void {
    if (this.#closed) throw new FanfareError('log_unavailable', 'The log is closed.');
  }
}
