/** How many seconds of rates a meter remembers. */
export const RATE_SECONDS = 60;

/** Counts what one transport brought. */
export class Meter {
  received = 0;
  gaps = 0;
  duplicates = 0;
  /** Messages in each of the last seconds, oldest first. */
  rates = new Array(RATE_SECONDS).fill(0);
  #second = 0;

  message() {
    this.received++;
    this.#second++;
  }

  /** To be called once a second. */
  tick() {
    this.rates.push(this.#second);
    this.rates.shift();
    this.#second = 0;
  }

  /** Messages in the last whole second. */
  get perSecond() {
    return this.rates[RATE_SECONDS - 1] ?? 0;
  }

  reset() {
    this.received = 0;
    this.gaps = 0;
    this.duplicates = 0;
  }
}
