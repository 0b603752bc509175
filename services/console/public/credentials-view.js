import { part } from './parts.js';

/**
 * @typedef {import('./credentials.js').Credentials} Credentials
 * @typedef {import('./credentials.js').Field} Field
 */

/** What is pasted is whole: it counts at once. */
const WHOLE = new Set(['insertFromPaste', 'insertFromDrop']);

/** The fields for a token and a key. They stay folded until somebody wants them, or the node does. */
export class CredentialsView {
  #credentials;
  #fold;
  #standing;
  /** @type {Record<Field, { input: HTMLInputElement, problem: HTMLElement }>} */
  #fields;

  /**
   * @param {HTMLElement} root
   * @param {Credentials} credentials
   */
  constructor(root, credentials) {
    this.#credentials = credentials;
    this.#fold = part(root, 'credentials', HTMLDetailsElement);
    this.#standing = part(root, 'credentials-standing', HTMLElement);
    this.#fields = { token: this.#field(root, 'token'), key: this.#field(root, 'key') };
    credentials.onChange(() => this.#show());
    credentials.onJudgement(() => this.#show());
    this.#show();
  }

  /**
   * Leads the user to a field.
   *
   * @param {Field} field
   */
  ask(field) {
    this.#fold.open = true;
    this.#fields[field].input.focus();
  }

  /**
   * @param {HTMLElement} root
   * @param {Field} name
   */
  #field(root, name) {
    const input = part(root, name, HTMLInputElement);
    const take = () => this.#credentials.give(name, input.value);
    input.addEventListener('change', take);
    input.addEventListener('input', (event) => {
      if (event instanceof InputEvent && WHOLE.has(event.inputType)) take();
    });
    return { input, problem: part(root, `${name}-problem`, HTMLElement) };
  }

  #show() {
    const { token, publishSecret } = this.#credentials;
    this.#standing.textContent = token !== '' ? 'given' : publishSecret !== '' ? 'given, to publish' : 'none';
    for (const name of /** @type {Field[]} */ (['token', 'key'])) {
      const { input, problem } = this.#fields[name];
      const text = this.#credentials.problem(name);
      if (problem.textContent !== text) problem.textContent = text;
      problem.hidden = text === '';
      input.ariaInvalid = String(text !== '');
      if (text !== '') this.#fold.open = true;
    }
  }
}
