/**
 * One line of a transport's list.
 *
 * @typedef {object} MessageEntry
 * @property {'message'} kind
 * @property {number} at when it came (milliseconds as of Date.now)
 * @property {string} id
 * @property {string} channel
 * @property {string} [event]
 * @property {string} data exact JSON text
 * @property {boolean} duplicate
 *
 * @typedef {object} GapEntry
 * @property {'gap'} kind
 * @property {number} at
 * @property {string} channel
 * @property {string} after
 * @property {string} reason
 *
 * @typedef {object} NoteEntry something that the connection said or did
 * @property {'caught-up' | 'authenticated' | 'bye' | 'state' | 'trouble'} kind
 * @property {number} at
 * @property {string} text
 * @property {import('./status.js').State} [state]
 *
 * @typedef {MessageEntry | GapEntry | NoteEntry} Entry
 */

const MAX_ENTRIES = 2_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;

/** The newest entries, oldest first: bounded in number and in text, so that a page left open does not fill up. */
export class Entries {
  /** @type {Entry[]} */
  #all = [];
  #characters = 0;

  /** @param {Entry} entry */
  add(entry) {
    this.#all.push(entry);
    this.#characters += sizeOf(entry);
    // Cut by halves: cutting one at a time would move the whole list for every message.
    if (this.#all.length <= 2 * MAX_ENTRIES && this.#characters <= 2 * MAX_CHARACTERS) return;
    let from = Math.max(0, this.#all.length - MAX_ENTRIES);
    let characters = 0;
    for (let at = this.#all.length - 1; at >= from; at--) {
      const entryAt = this.#all[at];
      characters += entryAt === undefined ? 0 : sizeOf(entryAt);
      if (characters > MAX_CHARACTERS) from = at + 1;
    }
    this.#all = this.#all.slice(from);
    this.#characters = this.#all.reduce((sum, kept) => sum + sizeOf(kept), 0);
  }

  clear() {
    this.#all = [];
    this.#characters = 0;
  }

  /**
   * Up to `limit` of the newest entries that fit, newest first.
   *
   * @param {number} limit
   * @param {(entry: Entry) => boolean} fits
   */
  newest(limit, fits) {
    /** @type {Entry[]} */
    const found = [];
    for (let at = this.#all.length - 1; at >= 0 && found.length < limit; at--) {
      const entry = this.#all[at];
      if (entry !== undefined && fits(entry)) found.push(entry);
    }
    return found;
  }
}

/** @param {Entry} entry */
function sizeOf(entry) {
  return entry.kind === 'message' ? entry.data.length : 0;
}

/**
 * Makes a test for a filter: words, all of which must occur in a message's channel, event, id or data. What the
 * connection says always fits.
 *
 * @param {string} text
 * @returns {(entry: Entry) => boolean}
 */
export function fitting(text) {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return () => true;
  return (entry) => {
    if (entry.kind !== 'message') return true;
    const { channel, event = '', id, data } = entry;
    const line = `${channel}\n${event}\n${id}\n${data}`.toLowerCase();
    return words.every((word) => line.includes(word));
  };
}
