/** As many as the style sheet has colours for. */
const HUES = 6;

/** Gives each channel a colour number, which it keeps. */
export class Hues {
  /** @type {Map<string, string>} */
  #hues = new Map();

  /** @param {string} channel */
  of(channel) {
    let hue = this.#hues.get(channel);
    if (hue === undefined) {
      hue = String(this.#hues.size % HUES);
      this.#hues.set(channel, hue);
    }
    return hue;
  }
}
