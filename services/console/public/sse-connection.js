import { backoff } from './backoff.js';
import { memberText } from './json-text.js';
import { problemText } from './problem.js';

/**
 * @typedef {import('./status.js').Connection} Connection
 * @typedef {import('./status.js').Start} Start
 */

/** A node that cannot take a stream opens it all the same, and says bye at once: this long it is not called live. */
const SETTLE_MILLISECONDS = 60;

/**
 * One SSE stream, kept by the browser's own EventSource: it reconnects with `Last-Event-ID` by itself, and is told apart
 * from here only by its events. `format=envelope` makes every message arrive as an unnamed event, whatever its own name.
 *
 * @implements {Connection}
 */
export class SseConnection {
  #observer;
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

  /** @param {import('./status.js').Observer} observer */
  constructor(observer) {
    this.#observer = observer;
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
    this.#stop();
    this.#channels = [...channels];
    this.#observer.status({
      state: 'connecting',
      reason: 'the channels changed: opening a new stream from its cursor',
    });
    this.#connect();
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

  /** The address of the stream, with the place to start from. */
  get #url() {
    const query = new URLSearchParams(this.#channels.map((name) => ['channel', name]));
    query.set('format', 'envelope');
    if (this.#cursor !== undefined) query.set('after', this.#cursor);
    else if (this.#start.mode === 'after') query.set('after', this.#start.after);
    else if (this.#start.mode === 'last') query.set('last', String(this.#start.last));
    return `/v1/sse?${query}`;
  }

  #connect() {
    const source = new EventSource(this.#url);
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
    // Closed for good, and EventSource does not say why: the same question asked once more does.
    this.#stop();
    this.#observer.status({ state: 'connecting', reason: 'the browser gave up on the stream: asking why' });
    this.#ask();
  }

  async #ask() {
    const epoch = this.#epoch;
    const asked = new AbortController();
    let reason = 'the node cannot be reached';
    try {
      const response = await fetch(this.#url, { headers: { accept: 'text/event-stream' }, signal: asked.signal });
      const refused = response.status >= 400 && response.status < 500;
      if (!response.ok) reason = `${response.status}: ${await problemText(response)}`;
      if (refused && epoch === this.#epoch) {
        this.#observer.status({ state: 'closed', reason });
        return;
      }
    } catch {
      // No answer at all: it is worth another try.
    } finally {
      asked.abort();
    }
    if (epoch === this.#epoch) this.#comeBack(reason);
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
