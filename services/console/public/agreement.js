import { isAfter } from './ids.js';

/** Messages of one channel by which one side may be ahead before the comparison gives up and starts anew. */
const MAX_WAITING = 20_000;

/**
 * @typedef {import('./status.js').Transport} Transport
 *
 * @typedef {object} Verdict
 * @property {number} compared messages that both sides have delivered
 * @property {number} behind messages that one side has and the other may still bring
 * @property {Transport | undefined} ahead the side that has them; unset when it differs by channel
 * @property {number} differing messages that one side has and the other passed over
 *
 * @typedef {object} Track one channel as both sides see it
 * @property {boolean} joined true once both sides have delivered the same message; only what follows is compared
 * @property {Transport} ahead
 * @property {string[]} waiting ids that only the side ahead has delivered, oldest first
 */

/**
 * Compares what two streams deliver. In each channel both must bring the same ids in the same order from the first id
 * on that they share; either may be ahead for a while.
 */
export class Agreement {
  /** @type {Map<string, Track>} */
  #tracks = new Map();
  #compared = 0;
  #differing = 0;

  /**
   * @param {Transport} transport
   * @param {string} channel
   * @param {string} id
   */
  saw(transport, channel, id) {
    const track = this.#tracks.get(channel);
    if (track === undefined) {
      this.#tracks.set(channel, { joined: false, ahead: transport, waiting: [id] });
      return;
    }
    const { waiting } = track;
    if (waiting.length === 0 || track.ahead === transport) {
      track.ahead = transport;
      waiting.push(id);
      if (waiting.length > MAX_WAITING) this.#tracks.delete(channel);
      return;
    }
    const place = waiting.indexOf(id);
    if (place >= 0) {
      if (track.joined) this.#differing += place;
      track.joined = true;
      this.#compared++;
      waiting.splice(0, place + 1);
    } else if (isAfter(id, waiting[waiting.length - 1] ?? '')) {
      if (track.joined) this.#differing += waiting.length;
      track.ahead = transport;
      track.waiting = [id];
    } else if (track.joined) {
      this.#differing++;
    }
  }

  /**
   * Compares the channel afresh: after a gap, or when a side starts it again.
   *
   * @param {string} channel
   */
  forget(channel) {
    this.#tracks.delete(channel);
  }

  /** Compares everything afresh. */
  forgetAll() {
    this.#tracks.clear();
  }

  /** Sets the counts back to zero, and keeps the place of the comparison. */
  resetCounts() {
    this.#compared = 0;
    this.#differing = 0;
  }

  /** @returns {Verdict} */
  get verdict() {
    let behind = 0;
    /** @type {Set<Transport>} */
    const ahead = new Set();
    for (const track of this.#tracks.values()) {
      if (!track.joined || track.waiting.length === 0) continue;
      behind += track.waiting.length;
      ahead.add(track.ahead);
    }
    const [only] = ahead;
    return {
      compared: this.#compared,
      behind,
      ahead: ahead.size === 1 ? only : undefined,
      differing: this.#differing,
    };
  }
}
