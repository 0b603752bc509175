/** What came of a claim. `opened`: `fresh` holds it now; `again`: `presented` does; `taken`: somebody else does; `unknown`: there is none (any more). */
export type Claim =
  | { readonly outcome: 'opened' | 'again'; readonly value: string }
  | { readonly outcome: 'taken' | 'unknown' };

/** What was granted of what was asked for. */
export interface Permits {
  readonly granted: number;
  /** When the next one will be granted, milliseconds, ≥ 1; 0 when all were granted. */
  readonly waitMs: number;
}

/**
 * Small things beside the log that all nodes share, each for a time: values that one holder may claim, and how much an
 * account has used up of its rate. Unlike messages they are kept as long as the master of Redis keeps them, and are not waited for on its replicas:
 * a failover may forget what was written last.
 */
export interface SharedState {
  /**
   * Keeps a value that may be claimed within `claimMs`, and by the same holder again until `keepUntilMs` (since 1970, by this
   * node's clock). A key is put once: what it stands for already stays. Rejects with FanfareError `log_unavailable`.
   */
  put(key: string, value: string, claimMs: number, keepUntilMs: number): Promise<void>;

  /**
   * Makes `fresh` the holder of what nobody holds yet; else says whether `presented` holds it. Holders are not empty, and
   * `fresh` is nobody else's. Whoever calls again with the same `fresh` gets `opened` again, so that a claim whose answer was lost
   * can be repeated; one repetition is made here. Rejects with FanfareError `log_unavailable`: `fresh` may hold it then.
   */
  claim(key: string, presented: string | undefined, fresh: string): Promise<Claim>;

  /**
   * Grants up to `count` of what `account` may do over all nodes: `perSecond` (> 0) in the long run and `burst` (at least 1) at
   * once, both may be fractions (generic cell rate algorithm, ITU-T I.371), by the clock of the log. Rejects with FanfareError `log_unavailable`: they may count as
   * used then.
   */
  take(account: string, perSecond: number, burst: number, count: number): Promise<Permits>;
}
