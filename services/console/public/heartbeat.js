/** A node that does not say welcome or answer a ping within this time is taken for lost. */
const ANSWER_MILLISECONDS = 10_000;

/**
 * @typedef {object} HeartbeatParts
 * @property {import('./replies.js').Replies} replies
 * @property {(frame: object) => void} send
 * @property {(milliseconds: number) => void} roundTrip told after each answer
 * @property {(reason: string) => void} lost told when none came
 */

/**
 * Makes sure that the node at the other end of a WebSocket is there: a browser does not tell that a connection has died
 * until it writes, and cannot send the protocol's own pings.
 */
export class Heartbeat {
  #parts;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #deadline;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #beat;

  /** @param {HeartbeatParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  expectWelcome() {
    this.#expect('the node did not say welcome');
  }

  /** @param {number} seconds between two pings */
  start(seconds) {
    this.stop();
    this.#ping();
    this.#beat = setInterval(() => this.#ping(), Math.max(1, seconds) * 1_000);
  }

  stop() {
    clearTimeout(this.#deadline);
    clearInterval(this.#beat);
  }

  async #ping() {
    const sentAt = performance.now();
    const { ref, answer } = this.#parts.replies.expect();
    this.#parts.send({ type: 'ping', ref });
    this.#expect('the node did not answer a ping');
    try {
      await answer;
      clearTimeout(this.#deadline);
      this.#parts.roundTrip(performance.now() - sentAt);
    } catch {
      // The connection is gone, which has been told.
    }
  }

  /** @param {string} reason */
  #expect(reason) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#parts.lost(reason), ANSWER_MILLISECONDS);
  }
}
