/**
 * @typedef {import('./status.js').Start} Start
 *
 * @typedef {object} Subscription
 * @property {string} [cursor] the place to resume from
 * @property {boolean} answered
 * @property {boolean} replaying true from a request with a place until the node says caught-up
 * @property {string} [ref] of the newest request
 * @property {string} [refusal]
 */

/** The channels of one WebSocket and the place that each has reached. It outlives the socket. */
export class Subscriptions {
  /** @type {Map<string, Subscription>} */
  #channels = new Map();
  #start;
  #nextRef = 1;

  /**
   * @param {readonly string[]} channels
   * @param {Start} start
   */
  constructor(channels = [], start = { mode: 'live', last: 0, after: '' }) {
    this.#start = start;
    this.become(channels);
  }

  get channels() {
    return [...this.#channels.keys()];
  }

  /** True when the node has answered for every channel. */
  get answered() {
    return [...this.#channels.values()].every((subscription) => subscription.answered);
  }

  /** Why none was granted; undefined as long as one was, or may still be. */
  get refusal() {
    const refusals = [...this.#channels.values()].map((subscription) => subscription.refusal);
    return refusals.includes(undefined) ? undefined : refusals[0];
  }

  /** The channels that were refused, which are to be asked for again. */
  takeRefused() {
    const refused = this.channels.filter((channel) => this.#channels.get(channel)?.refusal !== undefined);
    for (const channel of refused) {
      const subscription = this.#channels.get(channel);
      if (subscription === undefined) continue;
      subscription.answered = false;
      delete subscription.refusal;
    }
    return refused;
  }

  /**
   * @param {readonly string[]} channels
   * @returns {{ added: string[], removed: string[] }}
   */
  become(channels) {
    const added = channels.filter((channel) => !this.#channels.has(channel));
    const removed = this.channels.filter((channel) => !channels.includes(channel));
    for (const channel of removed) this.#channels.delete(channel);
    for (const channel of added) this.#channels.set(channel, { answered: false, replaying: false });
    return { added, removed };
  }

  /**
   * The frame that asks for the channel: from its cursor on, or as the user wants to start.
   * Its `ref` leads a refusal back to the channel.
   *
   * @param {string} channel
   */
  request(channel) {
    const subscription = this.#channels.get(channel);
    const frame = { type: 'subscribe', channel, ref: `s${this.#nextRef++}` };
    if (subscription === undefined) return frame;
    subscription.ref = frame.ref;
    const { mode, last, after } = this.#start;
    const from = subscription.cursor ?? (mode === 'after' ? after : undefined);
    subscription.replaying = from !== undefined || mode === 'last';
    if (from !== undefined) return { ...frame, after: from };
    return mode === 'last' ? { ...frame, last } : frame;
  }

  /**
   * True when the channel now stands at `cursor`.
   *
   * @param {string} channel
   * @param {string | undefined} cursor unset where only the replay will tell
   */
  subscribed(channel, cursor) {
    const subscription = this.#channels.get(channel);
    if (subscription === undefined) return false;
    subscription.answered = true;
    // While a replay runs, only its messages tell how far it has come.
    if (subscription.replaying || cursor === undefined) return false;
    subscription.cursor = cursor;
    return true;
  }

  /**
   * @param {string | undefined} ref
   * @param {string} refusal
   * @returns {string | undefined} the channel that was refused
   */
  refused(ref, refusal) {
    for (const [channel, subscription] of this.#channels) {
      if (ref === undefined || subscription.ref !== ref) continue;
      subscription.answered = true;
      subscription.refusal = refusal;
      return channel;
    }
    return undefined;
  }

  /**
   * The node took back what it had granted. False for a channel that is not wanted any more.
   *
   * @param {string} channel
   * @param {string} refusal
   */
  withdrawn(channel, refusal) {
    const subscription = this.#channels.get(channel);
    if (subscription === undefined) return false;
    subscription.refusal = refusal;
    return true;
  }

  /**
   * False for a channel that is no longer wanted.
   *
   * @param {string} channel
   * @param {string} id
   */
  received(channel, id) {
    const subscription = this.#channels.get(channel);
    if (subscription === undefined) return false;
    subscription.cursor = id;
    return true;
  }

  /**
   * The whole connection has moved on. What was said last is the newest, so no ids have to be compared.
   *
   * @param {string} cursor
   */
  moved(cursor) {
    for (const subscription of this.#channels.values()) {
      if (subscription.answered && !subscription.replaying) subscription.cursor = cursor;
    }
  }

  /**
   * @param {string} channel
   * @param {string} cursor
   */
  caughtUp(channel, cursor) {
    const subscription = this.#channels.get(channel);
    if (subscription === undefined) return;
    subscription.replaying = false;
    subscription.cursor = cursor;
  }

  /** The socket is gone: everything has to be asked for again. */
  dropped() {
    for (const subscription of this.#channels.values()) {
      subscription.answered = false;
      subscription.replaying = false;
      delete subscription.refusal;
    }
  }
}
