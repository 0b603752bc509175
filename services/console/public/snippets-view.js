import { copyText } from './clipboard.js';
import { part } from './parts.js';
import { snippets } from './snippets.js';

/** Shows one snippet at a time, under tabs. */
export class SnippetsView {
  #choice;
  #credentials;
  #tabs;
  #code;

  /**
   * @param {HTMLElement} root
   * @param {import('./choice.js').Choice} choice
   * @param {import('./credentials.js').Credentials} credentials
   */
  constructor(root, choice, credentials) {
    this.#choice = choice;
    this.#credentials = credentials;
    this.#tabs = [...root.querySelectorAll('[role="tab"]')].filter((tab) => tab instanceof HTMLElement);
    this.#code = part(root, 'snippet', HTMLElement);
    for (const tab of this.#tabs) tab.addEventListener('click', () => this.#select(tab));
    part(root, 'tabs', HTMLElement).addEventListener('keydown', (event) => this.#pressed(event));
    const copy = part(root, 'snippet-copy', HTMLButtonElement);
    copy.addEventListener('click', () => copyText(this.#code.textContent ?? '', copy));
    choice.onChange(() => this.#show());
    credentials.onChange(() => this.#show());
  }

  /** @param {HTMLElement} chosen */
  #select(chosen) {
    for (const tab of this.#tabs) {
      tab.ariaSelected = String(tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #pressed({ key }) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step === undefined) return;
    const at = this.#tabs.findIndex((tab) => tab.ariaSelected === 'true');
    const next = this.#tabs.at((at + step) % this.#tabs.length);
    if (next === undefined) return;
    this.#select(next);
    next.focus();
  }

  #show() {
    const chosen = this.#tabs.find((tab) => tab.ariaSelected === 'true');
    const { channels, start } = this.#choice;
    const { token, publishSecret } = this.#credentials;
    const secured = { listen: token !== '', publish: publishSecret !== '' };
    const all = snippets(location.origin, channels, start, secured);
    for (const [name, text] of Object.entries(all)) if (name === chosen?.dataset.snippet) this.#code.textContent = text;
  }
}
