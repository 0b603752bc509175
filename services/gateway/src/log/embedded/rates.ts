import type { Permits } from '../shared-state.ts';

/** Past this many accounts some are forgotten: about 20 MB. */
const MAX_ACCOUNTS = 100_000;
/** Room is then made down to this part of it, so that not each new account has to look for room. */
const ROOMY = 0.9;

/** So that no rounding refuses the last permit of a burst. It stays in the debt, so nothing is given away. */
const TINY = 1e-6;

/** What is known of an account that is not back to nothing. */
interface Account {
  /** When it was granted something last. */
  readonly atMs: number;
  /** Permits that were granted, and that time had not made good yet, at `atMs`. */
  readonly debt: number;
  /** When time has made them good. */
  readonly clearMs: number;
}

/**
 * How much accounts have used up of their rates: the generic cell rate algorithm as a leaky bucket, as in redis/scripts/take.lua.
 *
 * When there are too many accounts, those with no debt are forgotten, then those that were granted something longest ago: they
 * may have a burst too early.
 */
export class EmbeddedRates {
  readonly #maxAccounts: number;
  /** Granted longest ago first. */
  readonly #accounts = new Map<string, Account>();

  constructor(maxAccounts = MAX_ACCOUNTS) {
    this.#maxAccounts = maxAccounts;
  }

  /** See SharedState.take. */
  take(account: string, perSecond: number, burst: number, count: number, nowMs: number): Permits {
    const most = Math.max(1, burst);
    const known = this.#accounts.get(account);
    const past = known === undefined ? 0 : debtOf(known, perSecond, nowMs);
    const before = Math.min(most, past);
    const granted = Math.max(0, Math.min(count, Math.floor(most - before + TINY)));
    const debt = before + granted;
    // A refusal changes nothing, unless the clock was set back: no time would pass until it is again where it was.
    if (granted > 0 || (known !== undefined && nowMs < known.atMs)) {
      this.#accounts.delete(account);
      this.#accounts.set(account, { atMs: nowMs, debt, clearMs: nowMs + (debt / perSecond) * 1000 });
      if (this.#accounts.size > this.#maxAccounts) this.#makeRoom(nowMs);
    }
    if (granted === count) return { granted, waitMs: 0 };
    return { granted, waitMs: Math.max(1, Math.ceil(((debt - (most - 1)) / perSecond) * 1000)) };
  }

  #makeRoom(nowMs: number): void {
    for (const [account, { clearMs }] of this.#accounts) if (nowMs >= clearMs) this.#accounts.delete(account);
    for (const account of this.#accounts.keys()) {
      if (this.#accounts.size <= ROOMY * this.#maxAccounts) return;
      this.#accounts.delete(account);
    }
  }
}

function debtOf({ atMs, debt }: Account, perSecond: number, nowMs: number): number {
  return Math.max(0, debt - (Math.max(0, nowMs - atMs) * perSecond) / 1000);
}
