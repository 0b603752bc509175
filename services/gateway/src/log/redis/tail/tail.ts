import { setTimeout as pause } from 'node:timers/promises';
import { compareIds, idBefore, idTime } from '../../../message.ts';
import { expiryBound } from '../../completeness.ts';
import type { TailListener } from '../../log.ts';
import { backoffMs } from '../backoff.ts';
import type { Commands, ConnectionSettings } from '../connection.ts';
import { connectionTrouble, isDenial } from '../denials.ts';
import type { Locator, TailFrom } from '../endpoint.ts';
import type { Held } from '../entry.ts';
import { reasonOf } from '../failure.ts';
import { ReadSize } from '../read-size.ts';
import { Audit } from './audit.ts';
import { Delivery } from './delivery.ts';
import { wholeFrom } from './newest.ts';
import { type Opened, TailSession } from './tail-session.ts';
import { Unseen } from './unseen.ts';

export interface TailTiming {
  /** How long Redis holds a read while there is nothing new (XREAD BLOCK). */
  readonly blockMs: number;
  /** How much later than that the answer may come before the connection counts as dead. */
  readonly marginMs: number;
  /** How long a message that the log is known to have may take to come by. Longer: the node is not healthy. */
  readonly unseenMs: number;
  /**
   * How long a tail that wants to read a replica reads the master when none can be used, or the one that it read has
   * failed; up to twice that, by chance, so that not all come back at once.
   */
  readonly awayMs: number;
}

export const TAIL_TIMING: TailTiming = { blockMs: 2_000, marginMs: 3_000, unseenMs: 5_000, awayMs: 30_000 };

/** An answer that comes later than this after Redis was to give it shows that this node stood still. Milliseconds. */
const LATE_MS = 500;

export interface TailSettings {
  readonly connection: ConnectionSettings;
  readonly locator: Locator;
  readonly from: TailFrom;
  /** Other connections to the partitions' masters, for what a replica cannot tell, and to hold a tail against. */
  readonly master: Commands;
  readonly partition: number;
  readonly historyTtlSeconds: number;
  /** Entries that the log holds, at least. */
  readonly logSize: number;
  readonly timing: TailTiming;
}

/**
 * Follows one partition's log, on a connection of its own, for ever.
 *
 * It reads from a concrete id, so that what is appended while it is away is there when it is back. A session is: connect,
 * make sure that the log is still the one it followed (open.lua), read on. Whatever goes wrong ends the session; the
 * next one starts after a pause, on a new connection.
 */
export class Tail {
  readonly #settings: TailSettings;
  readonly #recentBytes: number;
  readonly #unseen = new Unseen();
  readonly #delivery: Delivery;
  readonly #audit: Audit;
  readonly #closing = new AbortController();
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  readonly #readSize: ReadSize;
  #session: TailSession | undefined;
  #state: 'new' | 'following' | 'lost' = 'new';
  /** What ended the last session that was lost. */
  #loss: string | undefined;
  #attempt = 0;
  /** Until then the master is read, whatever is wanted. */
  #awayUntilMs = 0;
  /** When the last answer came. */
  #readMs = 0;

  constructor(settings: TailSettings, listener: TailListener, recentBytes: number) {
    this.#settings = settings;
    this.#recentBytes = recentBytes;
    this.#delivery = new Delivery(listener, settings.partition, settings.connection, this.#unseen);
    this.#audit = new Audit(settings.connection, this.#delivery, this.#unseen);
    this.#readSize = new ReadSize(settings.logSize);
    this.#ended = this.#run();
  }

  /** Resolves when the newest messages have been handed on and the tail follows, or when it is closed. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  /** Why it is not known that the log's messages come, in a line; undefined while they do. */
  get trouble(): string | undefined {
    if (this.#state === 'following') return this.#isLate ? this.#say('does not bring what was appended') : undefined;
    return this.#loss ?? this.#say('has not read the log yet');
  }

  /** To be told of each message that this node appended to the partition. */
  appended(held: Held): void {
    this.#unseen.add(held, performance.now());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#begun.resolve();
    this.#session?.disconnect();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let failure: unknown;
    while (!signal.aborted) {
      try {
        const session = await this.#locate(failure);
        if (signal.aborted) return;
        failure = undefined;
        await this.#follow(session).finally(() => session.close());
      } catch (error) {
        failure = error;
        if (signal.aborted) return;
        this.#lost(error);
        // After a replica comes the master, and right away.
        if (this.#session?.replica === true) continue;
        this.#attempt++;
        await pause(backoffMs(this.#attempt), undefined, { signal }).catch(() => {});
      }
    }
  }

  async #locate(failure: unknown): Promise<TailSession> {
    const { connection, locator, master, partition, timing } = this.#settings;
    this.#session = undefined;
    const from = this.#wantsReplica ? 'replica' : 'master';
    const located = await locator.locate(partition, failure, from);
    if (from === 'replica' && !located.replica) this.#stayAway();
    const silenceMs = timing.blockMs + timing.marginMs;
    const session = new TailSession({ connection, partition, master, silenceMs }, located);
    this.#session = session;
    return session;
  }

  get #wantsReplica(): boolean {
    return this.#settings.from === 'replica' && performance.now() >= this.#awayUntilMs;
  }

  #stayAway(): void {
    this.#awayUntilMs = performance.now() + this.#settings.timing.awayMs * (1 + Math.random());
  }

  /** One session. Resolves when it is time for a replica again, or on `close`; rejects with what ended it else. */
  async #follow(session: TailSession): Promise<void> {
    const { blockMs } = this.#settings.timing;
    const { signal } = this.#closing;
    try {
      await session.connect();
      this.#audit.begin(session);
      const { newest } = this.#delivery.begun ? await this.#goOn(session) : await this.#begin(session);
      // A replica may be behind: the end is the master's.
      if (session.replica) this.#audit.mustReach(newest);
      this.#readMs = performance.now();
      // Up to the end first: a tail that is behind does not follow yet.
      let more = true;
      while (more || this.#audit.owed) {
        more = await this.#read(session, more ? undefined : blockMs);
        if (signal.aborted) return;
      }
      this.#followed(session);
      while (!signal.aborted) {
        await this.#read(session, blockMs);
        if (!session.replica && this.#wantsReplica) return;
      }
    } catch (error) {
      if (session.replica) this.#stayAway();
      throw error;
    }
  }

  /** The first session: hands on the newest messages. */
  async #begin(session: TailSession): Promise<Opened> {
    const { historyTtlSeconds } = this.#settings;
    const opened = await this.#audit.open(session);
    const { floor, newest: end } = opened;
    const expired = idBefore(expiryBound(Date.now(), historyTtlSeconds));
    // This node's clock may be far ahead of the log's.
    const alive = compareIds(expired, end) < 0 ? expired : end;
    const after = compareIds(floor, alive) > 0 ? floor : alive;
    const newest = await session.newest(after, this.#recentBytes);
    const from = wholeFrom(newest, (await this.#audit.open(session)).oldest);
    this.#delivery.begin(floor, from, newest.entries);
    return opened;
  }

  async #goOn(session: TailSession): Promise<Opened> {
    const opened = await this.#audit.open(session);
    this.#delivery.resume(opened);
    return opened;
  }

  /** One read; waits up to `blockMs` when there is nothing. True when there may be more right away. */
  async #read(session: TailSession, blockMs?: number): Promise<boolean> {
    const { logger, metrics } = this.#settings.connection;
    const count = this.#readSize.entries;
    const entries = await session.read(this.#delivery.position, count, blockMs);
    const [first] = entries;
    const newest = entries.at(-1);
    const full = entries.length === count;
    // A read that is not full proves that nothing was trimmed: the log holds more than one read, and would have filled
    // it. A full one leaves it open, and so does one after a pause in which somebody may have trimmed it by hand.
    const nowMs = performance.now();
    const late = nowMs - this.#readMs > this.#settings.timing.blockMs + LATE_MS;
    this.#readMs = nowMs;
    if (first !== undefined && (full || late)) this.#delivery.resume(await this.#audit.openAgain(session), first[0]);
    if (newest !== undefined) this.#audit.reads(session);
    this.#delivery.handOn(entries);
    this.#readSize.learn(entries);
    if (newest !== undefined) metrics.tailLag(Math.max(0, Date.now() - idTime(newest[0])) / 1000);
    if (await this.#audit.check(session, entries.length === 0)) {
      logger.error({ partition: this.#settings.partition }, 'the log has lost messages that it had taken');
      metrics.logError('tail');
    }
    if (!full && this.#isLate) {
      metrics.logError('tail');
      throw new Error('the log does not bring what was appended to it');
    }
    return full;
  }

  get #isLate(): boolean {
    return this.#audit.waitingMs >= this.#settings.timing.unseenMs;
  }

  #followed(session: TailSession): void {
    const { connection, partition } = this.#settings;
    this.#attempt = 0;
    this.#state = 'following';
    const from = session.replica ? 'replica' : 'master';
    connection.logger.info({ partition, position: this.#delivery.position, from }, 'the tail follows the log');
    this.#begun.resolve();
  }

  #lost(error: unknown): void {
    const { connection, partition } = this.#settings;
    const reason = reasonOf(error);
    if (isDenial(reason) || this.#session?.connected !== true) this.#loss = connectionTrouble(reason);
    else
      this.#loss = this.#say(this.#isLate ? 'does not bring what was appended' : `does not follow the log (${reason})`);
    const denied = connection.denials.heard(reason);
    if (this.#state !== 'lost' && !denied)
      connection.logger.warn({ partition, reason }, 'the tail has lost the log; trying again');
    this.#state = 'lost';
  }

  #say(trouble: string): string {
    return `the tail of partition ${this.#settings.partition} ${trouble}`;
  }
}
