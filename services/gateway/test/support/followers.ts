import { EventSource } from 'eventsource';
import { WebSocket } from 'ws';
import type { DeliveryLedger, SubscriberPage } from './delivery-ledger.ts';
import { until } from './until.ts';
import type { ServerMessage } from './websocket-client.ts';

/** A subscriber that comes back whenever it is cut off, with its cursor, as PROTOCOL.md tells clients to. */
export interface Follower {
  readonly kind: 'sse' | 'websocket';
  readonly page: SubscriberPage;
  /** How often a connection of its was opened. */
  readonly openings: number;
  /** What it was told at the ends of connections: the reasons of `fanfare:bye`, and of WebSocket closes. */
  readonly farewells: readonly string[];
  /** True while it is connected and its channels are followed. */
  readonly live: boolean;
  /** What keeps it from ever coming back, if anything does. */
  readonly givenUp: string | undefined;
  close(): void;
  /** Comes back after `close`, to any node, with the cursor of its last event. */
  resume(url: string): void;
}

/** A plain EventSource, which reconnects with `Last-Event-ID` by itself. */
export class SseFollower implements Follower {
  readonly kind = 'sse';
  readonly page: SubscriberPage;
  readonly farewells: string[] = [];
  openings = 0;
  givenUp: string | undefined;
  readonly #path: string;
  #source: EventSource;
  #cursor = '';

  constructor(url: string, channels: readonly string[], page: SubscriberPage) {
    this.page = page;
    const query = new URLSearchParams(channels.map((channel) => ['channel', channel]));
    this.#path = `/v1/sse?${query}&format=envelope`;
    this.#source = this.#connect(url);
  }

  get live(): boolean {
    return this.#source.readyState === EventSource.OPEN;
  }

  close(): void {
    this.#source.close();
  }

  resume(url: string): void {
    if (this.#cursor === '') throw new Error(`${this.page.name} has no cursor yet to come back with`);
    this.#source = this.#connect(url, this.#cursor);
  }

  #connect(url: string, cursor?: string): EventSource {
    const source = new EventSource(`${url}${this.#path}`, {
      // A page that is opened anew has no way to say so; from the first event on the EventSource sends its own.
      fetch: (input, init) =>
        fetch(input, {
          ...init,
          headers: { ...(cursor === undefined ? {} : { 'Last-Event-ID': cursor }), ...init.headers },
        }),
    });
    source.addEventListener('open', () => {
      this.openings++;
    });
    source.addEventListener('error', ({ code, message }) => {
      if (source.readyState === EventSource.CLOSED) this.givenUp = `${code}: ${message}`;
    });
    source.addEventListener('message', (event) => {
      const { channel, id, data } = JSON.parse(event.data);
      // Of a connection over several partitions the cursor has a place for each.
      if (!event.lastEventId.split(/[,:]/).includes(id))
        throw new Error(`the event of ${id} has the cursor ${event.lastEventId}`);
      this.#cursor = event.lastEventId;
      this.page.message(channel, id, data);
    });
    source.addEventListener('fanfare:gap', (event) => {
      const { channel, after, reason } = JSON.parse(event.data);
      this.page.gap(channel, after, reason);
    });
    source.addEventListener('fanfare:bye', (event) => {
      this.farewells.push(JSON.parse(event.data).reason);
    });
    return source;
  }
}

/** Milliseconds before a WebSocket is tried again: doubling, and spread, so that many do not come back at once. */
const BACKOFF = { first: 200, most: 2000 };

/** What a node says to a client that it cannot take now, before it closes the connection. */
const PASSING = ['full', 'too_many_connections', 'starting', 'draining', 'log_unavailable'];

/** A WebSocket that is opened again when it ends, each channel from the place that it had reached. */
export class WebSocketFollower implements Follower {
  readonly kind = 'websocket';
  readonly page: SubscriberPage;
  readonly farewells: string[] = [];
  /** The nodes that it was on. */
  readonly nodes: string[] = [];
  openings = 0;
  givenUp: string | undefined;
  #url: string;
  /** Channel → where it stands; undefined before it was followed for the first time. */
  readonly #cursors: Map<string, string | undefined>;
  readonly #subscribed = new Set<string>();
  #socket: WebSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempt = 0;
  #closed = false;

  constructor(url: string, channels: readonly string[], page: SubscriberPage) {
    this.#url = url;
    this.#cursors = new Map(channels.map((channel) => [channel, undefined]));
    this.page = page;
    this.#connect();
  }

  get live(): boolean {
    return this.#subscribed.size === this.#cursors.size;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  resume(url: string): void {
    this.#closed = false;
    this.#url = url;
    this.#connect();
  }

  #connect(): void {
    const socket = new WebSocket(`${this.#url.replace(/^http/, 'ws')}/v1/ws`);
    this.#socket = socket;
    this.#subscribed.clear();
    socket.on('message', (data) => {
      if (socket === this.#socket) this.#received(JSON.parse(data.toString()) as ServerMessage);
    });
    // What it says is said again by the `close` that follows.
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      if (socket === this.#socket) this.#ended(code, reason.toString());
    });
  }

  #received(message: ServerMessage): void {
    const channel = String(message.channel);
    switch (message.type) {
      case 'welcome':
        this.nodes.push(String(message.node));
        this.openings++;
        for (const [name, after] of this.#cursors)
          this.#socket?.send(JSON.stringify({ type: 'subscribe', channel: name, after }));
        return;
      case 'subscribed':
        this.#subscribed.add(channel);
        this.#cursors.set(channel, String(message.cursor));
        if (this.live) this.#attempt = 0;
        return;
      case 'message':
        this.#cursors.set(channel, String(message.id));
        return this.page.message(channel, String(message.id), message.data);
      case 'cursor':
        for (const name of this.#cursors.keys()) this.#cursors.set(name, String(message.id));
        return;
      case 'gap':
        return this.page.gap(channel, String(message.after), String(message.reason));
      case 'error':
        if (!PASSING.includes(String(message.code))) this.givenUp = JSON.stringify(message);
    }
  }

  #ended(code: number, reason: string): void {
    this.#subscribed.clear();
    if (this.#closed) return;
    // 1005 and 1006 are what the client itself says of a socket that ended without a word.
    if (code !== 1005 && code !== 1006) this.farewells.push(reason);
    const longest = Math.min(BACKOFF.most, BACKOFF.first * 2 ** this.#attempt++);
    this.#retry = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
  }
}

/** A crowd of followers. */
export class Followers {
  readonly all: readonly Follower[];

  /**
   * Connects `count` followers of each kind to `url`; all of them follow all `channels`. `name` stands in front of their
   * names, to tell them from another crowd.
   */
  constructor(url: string, channels: readonly string[], ledger: DeliveryLedger, count: number, name = '') {
    this.all = Array.from({ length: count }, (_, i) => [
      new SseFollower(url, channels, ledger.page(`${name}sse ${i}`, channels)),
      new WebSocketFollower(url, channels, ledger.page(`${name}websocket ${i}`, channels)),
    ]).flat();
  }

  of(kind: Follower['kind']): Follower[] {
    return this.all.filter((follower) => follower.kind === kind);
  }

  /** Waits until all are connected and followed. Fails when one of them has given up. */
  async live(seconds = 60): Promise<void> {
    await until(
      () => {
        for (const { page, givenUp } of this.all)
          if (givenUp !== undefined) throw new Error(`${page.name} gave up: ${givenUp}`);
        return this.all.every((follower) => follower.live);
      },
      'all followers to be live',
      seconds,
    );
  }

  /** How often connections were opened, over all followers. */
  get openings(): number {
    return this.all.reduce((sum, follower) => sum + follower.openings, 0);
  }

  /** Their names. */
  get names(): string[] {
    return this.all.map(({ page }) => page.name);
  }

  close(): void {
    for (const follower of this.all) follower.close();
  }

  /** All come back after `close`, to any node. */
  resume(url: string): void {
    for (const follower of this.all) follower.resume(url);
  }
}
