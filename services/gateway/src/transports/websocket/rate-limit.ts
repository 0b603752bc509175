/**
 * How many things a client may send: `perSecond` in the long run, `burst` at once. It is the generic cell rate
 * algorithm (ITU-T I.371): what each connection keeps is one number, the time at which it would have sent all that it
 * sent, had it kept to the rate.
 */
export class RateLimit {
  readonly #gapMilliseconds: number;
  readonly #aheadMilliseconds: number;

  /** Both at least 1. */
  constructor(perSecond: number, burst: number) {
    this.#gapMilliseconds = 1000 / perSecond;
    // A hundredth of a gap more, so that no rounding refuses the last one of a burst.
    this.#aheadMilliseconds = (burst + 0.01) * this.#gapMilliseconds;
  }

  /**
   * Asks for one more, or for `count` at once. `state` is what the last call returned, 0 for a new connection; `nowMilliseconds` is a clock
   * that never goes back (`performance.now()`). Returns the new state; -1 when this one is too many, and then the state
   * stays.
   */
  allow(state: number, nowMilliseconds: number, count = 1): number {
    const next = Math.max(state, nowMilliseconds) + count * this.#gapMilliseconds;
    return next - nowMilliseconds > this.#aheadMilliseconds ? -1 : next;
  }
}
