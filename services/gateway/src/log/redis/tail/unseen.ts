import { compareIds } from '../../../message.ts';
import { type Held, isSame } from '../entry.ts';

/** Messages that are waited for, at most, and their data in UTF-16 code units. Newer ones are not: a tail is away, and appends go on. */
const MAX_UNSEEN = 10_000;
const MAX_UNSEEN_SIZE = 16 * 1024 * 1024;
/** Messages that came by before anybody waited for them, of which at least this many are remembered, and up to twice. */
const EARLY = 4_096;
const EARLY_SIZE = 1024 * 1024;

/**
 * Messages that this node was told are in a partition's log, and that its tail has not brought yet.
 *
 * It proves delivery. One that stays here too long shows a tail that follows the wrong thing; one that the tail has
 * passed without meeting it shows a log that lost a message after taking it, or a node that appends to another log than
 * it follows: to a master that does not know yet that it was replaced.
 */
export class Unseen {
  /** By id. Oldest first, but for appends that overtook one another. */
  readonly #waiting = new Map<string, Held & { readonly sinceMs: number }>();
  #waitingSize = 0;
  /** The newest of those that are too many: what a log loses, it loses from its end. */
  #newest: (Held & { readonly sinceMs: number }) | undefined;
  /** The tail is often faster than the answer to the append. Two generations: the older one goes when the other is full. */
  #early = new Map<string, Held>();
  #earlySize = 0;
  #earlier = new Map<string, Held>();

  /** To be told of each message that was appended; one that the tail has just brought is not waited for. */
  add(held: Held, nowMs: number): void {
    const { id, channel, data } = held;
    const early = this.#early.get(id) ?? this.#earlier.get(id);
    if (early !== undefined && isSame(held, early)) return;
    if (this.#waiting.has(id)) return;
    const waiting = { id, channel, data, sinceMs: nowMs };
    if (this.#waiting.size >= MAX_UNSEEN || this.#waitingSize + data.length > MAX_UNSEEN_SIZE) {
      if (this.#newest === undefined || compareIds(id, this.#newest.id) > 0) this.#newest = waiting;
      return;
    }
    this.#waiting.set(id, waiting);
    this.#waitingSize += data.length;
  }

  /** The tail brought this. */
  seen(held: Held): void {
    const waiting = this.#waiting.get(held.id);
    if (waiting !== undefined && isSame(waiting, held)) {
      this.forget([waiting]);
      return;
    }
    if (this.#newest?.id === held.id && isSame(this.#newest, held)) {
      this.#newest = undefined;
      return;
    }
    if (this.#early.size >= EARLY || this.#earlySize + held.data.length > EARLY_SIZE) {
      this.#earlier = this.#early;
      this.#early = new Map();
      this.#earlySize = 0;
    }
    this.#early.set(held.id, held);
    this.#earlySize += held.data.length;
  }

  /**
   * What the tail must have met by now, standing at `position`, and has not, as far as this remembers: one whose answer
   * came very late may have been met long ago.
   */
  passed(position: string): Held[] {
    return this.all().filter(({ id }) => compareIds(id, position) <= 0);
  }

  /** It is known what became of these. */
  forget(known: readonly Held[]): void {
    for (const { id, data } of known) {
      if (this.#waiting.delete(id)) this.#waitingSize -= data.length;
      if (this.#newest?.id === id) this.#newest = undefined;
    }
  }

  /** Everything that is waited for. */
  all(): Held[] {
    return this.#newest === undefined ? [...this.#waiting.values()] : [...this.#waiting.values(), this.#newest];
  }

  /** For how long the oldest has waited, milliseconds; 0 when none does. */
  waitingMs(nowMs: number): number {
    const [oldest = this.#newest] = this.#waiting.values();
    return oldest === undefined ? 0 : nowMs - oldest.sinceMs;
  }
}
