/** @typedef {{ id?: string }} Reply */

/** What was asked over a WebSocket and is not yet answered, by its `ref`. */
export class Replies {
  #next = 1;
  /** @type {Map<string, { resolve: (frame: Reply) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();

  /** @returns {{ ref: string, answer: Promise<Reply> }} */
  expect() {
    const ref = `r${this.#next++}`;
    /** @type {Promise<Reply>} */
    const answer = new Promise((resolve, reject) => this.#waiting.set(ref, { resolve, reject }));
    return { ref, answer };
  }

  /**
   * @param {string | undefined} ref
   * @param {Reply} frame
   */
  resolve(ref, frame) {
    this.#take(ref)?.resolve(frame);
  }

  /**
   * True when something was waiting for it.
   *
   * @param {string | undefined} ref
   * @param {string} reason
   * @param {string} [code] the node's, which becomes the error's cause
   */
  reject(ref, reason, code) {
    const waiting = this.#take(ref);
    waiting?.reject(new Error(reason, { cause: code }));
    return waiting !== undefined;
  }

  /** @param {string} reason */
  rejectAll(reason) {
    for (const ref of [...this.#waiting.keys()]) this.reject(ref, reason);
  }

  /** @param {string | undefined} ref */
  #take(ref = '') {
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    return waiting;
  }
}
