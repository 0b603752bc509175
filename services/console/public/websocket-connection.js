import { Authentication } from './authentication.js';
import { backoff, between } from './backoff.js';
import { closeOf } from './close-codes.js';
import { Heartbeat } from './heartbeat.js';
import { memberText } from './json-text.js';
import { Replies } from './replies.js';
import { Subscriptions } from './subscriptions.js';

/** @typedef {import('./status.js').Connection} Connection */

/** After this long alive the next loss counts as the first one again. */
const SETTLED_MILLISECONDS = 5_000;
/** The `ref` of what this page unsubscribes from: without it, the node has taken a channel away. */
const OURS = 'u';

/**
 * One WebSocket, opened again whenever it is lost, each channel from the place that it had reached.
 *
 * @implements {Connection}
 */
export class WebSocketConnection {
  #observer;
  #credentials;
  #authentication;
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
  #heartbeat;

  /**
   * @param {import('./status.js').Observer} observer
   * @param {import('./credentials.js').Credentials} credentials
   */
  constructor(observer, credentials) {
    this.#observer = observer;
    this.#credentials = credentials;
    this.#authentication = new Authentication(credentials, observer);
    this.#heartbeat = new Heartbeat({
      replies: this.#replies,
      send: (frame) => this.#send(frame),
      roundTrip: (milliseconds) => observer.roundTrip(milliseconds),
      lost: (reason) => this.#lost(reason),
    });
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
    for (const channel of removed) this.#send({ type: 'unsubscribe', channel, ref: OURS });
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

  renew() {
    if (this.#welcomed && this.#credentials.token !== '') return this.#authenticate();
    // One that is on its way will bring the token that is given by then.
    if (this.#socket === undefined || this.#welcomed) this.#connectAnew();
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

  #connectAnew() {
    this.#drop('the token changed');
    this.#connect();
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#observer.status({ state: 'connecting' });
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/v1/ws`);
    this.#socket = socket;
    this.#heartbeat.expectWelcome();
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
      case 'authenticated':
        this.#authenticated(frame);
        return;
      case 'unsubscribed':
        if (frame.ref !== OURS) this.#withdrawn(frame.channel);
        return;
      case 'published':
      case 'pong':
        this.#replies.resolve(frame.ref, frame);
        return;
      case 'error':
        this.#error(frame);
    }
  }

  /** @param {{ node: string, heartbeatSeconds: number }} frame */
  #welcome({ node, heartbeatSeconds }) {
    this.#welcomed = true;
    this.#observer.node(node);
    this.#authenticate();
    for (const channel of this.#subscriptions.channels) this.#send(this.#subscriptions.request(channel));
    this.#heartbeat.start(heartbeatSeconds);
  }

  #authenticate() {
    const request = this.#authentication.request();
    if (request !== undefined) this.#send(request);
  }

  /** @param {{ subject?: string, exp?: number }} frame `exp` in seconds since 1970 */
  #authenticated(frame) {
    this.#authentication.accepted(frame);
    for (const channel of this.#subscriptions.takeRefused()) this.#send(this.#subscriptions.request(channel));
    this.#settle();
  }

  /** @param {string} channel that the new token gives no more */
  #withdrawn(channel) {
    const text = 'the token gives no right to it any more';
    if (!this.#subscriptions.withdrawn(channel, text)) return;
    this.#observer.trouble(`${channel}: ${text}`);
    this.#settle();
  }

  /** @param {{ code: string, detail: string, ref?: string }} frame */
  #error({ code, detail, ref }) {
    const told = `${detail} (${code})`;
    if (this.#authentication.isAbout(ref)) return this.#notAuthenticated(code, told);
    if (this.#replies.reject(ref, told, code)) return;
    const text = code === 'unauthenticated' ? this.#credentials.tokenRefused(told) : told;
    const channel = this.#subscriptions.refused(ref, text);
    this.#observer.trouble(channel === undefined ? told : `${channel}: ${told}`);
    this.#settle();
  }

  /**
   * @param {string} code
   * @param {string} text
   */
  #notAuthenticated(code, text) {
    // A connection is one person's: another one's token needs another connection.
    if (code === 'forbidden' && this.#authentication.isAccepted) return this.#connectAnew();
    this.#authentication.refused(code, text);
    this.#settle();
  }

  /** Live once every channel was answered; closed when none was granted. */
  #settle() {
    if (!this.#subscriptions.answered || this.#authentication.isPending) return;
    const refusal = this.#subscriptions.refusal;
    if (refusal !== undefined) {
      const reason = this.#authentication.refusal ?? refusal;
      this.#drop('no channel was granted');
      this.#observer.status({ state: 'closed', reason });
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
    const { reason, comeBack, pauseMilliseconds } = closeOf(code, said);
    const text = code === 1006 ? reason : `${this.#authentication.refusal ?? reason} (${code})`;
    if (code === 1012 || code === 1001 || code === 1013) this.#observer.bye(said || reason);
    if (comeBack) return this.#lost(text, pauseMilliseconds);
    this.#drop(text);
    this.#observer.status({ state: 'closed', reason: text });
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
    this.#heartbeat.stop();
    this.#retry = undefined;
    this.#liveAt = undefined;
    this.#welcomed = false;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#authentication.dropped();
    this.#replies.rejectAll(reason);
    this.#subscriptions.dropped();
  }
}
