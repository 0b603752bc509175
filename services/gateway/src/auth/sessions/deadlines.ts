import { Groups } from './groups.ts';
import { inTurns } from './turns.ts';

/** What has a deadline. */
export interface Timed {
  /** Deadlines' own: the second since 1970 at which it is told, 0 when there is none. */
  deadlineSecond: number;
  /** Its deadline has passed, and is cleared. Must not throw. */
  deadlinePassed(): void;
}

/**
 * Deadlines by the clock on the wall, which may be set: forward, and all that became due are told; back, and none is told early.
 *
 * There is one timer for all, and none while there are no deadlines. It runs every second, and not until the next deadline, to notice that
 * the clock was set.
 */
export class Deadlines {
  readonly #clock: () => number;
  readonly #bySecond = new Groups<number, Timed>();
  /** No earlier second has any, but for those that are being told. */
  #next = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #telling = false;
  #stopped = false;

  /** `clock`: milliseconds since 1970. Default: the system's. */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  /**
   * It is told of its deadline not before `atMs` (since 1970), and at most about a second after; where very many have the same, some hundreds
   * in each turn of the event loop. Replaces the deadline that it has.
   */
  set(timed: Timed, atMs: number): void {
    const second = Math.max(1, Math.ceil(atMs / 1000));
    if (timed.deadlineSecond === second) return;
    this.clear(timed);
    timed.deadlineSecond = second;
    this.#bySecond.add(second, timed);
    this.#next = Math.min(this.#next, second);
    this.#arm();
  }

  /** Does nothing where there is no deadline. */
  clear(timed: Timed): void {
    if (timed.deadlineSecond === 0) return;
    this.#bySecond.remove(timed.deadlineSecond, timed);
    timed.deadlineSecond = 0;
  }

  /** From now on nobody is told of anything. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    if (this.#stopped || this.#telling || this.#timer !== undefined || this.#bySecond.size === 0) return;
    // To the beginning of a second, so that whoever is due in it waits no longer.
    const waitMs = 1000 - (this.#clock() % 1000);
    this.#timer = setTimeout(() => this.#turn(), waitMs);
    this.#timer.unref();
  }

  #turn(): void {
    this.#timer = undefined;
    this.#telling = true;
    const tell = (timed: Timed): void => {
      this.clear(timed);
      timed.deadlinePassed();
    };
    inTurns(this.#due(Math.floor(this.#clock() / 1000)), tell, () => {
      this.#telling = false;
      this.#arm();
    });
  }

  *#due(nowSecond: number): Generator<Timed, void> {
    const seconds = this.#dueSeconds(nowSecond);
    // What is set meanwhile to a time that has passed is left to the next turn.
    this.#next = nowSecond + 1;
    for (const second of seconds)
      for (const timed of this.#bySecond.members(second)) {
        if (this.#stopped) return;
        yield timed;
      }
  }

  #dueSeconds(nowSecond: number): number[] {
    const passed = nowSecond - this.#next + 1;
    if (passed <= 0) return [];
    if (passed <= this.#bySecond.size) return Array.from({ length: passed }, (_, i) => this.#next + i);
    // Fewer deadlines than seconds that have passed, as when the clock was set forward by years.
    return [...this.#bySecond.keys()].filter((second) => second <= nowSecond).sort((a, b) => a - b);
  }
}
