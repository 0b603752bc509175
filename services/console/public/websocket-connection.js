import { backoff, between } from './backoff.js';
import { closeOf } from './close-codes.js';
import { memberText } from './json-text.js';
import { Replies } from './replies.js';
import { Subscriptions } from './subscriptions.js';

/** @typedef {import('./status.js').Connection} Connection */

/** A node that does not say welcome or answer a ping within this time is taken for lost. */
const ANSWER_MILLISECONDS = 10_000;
/** After this long alive the next loss counts as the first one again. */
const SETTLED_MILLISECONDS = 5_000;

/**
 * One WebSocket, opened again whenever it is lost, each channel from the place that it had reached.
 *
 * @implements {Connection}
 */
export class WebSocketConnection {
  #observer;
  /** @type {WebSocket | undefined} */
  #socket;
  #subscriptions = new Subscriptions();
  #replies = new Replies();
  #welcomed = false;
  #attempt = 0;
  /** @type {number | undefined} */
  #liveAt;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #deadline;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #heartbeat;

  /** @param {import('./status.js').Observer} observer */
  constructor(observer) {
    this.#observer = observer;
    addEventListener('online', () => {
      if (this.#retry !== undefined) this.#connect();
    });
  }

  /**
   * @param {readonly string[]} channels at least one
   * @param {import('./status.js').Start} start
   */
  open(channels, start) {
    this.#drop('the connection was opened anew');
    this.#subscriptions = new Subscriptions(channels, start);
    this.#attempt = 0;
    this.#connect();
  }

  /** @param {readonly string[]} channels at least one */
  follow(channels) {
    const { added, removed } = this.#subscriptions.become(channels);
    if (this.#socket === undefined && this.#retry === undefined) {
      if (added.length + removed.length > 0) this.#connect();
      return;
    }
    if (!this.#welcomed) return;
    for (const channel of removed) this.#send({ type: 'unsubscribe', channel });
    for (const channel of added) this.#send(this.#subscriptions.request(channel));
    if (added.length > 0) this.#observer.status({ state: 'connecting', reason: 'asking for the added channels' });
    this.#settle();
  }

  close() {
    this.#drop('the connection was closed');
    this.#observer.status({ state: 'off' });
  }

  retryNow() {
    if (this.#socket === undefined) this.#connect();
  }

  get isOpen() {
    return this.#welcomed;
  }

  /**
   * Publishes over this connection.
   *
   * @param {{ channel: string, event?: string, idempotencyKey?: string }} head
   * @param {string} data valid JSON, sent as it is
   * @returns {Promise<import('./replies.js').Reply>} with the id; rejects with an Error that says what the node refused, or that no answer came
   */
  publish(head, data) {
    const { ref, answer } = this.#replies.expect();
    const frame = JSON.stringify({ type: 'publish', ...head, ref });
    this.#socket?.send(`${frame.slice(0, -1)},"data":${data}}`);
    return answer;
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#observer.status({ state: 'connecting' });
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/v1/ws`);
    this.#socket = socket;
    this.#expectAnswer('the node did not say welcome');
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      try {
        this.#frame(String(data));
      } catch {
        this.#observer.trouble(`A frame could not be read: ${String(data).slice(0, 200)}`);
      }
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#closed(code, reason);
    };
  }

  /** @param {string} text */
  #frame(text) {
    const frame = JSON.parse(text);
    switch (frame.type) {
      case 'message': {
        const { id, channel, event } = frame;
        if (!this.#subscriptions.received(channel, id)) return;
        const data = memberText(text, 'data') ?? 'null';
        this.#observer.message({ id, channel, data, ...(typeof event === 'string' && { event }) });
        this.#observer.cursor(id);
        return;
      }
      case 'welcome':
        this.#welcome(frame);
        return;
      case 'subscribed':
        if (this.#subscriptions.subscribed(frame.channel, frame.cursor)) this.#observer.cursor(frame.cursor);
        this.#settle();
        return;
      case 'cursor':
        this.#subscriptions.moved(frame.id);
        this.#observer.cursor(frame.id);
        return;
      case 'caught-up':
        this.#subscriptions.caughtUp(frame.channel, frame.cursor);
        this.#observer.caughtUp(frame.cursor, frame.channel);
        return;
      case 'gap':
        this.#observer.gap(frame);
        return;
      case 'published':
        this.#replies.resolve(frame.ref, frame);
        return;
      case 'pong':
        this.#replies.resolve(frame.ref, frame);
        return;
      case 'error':
        this.#error(frame);
    }
  }

  /** @param {{ node: string, heartbeatSeconds: number }} frame */
  #welcome({ node, heartbeatSeconds }) {
    clearTimeout(this.#deadline);
    this.#welcomed = true;
    this.#observer.node(node);
    for (const channel of this.#subscriptions.channels) this.#send(this.#subscriptions.request(channel));
    this.#ping();
    this.#heartbeat = setInterval(() => this.#ping(), Math.max(1, heartbeatSeconds) * 1_000);
  }

  /** A browser does not tell that a connection has died until it writes, and cannot send the protocol's own pings. */
  async #ping() {
    const sentAt = performance.now();
    const { ref, answer } = this.#replies.expect();
    this.#send({ type: 'ping', ref });
    this.#expectAnswer('the node did not answer a ping');
    try {
      await answer;
      clearTimeout(this.#deadline);
      this.#observer.roundTrip(performance.now() - sentAt);
    } catch {
      // The connection is gone, which has been told.
    }
  }

  /** @param {string} reason */
  #expectAnswer(reason) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost(reason), ANSWER_MILLISECONDS);
  }

  /** @param {{ code: string, detail: string, ref?: string }} frame */
  #error({ code, detail, ref }) {
    const text = `${detail} (${code})`;
    if (this.#replies.reject(ref, text)) return;
    const channel = this.#subscriptions.refused(ref, text);
    this.#observer.trouble(channel === undefined ? text : `${channel}: ${text}`);
    this.#settle();
  }

  /** Live once every channel was answered; closed when none was granted. */
  #settle() {
    if (!this.#subscriptions.answered) return;
    const refusal = this.#subscriptions.refusal;
    if (refusal !== undefined) {
      this.#drop('no channel was granted');
      this.#observer.status({ state: 'closed', reason: refusal });
      return;
    }
    this.#liveAt ??= Date.now();
    this.#observer.status({ state: 'live' });
  }

  /**
   * @param {number} code
   * @param {string} said the node's own words
   */
  #closed(code, said) {
    const { reason, comeBack, pauseMilliseconds } = closeOf(code);
    const text = code === 1006 ? reason : `${reason} (${code})`;
    if (code === 1012 || code === 1001 || code === 1013) this.#observer.bye(said || reason);
    if (comeBack) {
      this.#lost(text, pauseMilliseconds);
    } else {
      this.#drop(text);
      this.#observer.status({ state: 'closed', reason: text });
    }
  }

  /**
   * @param {string} reason
   * @param {readonly [number, number]} [pauseMilliseconds]
   */
  #lost(reason, pauseMilliseconds = [0, 0]) {
    if (this.#liveAt !== undefined && Date.now() - this.#liveAt > SETTLED_MILLISECONDS) this.#attempt = 0;
    this.#drop(reason);
    const delay = backoff(this.#attempt++) + between(...pauseMilliseconds);
    this.#observer.status({ state: 'reconnecting', reason, retryAt: Date.now() + delay });
    this.#retry = setTimeout(() => this.#connect(), delay);
  }

  /** @param {object} frame */
  #send(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  /**
   * Lets go of the socket and everything that belongs to it; what the channels have reached is kept.
   *
   * @param {string} reason
   */
  #drop(reason) {
    clearTimeout(this.#retry);
    clearTimeout(this.#deadline);
    clearInterval(this.#heartbeat);
    this.#retry = undefined;
    this.#liveAt = undefined;
    this.#welcomed = false;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#replies.rejectAll(reason);
    this.#subscriptions.dropped();
  }
}
