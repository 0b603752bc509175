import { part } from './parts.js';

const MAX_LAST = 1_000;

/** Lets the user choose where a stream that is opened begins. */
export class StartPicker {
  #choice;
  #mode;
  #last;
  #after;

  /**
   * @param {HTMLElement} root
   * @param {import('./choice.js').Choice} choice
   */
  constructor(root, choice) {
    this.#choice = choice;
    this.#mode = part(root, 'start-mode', HTMLSelectElement);
    this.#last = part(root, 'start-last', HTMLInputElement);
    this.#after = part(root, 'start-after', HTMLInputElement);
    this.#mode.addEventListener('change', () => {
      const mode = this.#mode.value;
      choice.startWith({ mode: mode === 'last' || mode === 'after' ? mode : 'live' });
    });
    this.#last.addEventListener('change', () => {
      const last = Math.round(Number(this.#last.value));
      choice.startWith({ last: Math.min(MAX_LAST, Math.max(1, last || 1)) });
    });
    this.#after.addEventListener('change', () => choice.startWith({ after: this.#after.value.trim() }));
    choice.onChange(() => this.#show());
  }

  #show() {
    const { mode, last, after } = this.#choice.start;
    this.#mode.value = mode;
    this.#last.value = String(last);
    this.#after.value = after;
    for (const field of [this.#last, this.#after]) {
      const label = field.closest('label');
      if (label !== null)
        label.hidden = field !== (mode === 'last' ? this.#last : mode === 'after' ? this.#after : null);
    }
  }
}
