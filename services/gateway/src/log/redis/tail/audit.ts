import { compareIds, ZERO_ID } from '../../../message.ts';
import type { ConnectionSettings } from '../connection.ts';
import type { Held } from '../entry.ts';
import { reasonOf } from '../failure.ts';
import type { Delivery } from './delivery.ts';
import { Proof } from './proof.ts';
import type { Judged, Opened, TailSession } from './tail-session.ts';
import type { Unseen } from './unseen.ts';

/** How often, at most, the master is asked about what a busy replica brings, milliseconds. */
const AUDIT_MS = 1_000;

/**
 * Holds what a tail's session brings against what the master says.
 *
 * A master is asked, by another connection, where the log ends when nothing comes. A replica may come to follow another
 * master while it is read, one that has not got all that was read. So it is asked after each read whether it still holds
 * what was read before, and the master about once a second whether it holds all that; the master raises the floor where
 * it does not.
 */
export class Audit {
  readonly #connection: ConnectionSettings;
  readonly #delivery: Delivery;
  readonly #unseen: Unseen;
  readonly #proof = new Proof();
  #session: TailSession | undefined;
  /** What was newest before the last read from a replica, until that is known to hold it still. */
  #seenBefore: Held | undefined;
  /** The newest floor that the master told of while a replica is read. */
  #toldFloor = ZERO_ID;
  #asking = false;
  #askedMs = 0;

  constructor(connection: ConnectionSettings, delivery: Delivery, unseen: Unseen) {
    this.#connection = connection;
    this.#delivery = delivery;
    this.#unseen = unseen;
  }

  /** From now on it is about this session. */
  begin(session: TailSession): void {
    this.#session = session;
    this.#toldFloor = ZERO_ID;
    this.#proof.restart(performance.now());
  }

  /** Opens the log: it must hold all that was read and appended, or have trimmed it; else the floor is raised. */
  open(session: TailSession): Promise<Opened> {
    return this.#open(session, [...this.#readLast(), ...this.#unseen.all()]);
  }

  /** The same in the middle of a session, for what was trimmed: appends that have not come by yet may still be ahead. */
  openAgain(session: TailSession): Promise<Opened> {
    return this.#open(session, this.#readLast());
  }

  async #open(session: TailSession, known: readonly Held[]): Promise<Opened> {
    const opened = this.#told(session, await session.open(known));
    this.#seenBefore = undefined;
    return opened;
  }

  /** The log's end, as the master had it. */
  mustReach(end: string): void {
    this.#proof.answered(end, this.#delivery.position, performance.now());
  }

  /** True while the tail is not where the log is known to go on to. */
  get owed(): boolean {
    return this.#proof.owed(this.#delivery.position);
  }

  /** For how long something that the log has, or had, has not come, milliseconds. */
  get waitingMs(): number {
    const nowMs = performance.now();
    return Math.max(this.#unseen.waitingMs(nowMs), this.#proof.waitingMs(this.#delivery.position, nowMs));
  }

  /** To be called when a read has brought something, before that is handed on. */
  reads(session: TailSession): void {
    if (session.replica) this.#seenBefore = this.#delivery.newest;
  }

  /** To be called after each read. Rejects when the session must end. True when messages that were appended are lost. */
  async check(session: TailSession, isIdle: boolean): Promise<boolean> {
    this.#checkFloor(session);
    await this.#checkReplica(session);
    const lost = await this.#checkUnseen(session);
    if (isIdle || (session.replica && performance.now() - this.#askedMs >= AUDIT_MS)) this.#ask(session);
    return lost;
  }

  /** The marker of a floor stands in the log in its place. A log in which it does not is not the master's any more. */
  #checkFloor(session: TailSession): void {
    const { floor, position } = this.#delivery;
    if (!session.replica || compareIds(this.#toldFloor, floor) <= 0) return;
    if (compareIds(position, this.#toldFloor) >= 0) throw new Error('the replica has left the master');
  }

  async #checkReplica(session: TailSession): Promise<void> {
    if (this.#seenBefore === undefined) return;
    // If it does not, it may have been trimmed: the master knows.
    if (!(await session.holds(this.#seenBefore))) await this.#judge(session, this.#readLast());
    this.#seenBefore = undefined;
  }

  async #checkUnseen(session: TailSession): Promise<boolean> {
    const missed = this.#unseen.passed(this.#delivery.position);
    if (missed.length === 0) return false;
    // Looks for each of them, and raises the floor when one is gone. If it fails, the next session asks again.
    const { floor } = await this.#judge(session, [...this.#readLast(), ...missed]);
    this.#unseen.forget(missed);
    return compareIds(floor, this.#delivery.floor) > 0;
  }

  /** One question at a time, beside the reads. A master that does not answer is no news: its connection says so itself. */
  #ask(session: TailSession): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#askedMs = performance.now();
    const asked = this.#delivery.position;
    const end = session.replica ? this.#judge(session, this.#readLast()).then(({ newest }) => newest) : session.end();
    void end
      .then((id = ZERO_ID) => {
        if (session === this.#session) this.#proof.answered(id, asked, performance.now());
      })
      .catch((error) => this.#connection.denials.heard(reasonOf(error)))
      .finally(() => {
        this.#asking = false;
      });
  }

  async #judge(session: TailSession, known: readonly Held[]): Promise<Judged> {
    return this.#told(session, await session.judge(known));
  }

  #told<Told extends Judged>(session: TailSession, told: Told): Told {
    const isNews = session.replica && session === this.#session && compareIds(told.floor, this.#toldFloor) > 0;
    if (isNews) this.#toldFloor = told.floor;
    if (session === this.#session && this.#delivery.begun) this.#delivery.tellFloor(told.floor);
    return told;
  }

  /** What the last reads brought, as far as it stands for all that they did. */
  #readLast(): Held[] {
    return [this.#seenBefore, this.#delivery.newest].filter((held) => held !== undefined);
  }
}
