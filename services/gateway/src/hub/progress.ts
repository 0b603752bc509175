import { compareIds, type GapReason, ZERO_ID } from '../message.ts';
import type { ReplaySource } from '../metrics/metrics.ts';

/** Why something is replayed: the client came back with a cursor, asked for old messages, or this node fell behind. */
export type Why = 'resumed' | 'asked' | 'behind';

/** One replay: why it is made, where it has read from, and whether it was whole, so far. */
export class Progress {
  readonly why: Why;
  source: ReplaySource = 'memory';
  outcome: 'complete' | 'gap' = 'complete';
  readonly #promisedAfter: string;
  readonly #beginsAt: string | undefined;

  /**
   * `promisedAfter`: the id after which the client counts on every message; left out, on everything after its cursor. Who asked
   * for old messages gets what there is of those before it. `beginsAt`: the place of who asked for all that there are.
   */
  constructor(why: Why, promisedAfter = ZERO_ID, beginsAt?: string) {
    this.why = why;
    this.#promisedAfter = promisedAfter;
    this.#beginsAt = beginsAt;
  }

  /** True when the client must be told that the message with this id cannot be had. */
  promises(id: string): boolean {
    return compareIds(id, this.#promisedAfter) > 0;
  }

  /** True when the client must be told that something is gone of a page which begins after `position` and ends with `end`. */
  promisesPage(position: string, end: string, gap: GapReason): boolean {
    // Before the oldest that there is, nothing can be missing; and what expired before the client came is not.
    return this.promises(end) || (gap !== 'expired' && position !== this.#beginsAt);
  }
}
