import { copyOf, part } from './parts.js';

const MAX_CHANNEL_LENGTH = 200;

/**
 * What is wrong with a channel's name, or undefined when it is good. The node has the last word.
 *
 * @param {string} name
 */
function channelProblem(name) {
  if (name.length > MAX_CHANNEL_LENGTH) return `A channel name has at most ${MAX_CHANNEL_LENGTH} characters.`;
  if (!/^[A-Za-z0-9_\-.:@]+$/.test(name)) return `“${name}” cannot be a channel: use A–Z a–z 0–9 _ - . : @ only.`;
  return undefined;
}

/** Lets the user choose channels, as chips. Several names may be typed at once, with spaces or commas between them. */
export class ChannelPicker {
  #choice;
  #input;
  #chips;
  #problem;
  #hues;

  /**
   * @param {HTMLElement} root
   * @param {import('./choice.js').Choice} choice
   * @param {import('./hues.js').Hues} hues
   */
  constructor(root, choice, hues) {
    this.#choice = choice;
    this.#hues = hues;
    this.#input = part(root, 'channel-input', HTMLInputElement);
    this.#chips = part(root, 'chips', HTMLElement);
    this.#problem = part(root, 'channel-problem', HTMLElement);
    part(root, 'channel-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#add();
    });
    this.#input.addEventListener('input', () => this.#complain(undefined));
    this.#chips.addEventListener('click', ({ target }) => {
      const button = target instanceof Element ? target.closest('button') : null;
      if (button?.dataset.channel !== undefined) this.#remove(button.dataset.channel);
    });
    choice.onChange(() => this.#show());
  }

  /** @param {string} problem */
  ask(problem) {
    this.#complain(problem);
    this.#input.focus();
  }

  #add() {
    const names = this.#input.value.split(/[\s,]+/).filter((name) => name !== '');
    const problem = names.length === 0 ? 'Type the name of a channel first.' : names.map(channelProblem).find(Boolean);
    if (problem !== undefined) {
      this.ask(problem);
      return;
    }
    this.#input.value = '';
    this.#choice.add(names);
  }

  /** @param {string} name */
  #remove(name) {
    this.#choice.remove(name);
    this.#input.focus();
  }

  /** @param {string | undefined} problem */
  #complain(problem) {
    this.#problem.textContent = problem ?? '';
    this.#problem.hidden = problem === undefined;
    this.#input.setAttribute('aria-invalid', String(problem !== undefined));
  }

  #show() {
    const shown = [...this.#chips.children].map((chip) => (chip instanceof HTMLElement ? chip.dataset.channel : ''));
    const { channels } = this.#choice;
    if (shown.length === channels.length && channels.every((name, at) => name === shown[at])) return;
    if (channels.length > 0) this.#complain(undefined);
    this.#chips.replaceChildren(
      ...channels.map((name) => {
        const chip = copyOf('chip');
        chip.dataset.channel = name;
        chip.dataset.hue = this.#hues.of(name);
        part(chip, 'name', HTMLElement).textContent = name;
        const remove = part(chip, 'remove', HTMLButtonElement);
        remove.dataset.channel = name;
        remove.ariaLabel = `Remove channel ${name}`;
        return chip;
      }),
    );
  }
}
