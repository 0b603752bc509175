import { part } from './parts.js';

const COUNT_MILLISECONDS = 250;

/** Filter, pause and clear: for both lists at once, so that they stay comparable. */
export class Toolbar {
  #lists;
  #pause;
  #paused = false;

  /**
   * @param {HTMLElement} root
   * @param {readonly import('./lane.js').Lane[]} lanes
   * @param {import('./agreement.js').Agreement} agreement
   */
  constructor(root, lanes, agreement) {
    this.#lists = lanes.map((lane) => lane.list);
    this.#pause = part(root, 'pause', HTMLButtonElement);
    const filter = part(root, 'filter', HTMLInputElement);
    filter.addEventListener('input', () => {
      for (const list of this.#lists) list.filter(filter.value);
    });
    this.#pause.addEventListener('click', () => {
      this.#paused = !this.#paused;
      for (const list of this.#lists) list.pause(this.#paused);
      this.#show();
    });
    part(root, 'clear', HTMLButtonElement).addEventListener('click', () => {
      for (const lane of lanes) lane.clear();
      agreement.resetCounts();
    });
    setInterval(() => this.#show(), COUNT_MILLISECONDS);
  }

  #show() {
    const held = Math.max(...this.#lists.map((list) => list.held));
    const text = !this.#paused ? 'Pause' : held > 0 ? `Resume · ${held} new` : 'Resume';
    if (this.#pause.textContent !== text) this.#pause.textContent = text;
    this.#pause.dataset.paused = String(this.#paused);
  }
}
