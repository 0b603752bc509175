import type { Principal } from '../principal.ts';
import { Groups } from './groups.ts';
import { inTurns } from './turns.ts';

/** What lasts on somebody's rights: a connection, or a long poll. */
export interface Session {
  readonly principal: Principal;
  /** May be called more than once. */
  close(reason: 'token_expired' | 'disconnected'): void;
}

/**
 * The sessions of this node, by subject. Of those whose principal has no subject nothing is kept.
 *
 * A session may change its principal: remove it before and add it after, or just add it again. It is found by what it was added with.
 */
export class Sessions {
  readonly #maxPerSubject: number;
  readonly #bySubject = new Groups<string, Session>();
  readonly #subjects = new Map<Session, string>();

  /** `maxPerSubject`: how many a subject may have on this node; 0: no limit. */
  constructor(maxPerSubject: number) {
    this.#maxPerSubject = maxPerSubject;
  }

  /**
   * To be called in the same turn in which Revocations did not hold the principal: whoever is disconnected in between would be missed. One
   * that is there already is moved to the subject that it has now.
   */
  add(session: Session): void {
    const { subject } = session.principal;
    if (this.#subjects.get(session) === subject) return;
    this.remove(session);
    if (subject === undefined) return;
    this.#subjects.set(session, subject);
    this.#bySubject.add(subject, session);
  }

  /** Does nothing where it is not there. */
  remove(session: Session): void {
    const subject = this.#subjects.get(session);
    if (subject === undefined) return;
    this.#subjects.delete(session);
    this.#bySubject.remove(subject, session);
  }

  /** Whether the principal's subject has as many sessions as it may have. */
  isFull({ subject }: Principal): boolean {
    if (this.#maxPerSubject === 0 || subject === undefined) return false;
    return this.#bySubject.count(subject) >= this.#maxPerSubject;
  }

  /**
   * Closes the subject's sessions whose rights were given at `beforeMs` (since 1970) or earlier: some hundreds at once, more in the turns of the
   * event loop that follow.
   */
  disconnect(subject: string, beforeMs: number): void {
    this.#close(this.#bySubject.members(subject), beforeMs);
  }

  /** The same for all subjects. */
  disconnectAll(beforeMs: number): void {
    this.#close(this.#subjects.keys(), beforeMs);
  }

  #close(sessions: Iterable<Session>, beforeMs: number): void {
    const isOld = ({ principal: { issuedMs = 0 } }: Session): boolean => issuedMs <= beforeMs;
    const old = [...sessions].filter(isOld);
    inTurns(old.values(), (session) => {
      // Before its turn came it may have ended, or have got new rights.
      if (this.#subjects.has(session) && isOld(session)) session.close('disconnected');
    });
  }
}
