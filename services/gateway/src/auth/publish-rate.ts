import type { Principal } from './principal.ts';

/** An account may save up as many seconds' worth of messages while it is quiet, and publish them at once. */
const BURST_SECONDS = 10;
/** A lease is a tenth of a second's worth: a busy publisher asks the store ten times a second, and what a node takes and does not use is little. */
const LEASES_PER_SECOND = 10;
/** What is left of a lease is void after this time, so that a node saves nothing up. */
const LEASE_MS = 1000;
/** Accounts that are looked at for each one that is new; with two, those that are idle leave faster than others come. */
const LOOKED_AT = 2;

/** Where rates are counted, for all nodes. */
export interface RateStore {
  /**
   * Generic cell rate algorithm, shared by all nodes, by the store's clock: grants up to `count` of what `account` may do; waitMs: when the
   * next one will be granted (0 when all were). Rejects with log_unavailable.
   */
  take(
    account: string,
    perSecond: number,
    burst: number,
    count: number,
  ): Promise<{ readonly granted: number; readonly waitMs: number }>;
}

/** How many of those that were asked for may be published. */
export interface Taken {
  readonly granted: number;
  /** When the next one may be: whole seconds, ≥ 1; 0 when all were granted. */
  readonly retryAfterSeconds: number;
}

export interface PublishRateOptions {
  readonly store: RateStore;
  /** Messages per second in the long run, for each key and each subject over all nodes; ten seconds' worth at once. 0: no limit. */
  readonly perSecond: number;
  /** Milliseconds, never goes back. */
  readonly clock?: () => number;
}

/**
 * How much each principal may publish. Permits are taken from the store in small leases and spent here, so that most publishes ask nobody. While
 * an account is refused, it costs the store nothing. When the store cannot be asked everything is granted for a second: what is wrong with the
 * log, the append says.
 */
export class PublishRate {
  readonly #options: Required<PublishRateOptions>;
  /** By the principals' accounts; those that were looked at last are at the end. */
  readonly #accounts = new Map<string, Account>();

  constructor({ store, perSecond, clock = () => performance.now() }: PublishRateOptions) {
    this.#options = { store, perSecond, clock };
  }

  /** How many accounts are remembered. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Takes permits for `count` messages. A promise only when the store must be asked; it never rejects. Promises of one account settle in their order. */
  take({ account: name }: Principal, count: number): Taken | Promise<Taken> {
    if (this.#options.perSecond === 0 || name === undefined) return { granted: count, retryAfterSeconds: 0 };
    let account = this.#accounts.get(name);
    if (account === undefined) {
      this.#forgetIdle();
      account = new Account(name, this.#options);
      this.#accounts.set(name, account);
    }
    return account.take(count);
  }

  #forgetIdle(): void {
    const nowMs = this.#options.clock();
    let looks = Math.min(LOOKED_AT, this.#accounts.size);
    for (const [name, account] of this.#accounts) {
      if (looks-- === 0) return;
      this.#accounts.delete(name);
      if (!account.isIdle(nowMs)) this.#accounts.set(name, account);
    }
  }
}

interface Waiting {
  readonly count: number;
  readonly settle: (taken: Taken) => void;
}

/** One account's lease on this node. */
class Account {
  readonly #name: string;
  readonly #options: Required<PublishRateOptions>;
  readonly #leaseSize: number;
  #permits = 0;
  #voidAtMs = 0;
  #refusedUntilMs = 0;
  /** Until then the store, which could not be asked, is not asked again. */
  #grantedUntilMs = 0;
  /** In the order in which they came. */
  readonly #waiting: Waiting[] = [];
  #asking = false;

  constructor(name: string, options: Required<PublishRateOptions>) {
    this.#name = name;
    this.#options = options;
    this.#leaseSize = Math.max(1, Math.floor(options.perSecond / LEASES_PER_SECOND));
  }

  /** Whether it would not be missed: a new one behaves the same. */
  isIdle(nowMs: number): boolean {
    return (
      this.#waiting.length === 0 &&
      this.#permitsAt(nowMs) === 0 &&
      nowMs >= Math.max(this.#refusedUntilMs, this.#grantedUntilMs)
    );
  }

  take(count: number): Taken | Promise<Taken> {
    const nowMs = this.#options.clock();
    if (nowMs < this.#grantedUntilMs && this.#waiting.length === 0) return { granted: count, retryAfterSeconds: 0 };
    const decided = this.#permitsAt(nowMs) >= count || nowMs < this.#refusedUntilMs;
    // Whoever came first is served first.
    if (decided && this.#waiting.length === 0) return this.#spend(count, nowMs);
    return new Promise((settle) => {
      this.#waiting.push({ count, settle });
      // One at a time: who was served may take again before the one that served him has come to its end.
      if (!this.#asking) void this.#askUntilNobodyWaits();
    });
  }

  async #askUntilNobodyWaits(): Promise<void> {
    this.#asking = true;
    while (this.#waiting.length > 0) await this.#ask();
    this.#asking = false;
  }

  /** Asks once for all who wait. Those who come meanwhile get of it what is left. */
  async #ask(): Promise<void> {
    const { store, perSecond, clock } = this.#options;
    const wanted = this.#waiting.reduce((sum, { count }) => sum + count, 0) - this.#permitsAt(clock());
    const asked = Math.max(wanted, this.#leaseSize);
    try {
      const burst = Math.max(1, perSecond * BURST_SECONDS);
      const { granted, waitMs } = await store.take(this.#name, perSecond, burst, asked);
      const nowMs = clock();
      this.#permits = this.#permitsAt(nowMs) + granted;
      this.#voidAtMs = nowMs + LEASE_MS;
      const refused = granted < asked;
      if (refused) this.#refusedUntilMs = nowMs + Math.max(1, waitMs);
      this.#serve(nowMs, refused);
    } catch {
      this.#grantedUntilMs = clock() + LEASE_MS;
      for (const { count, settle } of this.#waiting.splice(0)) settle({ granted: count, retryAfterSeconds: 0 });
    }
  }

  /** Serves those who wait, in their order: as far as the permits go, or all of them when there will be no more for now. */
  #serve(nowMs: number, all: boolean): void {
    const served = all ? this.#waiting.length : this.#servable();
    for (const { count, settle } of this.#waiting.splice(0, served)) settle(this.#spend(count, nowMs));
  }

  /** How many of those who wait, the first ones, can have all that they want. */
  #servable(): number {
    let wanted = 0;
    let served = 0;
    for (const { count } of this.#waiting) {
      wanted += count;
      if (wanted > this.#permits) break;
      served++;
    }
    return served;
  }

  #spend(count: number, nowMs: number): Taken {
    const granted = Math.min(count, this.#permitsAt(nowMs));
    this.#permits -= granted;
    if (granted === count) return { granted, retryAfterSeconds: 0 };
    return { granted, retryAfterSeconds: Math.max(1, Math.ceil((this.#refusedUntilMs - nowMs) / 1000)) };
  }

  #permitsAt(nowMs: number): number {
    if (nowMs >= this.#voidAtMs) this.#permits = 0;
    return this.#permits;
  }
}
