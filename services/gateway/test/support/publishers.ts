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

/**
 * Backend services that publish a steady stream, as they should: one message after the other, each with its own
 * idempotency key, and again with the same one on a 5xx or a lost connection, until it is accepted.
 */
export class Publishers {
  readonly refusals: Refusal[] = [];
  /** How many messages turned out to have been accepted by an earlier try, whose answer was lost. */
  replays = 0;
  readonly #ledger: DeliveryLedger;
  readonly #stopping = new AbortController();
  readonly #running: Promise<unknown>;
  #failure: unknown;

  /** Starts `count` publishers, each of which publishes `perSecond` messages to the channels in turn. */
  constructor(
    url: string,
    channels: readonly string[],
    ledger: DeliveryLedger,
    options: { readonly count: number; readonly perSecond: number },
  ) {
    this.#ledger = ledger;
    const publishers = Array.from({ length: options.count }, (_, i) =>
      this.#publish(url, channels, `publisher ${i}`, 1000 / options.perSecond),
    );
    this.#running = Promise.all(publishers).catch((error) => {
      this.#failure = error;
    });
  }

  /** True when at least `count` messages were accepted. Throws what ended a publisher. */
  reached(count: number): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#ledger.acceptedCount >= count;
  }

  /** Ends the stream. Every message that was begun is accepted then. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
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
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      body: JSON.stringify({ event: 'test.published', data }),
    };
    for (;;) {
      const answer = await tryPublish(`${url}/v1/channels/${channel}/messages`, request);
      if ('id' in answer) {
        if (answer.replayed) this.replays++;
        return answer.id;
      }
      this.refusals.push(answer);
      if (answer.status >= 400 && answer.status < 500)
        throw new Error(`a publish was answered with ${JSON.stringify(answer)}`);
      const seconds = Number(answer.retryAfter ?? 0);
      await setTimeout(seconds > 0 ? seconds * 1000 : RETRY.from + Math.random() * (RETRY.to - RETRY.from));
    }
  }
}

/** The id of a message that was accepted, and whether by an earlier try; or why it was not. */
async function tryPublish(url: string, request: RequestInit): Promise<{ id: string; replayed: boolean } | Refusal> {
  try {
    const response = await fetch(url, { ...request, signal: AbortSignal.timeout(ANSWER) });
    const body = (await response.json()) as { id?: string; code?: string };
    if (response.ok && body.id !== undefined)
      return { id: body.id, replayed: response.headers.get('idempotent-replayed') === 'true' };
    return { status: response.status, code: body.code ?? '', retryAfter: response.headers.get('retry-after') };
  } catch (error) {
    const { cause, message } = error as Error;
    return { status: 0, code: cause instanceof Error ? cause.message : message, retryAfter: null };
  }
}
