import { type CloseReason, FanfareError } from '../errors.ts';
import { type Message, ZERO_ID } from '../message.ts';
import type { Batch } from './batch.ts';
import { Connection } from './connection.ts';
import type { Hub, Start } from './hub.ts';
import type { Subscription } from './subscription.ts';

/** What a client that asks by plain HTTP gets. */
export interface CatchUpAnswer {
  /** Oldest first. */
  readonly messages: readonly Message[];
  /** To be handed back as `after`. */
  readonly cursor: string;
  /** True when messages after `after` are gone. */
  readonly gap: boolean;
}

export interface CatchUpQuestion {
  readonly channel: string;
  /** Undefined: from the oldest message that is retained. */
  readonly after: string | undefined;
  /** Most messages in the answer. */
  readonly limit: number;
  /** How long to wait for a first message where there is none. */
  readonly waitSeconds: number;
}

/** How long it may take to find out what a client has missed: a tail that stands still would hold the question for ever. */
const PATIENCE_MILLISECONDS = 5000;

/** Catching up by plain HTTP: a follower like any other that stops at its limit, or when it has caught up. */
export class CatchUp {
  readonly #hub: Hub;
  readonly #maxWaiting: number;
  readonly #patienceMs: number;
  #waiting = 0;

  /** At most `maxWaiting` questions are under way at once. `patienceMs`: how long one may take that is not waiting for a message. */
  constructor(hub: Hub, maxWaiting: number, patienceMs = PATIENCE_MILLISECONDS) {
    this.#hub = hub;
    this.#maxWaiting = maxWaiting;
    this.#patienceMs = patienceMs;
  }

  /**
   * Answers a question; `signal` ends the wait early. Rejects with FanfareError `full` when too many wait already, and
   * with `log_unavailable` when the history cannot be read, or nothing could be said in time: no messages and no gap mean that
   * there are none.
   */
  async read(question: CatchUpQuestion, signal: AbortSignal): Promise<CatchUpAnswer> {
    if (this.#waiting >= this.#maxWaiting) throw new FanfareError('full', 'too many requests wait for messages');
    const waits = question.waitSeconds > 0 && !signal.aborted;
    const follower = new Follower(question.limit, waits);
    const start: Start = question.after === undefined ? { oldest: true } : { cursor: question.after };
    const plan = this.#hub.plan([question.channel], start);
    const subscriptions = this.#hub.subscribe(follower, plan);
    const stopWaiting = (): void => follower.stopWaiting();
    const timers = [setTimeout(() => follower.losePatience(), this.#patienceMs)];
    if (waits) timers.push(setTimeout(stopWaiting, question.waitSeconds * 1000));
    signal.addEventListener('abort', stopWaiting);
    this.#waiting++;
    try {
      this.#hub.start(plan, subscriptions);
      await follower.done;
      return {
        messages: follower.messages,
        cursor: follower.messages.at(-1)?.id ?? this.#place(subscriptions[0], question.after),
        gap: follower.gapped,
      };
    } finally {
      this.#waiting--;
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener('abort', stopWaiting);
      for (const subscription of subscriptions) this.#hub.leave(subscription);
    }
  }

  /** Where a client stands that got no message: as far as this node has come, if it has been read that far. */
  #place(subscription: Subscription | undefined, after: string | undefined): string {
    if (subscription?.state === 'live') return this.#hub.position(subscription.partition);
    return subscription?.position ?? after ?? ZERO_ID;
  }
}

/** An answer is whole in memory until its reader has taken it, so it ends with the message that brings it to so many bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Collects messages until it has enough. */
class Follower extends Connection {
  readonly transport = 'http';
  readonly messages: Message[] = [];
  readonly done: Promise<void>;
  gapped = false;
  closed = false;
  #caughtUp = false;
  #bytes = 0;
  readonly #limit: number;
  #waits: boolean;
  #patient = true;
  readonly #settle: { resolve: () => void; reject: (error: Error) => void };

  constructor(limit: number, waits: boolean) {
    super();
    this.#limit = limit;
    this.#waits = waits;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#settle = { resolve, reject };
  }

  /** Enough: what has come is the answer. */
  stop(): void {
    this.closed = true;
    this.#settle.resolve();
  }

  /** Answers as soon as it has caught up. */
  stopWaiting(): void {
    this.#waits = false;
    if (this.#caughtUp) this.stop();
    else if (!this.#patient) this.#giveUp();
  }

  /** Answers when it stops waiting, caught up or not. */
  losePatience(): void {
    this.#patient = false;
    if (!this.#waits && !this.#caughtUp) this.#giveUp();
  }

  deliver(batch: Batch): number {
    let bytes = 0;
    for (const { message } of batch.messages) {
      if (this.closed) break;
      this.messages.push(message);
      bytes += Buffer.byteLength(message.data);
      if (this.messages.length === this.#limit || this.#bytes + bytes >= MAX_ANSWER_BYTES) this.stop();
    }
    this.#bytes += bytes;
    if (this.#caughtUp) this.stop();
    return bytes;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  gap(): void {
    this.gapped = true;
    if (this.#caughtUp) this.stop();
  }

  caughtUp(): void {
    this.#caughtUp = true;
    if (!this.#waits || this.gapped || this.messages.length > 0) this.stop();
  }

  close(reason: CloseReason): void {
    if (reason === 'log_unavailable') this.#refuse('the history cannot be read now');
    else this.stop();
  }

  /** What has come leads on from its cursor. Nothing at all would look as if there were nothing. */
  #giveUp(): void {
    if (this.gapped || this.messages.length > 0) this.stop();
    else this.#refuse('this node does not know yet whether there is something new');
  }

  #refuse(detail: string): void {
    this.closed = true;
    this.#settle.reject(new FanfareError('log_unavailable', detail));
  }
}
