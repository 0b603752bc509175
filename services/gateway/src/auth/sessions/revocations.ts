import type { Principal } from '../principal.ts';

/** A token is taken for so long after its `exp`, milliseconds: clocks may differ. */
const TOLERANCE_MS = 30_000;
/** About 20 MB. */
const MAX_SUBJECTS = 100_000;

export interface RevocationsOptions {
  /** Subjects that are known one by one; past it the one that was added first is forgotten, see Revocations. Default: 100,000. */
  readonly maxSubjects?: number;
  /** Milliseconds since 1970. Default: the system's. */
  readonly clock?: () => number;
}

/**
 * Whose tokens are refused, and those from when. A subject is forgotten when all its tokens of that time must have expired, or when there are too
 * many. Then the tokens of everybody from that time are refused: for the one reason nobody has such a token any more (unless the clock was
 * wrong), for the other nothing is taken silently that was revoked.
 */
export class Revocations {
  readonly #keptMs: number;
  readonly #maxSubjects: number;
  readonly #clock: () => number;
  /** Subject → milliseconds since 1970. In the order in which they were added: about that of their times. */
  readonly #before = new Map<string, number>();
  #refusedMs = Number.NEGATIVE_INFINITY;

  /** `maxTokenLifetimeSeconds`: from `iat` to `exp`, at most. */
  constructor(maxTokenLifetimeSeconds: number, options: RevocationsOptions = {}) {
    const { maxSubjects = MAX_SUBJECTS, clock = Date.now } = options;
    this.#keptMs = maxTokenLifetimeSeconds * 1000 + TOLERANCE_MS;
    this.#maxSubjects = maxSubjects;
    this.#clock = clock;
  }

  /** Refuses the subject's tokens that were issued at `beforeMs` (since 1970) or earlier. What is refused already stays so. */
  add(subject: string, beforeMs: number): void {
    const known = this.#before.get(subject);
    if (known !== undefined && known >= beforeMs) return;
    this.#before.delete(subject);
    this.#before.set(subject, beforeMs);
    this.#forget();
  }

  /** Refuses everybody's tokens that were issued at `ms` (since 1970) or earlier: what was revoked then is not known. */
  refuseBefore(ms: number): void {
    this.#refusedMs = Math.max(this.#refusedMs, ms);
  }

  /** Whether the principal's token is refused. Never for one without a subject. */
  holds({ subject, issuedMs = 0 }: Principal): boolean {
    if (subject === undefined) return false;
    return issuedMs <= this.#refusedMs || issuedMs <= (this.#before.get(subject) ?? Number.NEGATIVE_INFINITY);
  }

  /** The subjects that are known one by one, each with its time. */
  known(): readonly (readonly [subject: string, beforeMs: number])[] {
    this.#forget();
    return [...this.#before];
  }

  #forget(): void {
    const expiredMs = this.#clock() - this.#keptMs;
    for (const [subject, beforeMs] of this.#before) {
      if (beforeMs >= expiredMs && this.#before.size <= this.#maxSubjects) return;
      this.#before.delete(subject);
      this.refuseBefore(beforeMs);
    }
  }
}
