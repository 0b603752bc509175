import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { DeliveryLedger } from './delivery-ledger.ts';

/** A publish that was not accepted at once: an answer, or none at all. */
export interface Refusal {
  /** 0 when there was no answer. */
  readonly status: number;
  /** The problem's code, or what was wrong with the connection. */
  readonly code: string;
  readonly retryAfter: string | null;
}

/** Between two tries where the answer does not say, milliseconds. */
const RETRY = { from: 100, to: 400 };
/** Past this an answer counts as lost, milliseconds. */
const ANSWER = 20_000;
/** The codes of those refusals after which the message may have been taken all the same. */
const UNCERTAIN = ['log_timeout', 'not_replicated', 'unavailable'];

/** How a crowd of publishers behaves. */
export interface PublishersOptions {
  readonly count: number;
  /** Messages of each of them. */
  readonly perSecond: number;
  /** What tells them from another crowd's, in front of their names. */
  readonly name?: string;
  /** How long they wait before they try again, milliseconds. Default: as long as `Retry-After` says. */
  readonly retryMilliseconds?: number;
  /** What they publish with, where not everybody may: a token or a key. */
  readonly secret?: string;
}

/**
 * Backend services that publish a steady stream, as they should: one message after the other, each with its own
 * idempotency key, and again with the same one on a 5xx or a lost connection, until it is accepted.
 */
export class Publishers {
  readonly refusals: Refusal[] = [];
  /** How many messages turned out to have been accepted by an earlier try, whose answer was lost. */
  replays = 0;
  readonly #ledger: DeliveryLedger;
  readonly #retryMilliseconds: number | undefined;
  readonly #authorization: Readonly<Record<string, string>>;
  readonly #stopping = new AbortController();
  readonly #givenUp = new AbortController();
  readonly #running: Promise<unknown>;
  #failure: unknown;

  /** Starts `count` publishers, each of which publishes `perSecond` messages to the channels in turn. */
  constructor(
    url: string,
    channels: readonly string[],
    ledger: DeliveryLedger,
    { count, perSecond, name = '', retryMilliseconds, secret }: PublishersOptions,
  ) {
    this.#authorization = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
    this.#ledger = ledger;
    this.#retryMilliseconds = retryMilliseconds;
    const publishers = Array.from({ length: count }, (_, i) =>
      this.#publish(url, channels, `${name}publisher ${i}`, 1000 / perSecond),
    );
    this.#running = Promise.all(publishers).catch((error) => {
      this.#failure = error;
    });
  }

  /** True when at least `count` messages were accepted. Throws what ended a publisher. */
  reached(count: number): boolean {
    this.check();
    return this.#ledger.acceptedCount >= count;
  }

  /** Throws what ended a publisher. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the stream. Every message that was begun is accepted then. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.check();
  }

  /** Ends it, also where nothing is accepted any more. */
  async abandon(): Promise<void> {
    this.#givenUp.abort();
    await this.stop().catch(() => {});
  }

  async #publish(url: string, channels: readonly string[], name: string, pauseMilliseconds: number): Promise<void> {
    let due = performance.now() + Math.random() * pauseMilliseconds;
    for (let n = 0; !this.#stopping.signal.aborted && this.#failure === undefined; n++) {
      const channel = channels[n % channels.length];
      if (channel === undefined) throw new Error('there are no channels to publish to');
      const data = { publisher: name, n };
      this.#ledger.accept(name, channel, await this.#accepted(url, channel, data), data);
      due = Math.max(due + pauseMilliseconds, performance.now());
      await setTimeout(Math.max(0, due - performance.now()));
    }
  }

  /** Publishes until it is accepted; the id. */
  async #accepted(url: string, channel: string, data: object): Promise<string> {
    const request = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...this.#authorization },
      body: JSON.stringify({ event: 'test.published', data }),
    };
    for (;;) {
      this.#givenUp.signal.throwIfAborted();
      const signal = AbortSignal.any([AbortSignal.timeout(ANSWER), this.#givenUp.signal]);
      const answer = await tryPublish(`${url}/v1/channels/${channel}/messages`, { ...request, signal });
      if ('id' in answer) {
        if (answer.replayed) this.replays++;
        return answer.id;
      }
      this.refusals.push(answer);
      if (answer.status === 0 || UNCERTAIN.includes(answer.code)) this.#ledger.mayHaveTaken(channel, data);
      if (answer.status >= 400 && answer.status < 500)
        throw new Error(`a publish was answered with ${JSON.stringify(answer)}`);
      const asked = Number(answer.retryAfter ?? 0) * 1000;
      const drawn = RETRY.from + Math.random() * (RETRY.to - RETRY.from);
      const pause = this.#retryMilliseconds ?? (asked || drawn);
      await setTimeout(pause, undefined, { signal: this.#givenUp.signal });
    }
  }
}

/** The id of a message that was accepted, and whether by an earlier try; or why it was not. */
async function tryPublish(url: string, request: RequestInit): Promise<{ id: string; replayed: boolean } | Refusal> {
  try {
    const response = await fetch(url, request);
    const body = (await response.json()) as { id?: string; code?: string };
    if (response.ok && body.id !== undefined)
      return { id: body.id, replayed: response.headers.get('idempotent-replayed') === 'true' };
    return { status: response.status, code: body.code ?? '', retryAfter: response.headers.get('retry-after') };
  } catch (error) {
    const { cause, message } = error as Error;
    return { status: 0, code: cause instanceof Error ? cause.message : message, retryAfter: null };
  }
}
