import { compareIds } from '../../../message.ts';

/**
 * What another connection said of the end of a partition's log, held against where the tail stands.
 *
 * It proves delivery on a node that publishes nothing. A tail that does not get to an end that somebody else sees follows
 * the wrong thing: a master that was replaced and does not know it yet, or a replica that is cut off.
 */
export class Proof {
  /** Undefined: the other connection saw less than the tail had read, so that no place in the log will do. */
  #end: string | undefined;
  #sinceMs: number | undefined;

  /** `end` is the log's newest id, as seen by another connection that was asked while the tail stood at `asked`. */
  answered(end: string, asked: string, nowMs: number): void {
    const order = compareIds(end, asked);
    if (order === 0) this.#sinceMs = undefined;
    // An older debt stands: where the log grows all the time there is always a newer one.
    else if (this.#sinceMs === undefined || (order > 0 && this.#end === undefined)) {
      this.#end = order > 0 ? end : undefined;
      this.#sinceMs ??= nowMs;
    }
  }

  /** True while the tail, standing at `position`, is not where the log is known to go on to. */
  owed(position: string): boolean {
    if (this.#sinceMs !== undefined && this.#end !== undefined && compareIds(position, this.#end) >= 0)
      this.#sinceMs = undefined;
    return this.#sinceMs !== undefined;
  }

  /** For how long that has been so, milliseconds; 0 when it is not. */
  waitingMs(position: string, nowMs: number): number {
    return this.owed(position) && this.#sinceMs !== undefined ? nowMs - this.#sinceMs : 0;
  }

  /** A new session has its time; what it has to get to stays. */
  restart(nowMs: number): void {
    if (this.#sinceMs !== undefined) this.#sinceMs = nowMs;
  }
}
