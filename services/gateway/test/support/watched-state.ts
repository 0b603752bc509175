import { EmbeddedSharedState } from '../../src/log/embedded/embedded-shared-state.ts';
import type { Claim, Permits, SharedState } from '../../src/log/shared-state.ts';

/** A ticket as it was given to the store. */
export interface StoredTicket {
  readonly value: string;
  readonly claimMs: number;
  readonly keepUntilMs: number;
  /** Who was its holder to be, at the first claim. */
  holder?: string;
}

export interface RateQuestion {
  readonly account: string;
  readonly perSecond: number;
  readonly burst: number;
  readonly count: number;
}

/** The shared state of the embedded log, by a clock that a test moves, and what it was told and asked. */
export class WatchedState implements SharedState {
  /** Milliseconds since 1970. */
  nowMs = Date.now();
  /** What was put, by key. */
  readonly tickets = new Map<string, StoredTicket>();
  /** How often somebody claimed. */
  claims = 0;
  /** What was to be taken, in order. */
  readonly asked: RateQuestion[] = [];
  /** Set: it is away. */
  failure: Error | undefined;
  /** Permits wait for this, so that a test can do something meanwhile. */
  gate: Promise<void> = Promise.resolve();
  readonly #state = new EmbeddedSharedState(() => this.nowMs);

  async put(key: string, value: string, claimMs: number, keepUntilMs: number): Promise<void> {
    this.tickets.set(key, { value, claimMs, keepUntilMs });
    await this.#state.put(key, value, claimMs, keepUntilMs);
  }

  async claim(key: string, presented: string | undefined, fresh: string): Promise<Claim> {
    this.claims++;
    const ticket = this.tickets.get(key);
    if (ticket !== undefined) ticket.holder ??= fresh;
    return this.#state.claim(key, presented, fresh);
  }

  async take(account: string, perSecond: number, burst: number, count: number): Promise<Permits> {
    this.asked.push({ account, perSecond, burst, count });
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return this.#state.take(account, perSecond, burst, count);
  }
}
