import { spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { BrowserPage, CLOSED, type PageSource } from '../support/browser-page.ts';
import type { SubscriberPage } from '../support/delivery-ledger.ts';
import { EventStreamParser, type SseEvent } from '../support/event-stream-parser.ts';

/** Somebody who follows a channel by some credentials, and whose way back is to be tried. */
export interface AuthFollower {
  readonly kind: string;
  /** How often its stream was open. */
  openings(): Promise<number>;
  /** Whether it is open now. Throws when it will never come back. */
  live(): Promise<boolean>;
  /** Puts all that has come into its page of the ledger, which must be empty. */
  report(page: SubscriberPage): Promise<void>;
  close(): Promise<void>;
}

export interface FollowerSettings {
  /** Where the nodes are, or the edge. */
  readonly url: string;
  readonly channel: string;
  readonly token: string;
}

const EVENTS = ['fanfare:gap', 'fanfare:bye'];

/** What a page needs to come from the edge's own origin. */
const PAGE = '/v1/openapi.json';

/** Between two runs of curl, milliseconds. */
const PAUSE = 200;

const queryOf = (channel: string): string => `channel=${encodeURIComponent(channel)}&format=envelope`;

function reportEvents(events: readonly SseEvent[], page: SubscriberPage): void {
  for (const { type, data } of events) {
    const { channel, id, data: published, after, reason } = JSON.parse(data) as Record<string, unknown>;
    if (type === 'fanfare:gap') page.gap(String(channel), String(after), String(reason));
    else if (!type.startsWith('fanfare:')) page.message(String(channel), String(id), published);
  }
}

/** A page whose whole code is `new EventSource(url)`. */
class EventSourceFollower implements AuthFollower {
  readonly kind: string;
  readonly page: BrowserPage;
  readonly #source: PageSource;

  constructor(kind: string, page: BrowserPage, source: PageSource) {
    this.kind = kind;
    this.page = page;
    this.#source = source;
  }

  openings(): Promise<number> {
    return this.#source.opened();
  }

  async live(): Promise<boolean> {
    const state = await this.#source.readyState();
    if (state === CLOSED) throw new Error(`the ${this.kind} was refused for good`);
    return state === 1;
  }

  async report(page: SubscriberPage): Promise<void> {
    reportEvents(await this.#source.events(), page);
  }

  /** Of the messages that have come. */
  async ids(): Promise<string[]> {
    const messages = (await this.#source.events()).filter(({ type }) => !type.startsWith('fanfare:'));
    return messages.map(({ data }) => (JSON.parse(data) as { id: string }).id);
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

/** An EventSource whose browser has the token in the cookie `session`. */
export async function byCookie(
  browser: Browser,
  { url, channel, token }: FollowerSettings,
): Promise<EventSourceFollower> {
  const page = await BrowserPage.open(browser, url + PAGE);
  await page.page
    .context()
    .addCookies([{ name: 'session', value: token, url: `${url}/v1/`, httpOnly: true, sameSite: 'Strict' }]);
  const source = await page.source(`/v1/sse?${queryOf(channel)}`, { names: EVENTS });
  return new EventSourceFollower('EventSource by cookie', page, await source.untilOpen());
}

/** Makes a ticket as a page does. */
export async function ticketOf(page: BrowserPage, token: string): Promise<string> {
  const answer = await page.ask('/v1/tickets', { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  if (answer?.status !== 201) throw new Error(`no ticket: ${answer?.status} ${answer?.text}`);
  return (JSON.parse(answer.text) as { ticket: string }).ticket;
}

/** An EventSource with a ticket, which comes back with the cookie that its browser was given. */
export async function byTicket(
  browser: Browser,
  { url, channel, token }: FollowerSettings,
): Promise<EventSourceFollower & { readonly ticket: string }> {
  const page = await BrowserPage.open(browser, url + PAGE);
  const ticket = await ticketOf(page, token);
  const source = await page.source(`/v1/sse?${queryOf(channel)}&ticket=${ticket}`, { names: EVENTS });
  const follower = new EventSourceFollower('EventSource by ticket', page, await source.untilOpen());
  return Object.assign(follower, { ticket });
}

/** What a page does to follow a channel by WebSocket: it says who it is first, and comes back by itself with its last id. */
const FOLLOW = `(url, channel, token) => {
  const seen = { openings: 0, live: false, end: null, messages: [] };
  let after;
  const connect = () => {
    const socket = new WebSocket(url);
    const say = (message) => socket.send(JSON.stringify(message));
    socket.onopen = () => {
      if (token !== null) say({ type: 'auth', token });
      say({ type: 'subscribe', channel, after });
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === 'subscribed') { seen.openings++; seen.live = true; after = message.cursor; }
      if (message.type === 'cursor' || message.type === 'message') after = message.id;
      if (message.type === 'message' || message.type === 'gap') seen.messages.push(message);
    };
    socket.onclose = ({ code, reason }) => {
      seen.live = false;
      if (code === 4401 || code === 4403) seen.end = reason;
      else setTimeout(connect, 300);
    };
  };
  connect();
  globalThis.follower = seen;
}`;

class WebSocketFollower implements AuthFollower {
  readonly kind: string;
  readonly page: BrowserPage;

  constructor(kind: string, page: BrowserPage) {
    this.kind = kind;
    this.page = page;
  }

  openings(): Promise<number> {
    return this.page.page.evaluate<number>('follower.openings');
  }

  async live(): Promise<boolean> {
    const end = await this.page.page.evaluate<string | null>('follower.end');
    if (end !== null) throw new Error(`the ${this.kind} was refused for good: ${end}`);
    return this.page.page.evaluate<boolean>('follower.live');
  }

  async report(page: SubscriberPage): Promise<void> {
    const messages = await this.page.page.evaluate<Record<string, unknown>[]>('follower.messages');
    for (const { type, channel, id, data, after, reason } of messages)
      if (type === 'gap') page.gap(String(channel), String(after), String(reason));
      else page.message(String(channel), String(id), data);
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

async function follow(page: BrowserPage, url: string, channel: string, token: string | null): Promise<void> {
  await page.page.evaluate(`(${FOLLOW})(${[url, channel, token].map((value) => JSON.stringify(value)).join(', ')})`);
}

/** A WebSocket whose first message brings the token. */
export async function byFirstMessage(
  browser: Browser,
  { url, channel, token }: FollowerSettings,
): Promise<AuthFollower> {
  const page = await BrowserPage.open(browser, url + PAGE);
  await follow(page, `${url.replace(/^http/, 'ws')}/v1/ws`, channel, token);
  return new WebSocketFollower('WebSocket by first message', page);
}

/** A WebSocket with a ticket in its URL, which comes back with the cookie that its browser was given. */
export async function byWebSocketTicket(
  browser: Browser,
  { url, channel, token }: FollowerSettings,
): Promise<WebSocketFollower & { readonly ticket: string }> {
  const page = await BrowserPage.open(browser, url + PAGE);
  const ticket = await ticketOf(page, token);
  await follow(page, `${url.replace(/^http/, 'ws')}/v1/ws?ticket=${ticket}`, channel, null);
  return Object.assign(new WebSocketFollower('WebSocket by ticket', page), { ticket });
}

/** curl with the token in its header, in a loop that hands back the last id, as a shell script would. */
export class CurlFollower implements AuthFollower {
  readonly kind = 'curl';
  readonly #settings: FollowerSettings;
  readonly #events: SseEvent[] = [];
  #openings = 0;
  #live = false;
  #refusal: string | undefined;
  #lastEventId = '';
  #closing = new AbortController();
  readonly #ended: Promise<void>;

  constructor(settings: FollowerSettings) {
    this.#settings = settings;
    this.#ended = this.#loop();
  }

  async openings(): Promise<number> {
    return this.#openings;
  }

  async live(): Promise<boolean> {
    if (this.#refusal !== undefined) throw new Error(`curl was refused: ${this.#refusal}`);
    return this.#live;
  }

  async report(page: SubscriberPage): Promise<void> {
    reportEvents(this.#events, page);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #loop(): Promise<void> {
    const { url, channel, token } = this.#settings;
    while (!this.#closing.signal.aborted && this.#refusal === undefined) {
      const resume = this.#lastEventId === '' ? [] : ['-H', `Last-Event-ID: ${this.#lastEventId}`];
      const words = ['-sN', '-H', `Authorization: Bearer ${token}`, ...resume, `${url}/v1/sse?${queryOf(channel)}`];
      await this.#run(words);
      await setTimeout(PAUSE);
    }
  }

  #run(words: readonly string[]): Promise<void> {
    const parser = new EventStreamParser();
    const curl = spawn('curl', words, { stdio: ['ignore', 'pipe', 'ignore'], signal: this.#closing.signal });
    let taken = 0;
    curl.stdout.on('data', (chunk: Buffer) => {
      parser.push(chunk);
      if (parser.text.startsWith('{')) this.#refusal = parser.text;
      if (!this.#live && parser.text.startsWith(': fanfare')) {
        this.#live = true;
        this.#openings++;
      }
      this.#events.push(...parser.events.slice(taken));
      taken = parser.events.length;
      if (parser.lastEventId !== '') this.#lastEventId = parser.lastEventId;
    });
    return new Promise((ended) => {
      // It is ended by its signal.
      curl.on('error', () => {});
      curl.on('close', () => {
        this.#live = false;
        ended();
      });
    });
  }
}
