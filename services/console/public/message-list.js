import { copyText } from './clipboard.js';
import { Entries, fitting } from './entries.js';
import { oncePerFrame } from './frame.js';
import { Rows } from './rows.js';

/** @typedef {import('./entries.js').Entry} Entry */

/** Rows in the page at once, for one transport. */
const MAX_ROWS = 500;
/** A batch of more rows than this is shown without the flash of the new. */
const MAX_FLASHING = 4;
/** A batch of more rows than this is a burst: nobody can read it, so only its newest rows are made. */
const BURST_ROWS = 100;
const ROWS_IN_BURST = 40;
const BURST_PAINT_MILLISECONDS = 100;
/** A burst is over when nothing has come for this long. */
const CALM_MILLISECONDS = 250;

/**
 * The newest entries of one transport, newest on top. However fast they come, the page is changed once per animation
 * frame. In a burst it shows a few of the newest ten times a second, and all that it keeps once the burst is over.
 */
export class MessageList {
  #list;
  #rows;
  #onShown;
  #entries = new Entries();
  /** @type {Entry[]} */
  #fresh = [];
  /** @type {WeakMap<Element, Entry>} */
  #entryOf = new WeakMap();
  #fits = fitting('');
  #paused = false;
  /** What came since the list was paused. */
  #held = 0;
  #inBurst = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #calm;
  #paint = oncePerFrame(
    () => this.#show(),
    () => (this.#inBurst ? BURST_PAINT_MILLISECONDS : 0),
  );

  /**
   * @param {HTMLElement} list
   * @param {Rows} rows
   * @param {() => void} onShown called after every change of the rows
   */
  constructor(list, rows, onShown) {
    this.#list = list;
    this.#rows = rows;
    this.#onShown = onShown;
    list.tabIndex = 0;
    list.addEventListener('click', (event) => this.#clicked(event));
    list.addEventListener('keydown', (event) => this.#pressed(event));
  }

  /** What came and is not shown because the list is paused. */
  get held() {
    return this.#held;
  }

  get isEmpty() {
    return this.#list.childElementCount === 0;
  }

  /** @param {Entry} entry */
  add(entry) {
    this.#entries.add(entry);
    if (this.#paused) {
      this.#held++;
      return;
    }
    this.#fresh.push(entry);
    // In a hidden tab no frame comes for as long as it stays hidden.
    if (this.#fresh.length > 4 * MAX_ROWS) this.#fresh = this.#fresh.slice(-MAX_ROWS);
    this.#paint();
  }

  /** @param {string} text */
  filter(text) {
    this.#fits = fitting(text);
    this.#rebuild();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
    this.#rebuild();
  }

  clear() {
    this.#entries.clear();
    this.#fresh = [];
    this.#held = 0;
    this.#inBurst = false;
    this.#list.replaceChildren();
    this.#onShown();
  }

  #showBurst() {
    this.#inBurst = true;
    clearTimeout(this.#calm);
    this.#calm = setTimeout(() => this.#inBurst && !this.#paused && this.#rebuild(), CALM_MILLISECONDS);
    const newest = this.#entries.newest(ROWS_IN_BURST, this.#fits);
    this.#list.replaceChildren(...newest.map((entry) => this.#row(entry)));
    this.#onShown();
  }

  #rebuild() {
    this.#inBurst = false;
    this.#fresh = [];
    this.#held = 0;
    const entries = this.#entries.newest(MAX_ROWS, this.#fits);
    this.#list.replaceChildren(...entries.map((entry) => this.#row(entry)));
    this.#onShown();
  }

  #show() {
    const fresh = this.#fresh.filter(this.#fits).slice(-MAX_ROWS);
    this.#fresh = [];
    if (fresh.length > BURST_ROWS) {
      this.#showBurst();
      return;
    }
    if (this.#inBurst) {
      this.#rebuild();
      return;
    }
    if (fresh.length > 0) {
      const rows = document.createDocumentFragment();
      for (const entry of fresh) {
        const row = this.#row(entry);
        if (fresh.length <= MAX_FLASHING) row.classList.add('fresh');
        rows.prepend(row);
      }
      this.#list.prepend(rows);
      while (this.#list.childElementCount > MAX_ROWS) this.#list.lastElementChild?.remove();
    }
    this.#onShown();
  }

  /** @param {Entry} entry */
  #row(entry) {
    const row = this.#rows.make(entry);
    this.#entryOf.set(row, entry);
    return row;
  }

  /** @param {MouseEvent} event */
  #clicked({ target }) {
    const row = target instanceof Element ? target.closest('li') : null;
    const entry = row === null ? undefined : this.#entryOf.get(row);
    if (row === null || entry?.kind !== 'message' || !(target instanceof Element)) return;
    const button = target.closest('button');
    if (button?.dataset.part === 'line') Rows.toggle(row, entry);
    else if (button !== null) copyText(entry.data, button);
  }

  /**
   * One stop of the Tab key for the whole list; the arrow keys go from row to row.
   *
   * @param {KeyboardEvent} event
   */
  #pressed(event) {
    const { key, target } = event;
    const lines = [...this.#list.querySelectorAll('button[data-part="line"]')];
    const at = target instanceof Element ? lines.indexOf(target) : -1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[key];
    const line = to === undefined ? undefined : lines[to];
    if (at < 0 && target !== this.#list) return;
    if (line instanceof HTMLElement) {
      event.preventDefault();
      line.focus();
    }
  }
}
