import { isAfter } from './ids.js';

/** Checks that the ids of each channel only ever rise: the proof that no message came twice or out of its order. */
export class Sequence {
  /** @type {Map<string, string>} */
  #last = new Map();

  /**
   * False when `id` does not come after the last one of its channel.
   *
   * @param {string} channel
   * @param {string} id
   */
  accept(channel, id) {
    const last = this.#last.get(channel);
    if (last !== undefined && !isAfter(id, last)) return false;
    this.#last.set(channel, id);
    return true;
  }

  /**
   * Starts the channel afresh: after a gap the log may have been rewound.
   *
   * @param {string} channel
   */
  forget(channel) {
    this.#last.delete(channel);
  }

  /** Starts all channels afresh: a stream that was opened anew may replay on purpose. */
  forgetAll() {
    this.#last.clear();
  }
}
