import { oncePerFrame } from './frame.js';
import { LaneView } from './lane-view.js';
import { MessageList } from './message-list.js';
import { Meter } from './meter.js';
import { gapText, Rows } from './rows.js';
import { Sequence } from './sequence.js';
import { timeOf } from './time.js';

/**
 * @typedef {import('./status.js').Arrival} Arrival
 * @typedef {import('./status.js').Connection} Connection
 * @typedef {import('./status.js').Gap} Gap
 * @typedef {import('./status.js').Identity} Identity
 * @typedef {import('./status.js').Observer} Observer
 * @typedef {import('./status.js').Status} Status
 * @typedef {import('./status.js').Transport} Transport
 *
 * @typedef {object} LaneParts
 * @property {Transport} transport
 * @property {(observer: Observer) => Connection} connect makes the connection
 * @property {import('./choice.js').Choice} choice
 * @property {import('./agreement.js').Agreement} agreement
 * @property {(text: string) => void} announce says a sentence to a screen reader
 * @property {() => void} askForChannel called when there is nothing to connect to
 * @property {(channel: string) => string} hueOf
 */

/** @type {ReadonlySet<import('./status.js').State>} */
const GONE = new Set(['off', 'closed', 'reconnecting']);
/** Gap reasons after which the ids of a channel may begin anew. */
const REWOUND = new Set(['rewound', 'unknown']);

/**
 * One transport on the page: what its connection tells is checked, counted and listed.
 *
 * @implements {Observer}
 */
export class Lane {
  #transport;
  #choice;
  #agreement;
  #announce;
  #askForChannel;
  #connection;
  #view;
  #list;
  #meter = new Meter();
  #sequence = new Sequence();
  /** @type {Status} */
  #status = { state: 'off' };
  #cursor = '';
  #open = false;
  /** The state that the list tells last: a try that fails like the one before is no news. */
  #noted = '';
  #paint = oncePerFrame(() => this.#show());

  /** @param {LaneParts} parts */
  constructor({ transport, connect, choice, agreement, announce, askForChannel, hueOf }) {
    this.#transport = transport;
    this.#choice = choice;
    this.#agreement = agreement;
    this.#announce = announce;
    this.#askForChannel = askForChannel;
    this.#view = new LaneView(transport);
    this.#list = new MessageList(this.#view.list, new Rows(transport, hueOf), () => this.#paint());
    this.#connection = connect(this);
    this.#view.onAction({ toggle: () => this.#toggle(), retry: () => this.#connection.retryNow() });
    this.#view.status(this.#status, false);
    this.#view.rates(this.#meter);
    setInterval(() => this.#tick(), 1_000);
    setInterval(() => this.#status.state === 'reconnecting' && this.#view.sentence(this.#status), 100);
    this.#paint();
  }

  get element() {
    return this.#view.root;
  }

  get list() {
    return this.#list;
  }

  get state() {
    return this.#status.state;
  }

  /** Makes the connection what the choice says. */
  follow() {
    const { channels, transports, start } = this.#choice;
    const wanted = transports.has(this.#transport) && channels.length > 0;
    if (wanted && this.#open) {
      this.#connection.follow(channels);
    } else if (wanted) {
      this.#sequence.forgetAll();
      this.#agreement.forgetAll();
      this.#moved('');
      this.#open = true;
      this.#connection.open(channels, start);
    } else if (this.#open) {
      this.#open = false;
      this.#agreement.forgetAll();
      this.#connection.close();
    }
    this.#view.status(this.#status, transports.has(this.#transport));
    this.#paint();
  }

  /** Another token counts from now on. */
  renew() {
    if (this.#open) this.#connection.renew();
  }

  /** Empties the list and sets the counts to zero. */
  clear() {
    this.#meter.reset();
    this.#list.clear();
  }

  /** @param {Status} status */
  status(status) {
    const before = this.#status;
    this.#status = status;
    this.#view.status(status, this.#choice.transports.has(this.#transport));
    if (before.state === status.state && before.reason === status.reason) return;
    if (GONE.has(status.state)) {
      this.#view.fact('node', '');
      this.#view.fact('round-trip', '');
      this.#view.identity('');
    }
    const why = status.reason === undefined ? '' : `: ${status.reason}`;
    if (before.state !== status.state)
      this.#announce(`${this.#transport === 'sse' ? 'SSE' : 'WebSocket'} ${status.state}${why}`);
    const text = `${status.state}${why}`;
    if (status.state === 'connecting' || text === this.#noted) return;
    this.#noted = text;
    this.#list.add({ kind: 'state', at: Date.now(), text, state: status.state });
  }

  /** @param {Arrival} message */
  message(message) {
    const { channel, id } = message;
    const duplicate = !this.#sequence.accept(channel, id);
    this.#meter.message();
    if (duplicate) this.#meter.duplicates++;
    else this.#agreement.saw(this.#transport, channel, id);
    this.#list.add({ kind: 'message', at: Date.now(), duplicate, ...message });
    this.#paint();
  }

  /** @param {string} id */
  cursor(id) {
    this.#moved(id);
  }

  /** @param {Gap} gap */
  gap({ channel, after, reason }) {
    this.#meter.gaps++;
    if (REWOUND.has(reason)) this.#sequence.forget(channel);
    this.#agreement.forget(channel);
    this.#list.add({ kind: 'gap', at: Date.now(), channel, after, reason });
    this.#announce(gapText({ channel, after, reason }));
  }

  /**
   * @param {string} cursor
   * @param {string} [channel]
   */
  caughtUp(cursor, channel) {
    const what = channel === undefined ? '' : ` on ${channel}`;
    this.#list.add({ kind: 'caught-up', at: Date.now(), text: `Caught up${what} at ${cursor}.` });
    this.#moved(cursor);
  }

  /** @param {string} reason */
  bye(reason) {
    this.#list.add({ kind: 'bye', at: Date.now(), text: `The node said bye: ${reason}.` });
  }

  /** @param {string} text */
  trouble(text) {
    this.#list.add({ kind: 'trouble', at: Date.now(), text });
    this.#announce(text);
  }

  /** @param {string} name */
  node(name) {
    this.#view.fact('node', name);
  }

  /** @param {number} milliseconds */
  roundTrip(milliseconds) {
    this.#view.fact('round-trip', `${milliseconds.toFixed(1)} ms`);
  }

  /** @param {Identity} identity */
  authenticated({ subject, endsAt }) {
    const who = subject === undefined ? '' : ` as ${subject}`;
    const end = endsAt === undefined ? '' : timeOf(endsAt, Date.now());
    const text = `Authenticated${who}${end === '' ? '' : `, until ${end}`}.`;
    this.#view.identity(`${subject ?? ''}${end === '' ? '' : ` until ${end}`}`.trim());
    this.#list.add({ kind: 'authenticated', at: Date.now(), text });
    this.#announce(text);
  }

  /** @param {string} cursor */
  #moved(cursor) {
    this.#cursor = cursor;
    this.#paint();
  }

  #toggle() {
    const wanted = this.#choice.transports.has(this.#transport);
    if (!wanted && this.#choice.channels.length === 0) this.#askForChannel();
    this.#choice.want(this.#transport, !wanted);
  }

  #tick() {
    this.#meter.tick();
    if (!document.hidden) this.#view.rates(this.#meter);
  }

  #show() {
    this.#view.counts(this.#meter);
    this.#view.fact('cursor', this.#cursor);
    this.#view.empty(this.#list.isEmpty ? this.#emptyText() : undefined);
  }

  #emptyText() {
    const { channels, transports } = this.#choice;
    if (this.#status.state === 'live') return 'Listening. Nothing has arrived yet.';
    if (this.#status.state === 'connecting') return 'Connecting…';
    if (transports.has(this.#transport) && channels.length === 0) return 'Choose a channel, and this connects.';
    return 'Not connected.';
  }
}
