import { backoff } from './backoff.js';
import { bearer } from './credentials.js';
import { memberText } from './json-text.js';
import { problemText } from './problem.js';
import { getTicket } from './tickets.js';

/**
 * @typedef {import('./status.js').Connection} Connection
 * @typedef {import('./status.js').Start} Start
 */

/** A node that cannot take a stream opens it all the same, and says bye at once: this long it is not called live. */
const SETTLE_MILLISECONDS = 60;

/** Said before a stream ends whose token counts no more: its ticket opens no other. */
const ENDED = new Set(['token_expired', 'disconnected']);

/**
 * One SSE stream, kept by the browser's own EventSource: it reconnects with `Last-Event-ID` by itself, and is told apart
 * from here only by its events. `format=envelope` makes every message arrive as an unnamed event, whatever its own name.
 * It cannot send a token, so each one is opened with a ticket where a token is given.
 *
 * @implements {Connection}
 */
export class SseConnection {
  #observer;
  #credentials;
  /** @type {EventSource | undefined} */
  #source;
  /** @type {readonly string[]} */
  #channels = [];
  /** @type {Start} */
  #start = { mode: 'live', last: 0, after: '' };
  /** @type {string | undefined} */
  #cursor;
  /** @type {string | undefined} */
  #bye;
  /** @type {number | undefined} */
  #lostAt;
  #attempt = 0;
  /** Grows whenever the stream is stopped, so that a late answer is known to be of no use. */
  #epoch = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;
  #isLive = false;

  /**
   * @param {import('./status.js').Observer} observer
   * @param {import('./credentials.js').Credentials} credentials
   */
  constructor(observer, credentials) {
    this.#observer = observer;
    this.#credentials = credentials;
  }

  /**
   * @param {readonly string[]} channels at least one
   * @param {Start} start
   */
  open(channels, start) {
    this.#stop();
    this.#channels = [...channels];
    this.#start = start;
    this.#cursor = undefined;
    this.#attempt = 0;
    this.#observer.status({ state: 'connecting' });
    this.#connect();
  }

  /** @param {readonly string[]} channels at least one */
  follow(channels) {
    const same = channels.length === this.#channels.length && channels.every((name) => this.#channels.includes(name));
    if (same) return;
    this.#channels = [...channels];
    this.#openAnew('the channels changed');
  }

  /** A stream that is open is left for another one only when the node takes the new token. */
  async renew() {
    const { token } = this.#credentials;
    const why = 'the token changed';
    if (!this.#isLive || token === '') return this.#openAnew(why);
    const epoch = this.#epoch;
    const answer = await getTicket(token);
    if (epoch !== this.#epoch || token !== this.#credentials.token) return;
    if ('ticket' in answer) return this.#openAnew(why, answer.ticket);
    if (answer.status !== 401) return this.#openAnew(why);
    this.#credentials.tokenRefused(answer.reason);
    this.#observer.trouble(`${answer.reason}: what the token before gave still counts`);
  }

  close() {
    this.#stop();
    this.#observer.status({ state: 'off' });
  }

  retryNow() {
    this.#stop();
    this.#observer.status({ state: 'connecting' });
    this.#connect();
  }

  /**
   * @param {string} why
   * @param {string} [ticket]
   */
  #openAnew(why, ticket) {
    this.#stop();
    // An EventSource tells where it stands only with an event. Before the first one a new stream can but start from now.
    const from = this.#cursor === undefined ? 'from now on' : 'from its cursor';
    this.#observer.status({ state: 'connecting', reason: `${why}: opening a new stream ${from}` });
    if (ticket === undefined) this.#connect();
    else this.#listen(ticket);
  }

  /** The address of the stream, with the place to start from. */
  get #url() {
    const query = new URLSearchParams(this.#channels.map((name) => ['channel', name]));
    query.set('format', 'envelope');
    if (this.#cursor !== undefined) query.set('after', this.#cursor);
    else if (this.#start.mode === 'after') query.set('after', this.#start.after);
    else if (this.#start.mode === 'last') query.set('last', String(this.#start.last));
    return `/v1/sse?${query}`;
  }

  async #connect() {
    const { token } = this.#credentials;
    if (token === '') return this.#listen();
    const epoch = this.#epoch;
    const answer = await getTicket(token);
    if (epoch !== this.#epoch) return;
    if ('ticket' in answer) this.#listen(answer.ticket);
    else this.#refused(answer.status, answer.reason);
  }

  /** @param {string} [ticket] */
  #listen(ticket) {
    const source = new EventSource(ticket === undefined ? this.#url : `${this.#url}&ticket=${ticket}`);
    this.#source = source;
    /** @param {(event: MessageEvent) => void} handle */
    const handler = (handle) => (/** @type {MessageEvent} */ event) => {
      if (source !== this.#source) return;
      if (event.lastEventId !== '') this.#moved(event.lastEventId);
      try {
        handle(event);
      } catch {
        this.#observer.trouble(`An event could not be read: ${String(event.data).slice(0, 200)}`);
      }
    };
    source.onopen = () => {
      if (source === this.#source) this.#settling = setTimeout(() => this.#live(), SETTLE_MILLISECONDS);
    };
    source.onerror = () => {
      if (source === this.#source) this.#failed(source);
    };
    source.onmessage = handler((event) => this.#message(event.data));
    source.addEventListener(
      'fanfare:gap',
      handler((event) => this.#observer.gap(JSON.parse(event.data))),
    );
    source.addEventListener(
      'fanfare:caught-up',
      handler((event) => this.#observer.caughtUp(JSON.parse(event.data).cursor)),
    );
    source.addEventListener(
      'fanfare:bye',
      handler((event) => this.#said(JSON.parse(event.data).reason)),
    );
  }

  #live() {
    clearTimeout(this.#settling);
    if (this.#isLive) return;
    this.#isLive = true;
    this.#lostAt = undefined;
    this.#attempt = 0;
    if (this.#credentials.token !== '') this.#credentials.tokenAccepted();
    this.#observer.status({ state: 'live' });
  }

  /** @param {string} text the envelope */
  #message(text) {
    this.#live();
    const { id, channel, event } = JSON.parse(text);
    const data = memberText(text, 'data') ?? 'null';
    this.#observer.message({ id, channel, data, ...(typeof event === 'string' && { event }) });
  }

  /** @param {string} cursor */
  #moved(cursor) {
    if (cursor === this.#cursor) return;
    this.#cursor = cursor;
    this.#observer.cursor(cursor);
  }

  /** @param {string} reason */
  #said(reason) {
    clearTimeout(this.#settling);
    this.#bye = reason;
    this.#observer.bye(reason);
    if (ENDED.has(reason)) this.#ask('the node said bye: asking why');
  }

  /** @param {EventSource} source */
  #failed(source) {
    clearTimeout(this.#settling);
    this.#isLive = false;
    this.#lostAt ??= Date.now();
    const reason = this.#bye === undefined ? 'the connection was lost' : `the node said bye: ${this.#bye}`;
    this.#bye = undefined;
    if (source.readyState === EventSource.CONNECTING) {
      this.#observer.status({ state: 'reconnecting', reason, since: this.#lostAt });
      return;
    }
    this.#ask('the browser gave up on the stream: asking why');
  }

  /**
   * Ends a stream that cannot come back by itself, of which EventSource does not say why: the same question asked once more,
   * with the token, does. Where that one is granted, a new stream is, too.
   *
   * @param {string} reason
   */
  async #ask(reason) {
    this.#stop();
    this.#observer.status({ state: 'connecting', reason });
    const epoch = this.#epoch;
    const asked = new AbortController();
    const headers = { accept: 'text/event-stream', ...bearer(this.#credentials.token) };
    let status = 0;
    let why = 'the node cannot be reached';
    try {
      const response = await fetch(this.#url, { headers, signal: asked.signal });
      status = response.status;
      why = response.ok ? 'the node would open the stream again' : await problemText(response);
    } catch {
      // No answer at all: it is worth another try.
    } finally {
      asked.abort();
    }
    if (epoch === this.#epoch) this.#refused(status, why);
  }

  /**
   * Closed for good where the same would be refused again.
   *
   * @param {number} status of an HTTP answer; 0: there was none
   * @param {string} why
   */
  #refused(status, why) {
    if (status < 400 || status >= 500 || status === 429) return this.#comeBack(why);
    const reason = status === 401 ? this.#credentials.tokenRefused(why) : `${status}: ${why}`;
    this.#observer.status({ state: 'closed', reason });
  }

  /** @param {string} reason */
  #comeBack(reason) {
    const delay = backoff(this.#attempt++);
    this.#observer.status({ state: 'reconnecting', reason, retryAt: Date.now() + delay });
    this.#retry = setTimeout(() => this.#connect(), delay);
  }

  #stop() {
    this.#epoch++;
    clearTimeout(this.#retry);
    clearTimeout(this.#settling);
    this.#isLive = false;
    this.#source?.close();
    this.#source = undefined;
    this.#bye = undefined;
  }
}
