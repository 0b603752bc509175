import { compareIds } from '../../message.ts';

/** Past this many the newest are not kept: a bound for the time in which a tail is away and appends go on. */
const MAX_UNSEEN = 10_000;

/**
 * Messages that this node was told are in a partition's log, and that its tail has not brought yet.
 *
 * It proves delivery. One that stays here too long shows a tail that follows the wrong thing; one that the tail has
 * passed without meeting it shows a log that lost a message after taking it.
 */
export class Unseen {
  /** id → when the append was answered, milliseconds. Oldest first, but for appends that overtook one another. */
  readonly #ids = new Map<string, number>();

  add(id: string, nowMs: number): void {
    if (this.#ids.size < MAX_UNSEEN) this.#ids.set(id, nowMs);
  }

  /** The tail brought this message. */
  seen(id: string): void {
    this.#ids.delete(id);
  }

  /** Takes out what the tail must have met by now, standing at `position`, and has not. */
  takePassed(position: string): string[] {
    const passed: string[] = [];
    for (const id of this.#ids.keys()) if (compareIds(id, position) <= 0) passed.push(id);
    for (const id of passed) this.#ids.delete(id);
    return passed;
  }

  ids(): string[] {
    return [...this.#ids.keys()];
  }

  /** For how long the oldest has waited, milliseconds; 0 when none does. */
  waitingMs(nowMs: number): number {
    const [oldest] = this.#ids.values();
    return oldest === undefined ? 0 : nowMs - oldest;
  }
}
