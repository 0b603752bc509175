import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { publish } from './publish.ts';
import { SseClient } from './sse-client.ts';
import { until } from './until.ts';
import { WebSocketClient } from './websocket-client.ts';

const CHANNEL = 'bystanders';
/** Between two messages, milliseconds. */
const PAUSE = 5;

/**
 * One client on SSE and one on WebSocket that mind their own business while a test ill-treats their node: they follow a
 * channel to which one message after the other is published, and may miss none of them.
 */
export class Bystanders {
  readonly #url: string;
  readonly #sse: SseClient;
  readonly #websocket: WebSocketClient;
  readonly #publishing: Promise<void>;
  #published = 0;
  #leaving = false;

  /** Connects them, and starts to publish. */
  static async watch({ url }: { readonly url: string }): Promise<Bystanders> {
    const [sse, websocket] = await Promise.all([
      new SseClient(`${url}/v1/sse?channel=${CHANNEL}`).open(),
      new WebSocketClient(`${url}/v1/ws?channel=${CHANNEL}`).open(),
    ]);
    await until(() => websocket.of('subscribed').length === 1, 'the bystander to be subscribed');
    return new Bystanders(url, sse, websocket);
  }

  private constructor(url: string, sse: SseClient, websocket: WebSocketClient) {
    this.#url = url;
    this.#sse = sse;
    this.#websocket = websocket;
    this.#publishing = this.#publish();
    // What goes wrong is told by `leave`.
    this.#publishing.catch(() => {});
  }

  /** Waits until both have something that was published after this call, and a ping of after it was answered. */
  async areServed(): Promise<void> {
    const from = this.#published + 1;
    const asked = this.#websocket.ask({ type: 'ping' });
    await until(() => this.#published > from || this.#broken, 'a publish to be taken');
    await until(
      () => this.#broken || (this.#sse.messages.length > from && this.#websocket.of('message').length > from),
      'the bystanders to be served',
    );
    expect(this.#broken).toBe(false);
    await asked;
  }

  /** Ends it: neither was ever disconnected, and both have everything, once and in order. */
  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#publishing;
    const all = Array.from({ length: this.#published }, (_, i) => i);
    await until(
      () =>
        this.#broken || [this.#sse.messages, this.#websocket.of('message')].every(({ length }) => length >= all.length),
      'the bystanders to have everything',
    );
    expect([this.#sse.ended, this.#websocket.closeCode]).toEqual([false, undefined]);
    expect(this.#sse.messages.map(({ data }) => Number(data))).toEqual(all);
    expect(this.#websocket.of('message').map(({ data }) => data)).toEqual(all);
    this.#sse.close();
    this.#websocket.close();
  }

  get #broken(): boolean {
    return this.#sse.ended || this.#websocket.closeCode !== undefined;
  }

  async #publish(): Promise<void> {
    while (!this.#leaving) {
      await publish(this.#url, CHANNEL, this.#published);
      this.#published++;
      await setTimeout(PAUSE);
    }
  }
}
