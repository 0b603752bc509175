import { layOut } from './json-text.js';
import { copyOf, part } from './parts.js';

/** @typedef {import('./entries.js').Entry} Entry */

/** The closed row shows this much of the data: a line of 64 KB is slow to lay out, and nobody sees its end. */
const PREVIEW_CHARACTERS = 300;
/** Longer data is opened as one piece, without colours. */
const MAX_COLOURED_CHARACTERS = 20_000;

/** Makes the rows of one transport's list. */
export class Rows {
  #transport;
  #hueOf;

  /**
   * @param {import('./status.js').Transport} transport
   * @param {(channel: string) => string} hueOf the channel's colour number
   */
  constructor(transport, hueOf) {
    this.#transport = transport;
    this.#hueOf = hueOf;
  }

  /** @param {Entry} entry */
  make(entry) {
    if (entry.kind === 'message') return this.#message(entry);
    const row = copyOf('note-row');
    row.dataset.kind = entry.kind;
    row.dataset.testid = entry.kind;
    row.dataset.transport = this.#transport;
    part(row, 'time', HTMLElement).textContent = clock(entry.at);
    const text = part(row, 'text', HTMLElement);
    if (entry.kind === 'gap') {
      row.dataset.channel = entry.channel;
      text.textContent = gapText(entry);
    } else {
      if (entry.state !== undefined) row.dataset.state = entry.state;
      text.textContent = entry.text;
    }
    return row;
  }

  /**
   * Opens or closes a message's row.
   *
   * @param {HTMLElement} row
   * @param {import('./entries.js').MessageEntry} entry
   */
  static toggle(row, entry) {
    const line = part(row, 'line', HTMLButtonElement);
    const open = line.ariaExpanded !== 'true';
    line.ariaExpanded = String(open);
    row.querySelector('.whole')?.remove();
    if (!open) return;
    const whole = copyOf('whole-message');
    part(whole, 'id', HTMLElement).textContent = entry.id;
    part(whole, 'json', HTMLElement).append(...coloured(entry.data));
    row.append(whole);
  }

  /** @param {import('./entries.js').MessageEntry} entry */
  #message(entry) {
    const row = copyOf('message-row');
    row.dataset.id = entry.id;
    row.dataset.channel = entry.channel;
    row.dataset.transport = this.#transport;
    row.dataset.hue = this.#hueOf(entry.channel);
    part(row, 'time', HTMLElement).textContent = clock(entry.at);
    part(row, 'channel', HTMLElement).textContent = entry.channel;
    part(row, 'id', HTMLElement).textContent = entry.id;
    const event = part(row, 'event', HTMLElement);
    if (entry.event === undefined) event.remove();
    else event.textContent = entry.event;
    const duplicate = part(row, 'duplicate', HTMLElement);
    if (entry.duplicate) row.dataset.duplicate = 'true';
    else duplicate.remove();
    const { data } = entry;
    part(row, 'data', HTMLElement).textContent =
      data.length > PREVIEW_CHARACTERS ? `${data.slice(0, PREVIEW_CHARACTERS)}…` : data;
    return row;
  }
}

/**
 * A gap as a sentence.
 *
 * @param {import('./status.js').Gap} gap
 */
export function gapText({ channel, after, reason }) {
  return `Gap on ${channel}: not all messages after ${after || 'the start'} can be replayed (${reason}).`;
}

/**
 * @param {string} data
 * @returns {Node[]}
 */
function coloured(data) {
  if (data.length > MAX_COLOURED_CHARACTERS) return [document.createTextNode(data)];
  return layOut(data).map(({ kind, text }) => {
    if (kind === 'space') return document.createTextNode(text);
    const token = document.createElement('span');
    token.className = `token-${kind}`;
    token.textContent = text;
    return token;
  });
}

/**
 * The time of day with milliseconds.
 *
 * @param {number} at
 */
function clock(at) {
  const date = new Date(at);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
