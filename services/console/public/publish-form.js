import { jsonProblem } from './json-text.js';
import { part } from './parts.js';

/**
 * @typedef {import('./publisher.js').Draft} Draft
 * @typedef {import('./publisher.js').Outcome} Outcome
 * @typedef {'http' | 'websocket'} Way
 */

const MAX_TIMES = 1_000;

/** The form that publishes: it says what is wrong with the JSON while it is typed, and shows the node's answer. */
export class PublishForm {
  #form;
  #channel;
  #event;
  #data;
  #key;
  #times;
  #ttl;
  #problem;
  #submit;
  #result;
  #known;
  #websocket;
  /** The channel that was filled in by the page, which may be changed as long as the user has not. */
  #suggested = '';
  #answers = 0;

  /**
   * @param {HTMLElement} root
   * @param {(way: Way, draft: Draft) => Promise<Outcome>} publish
   */
  constructor(root, publish) {
    this.#form = part(root, 'publish-form', HTMLFormElement);
    this.#channel = part(root, 'publish-channel', HTMLInputElement);
    this.#event = part(root, 'publish-event', HTMLInputElement);
    this.#data = part(root, 'publish-data', HTMLTextAreaElement);
    this.#key = part(root, 'publish-key', HTMLInputElement);
    this.#times = part(root, 'publish-times', HTMLInputElement);
    this.#ttl = part(root, 'publish-ttl', HTMLInputElement);
    this.#problem = part(root, 'publish-problem', HTMLElement);
    this.#submit = part(root, 'publish-submit', HTMLButtonElement);
    this.#result = part(root, 'publish-result', HTMLElement);
    this.#known = part(root, 'known-channels', HTMLDataListElement);
    this.#websocket = part(root, 'publish-websocket', HTMLInputElement);
    this.#data.addEventListener('input', () => this.#check());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#publish(publish);
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
  }

  /** @param {readonly string[]} channels those that the page listens to */
  suggest(channels) {
    this.#known.replaceChildren(
      ...channels.map((name) => Object.assign(document.createElement('option'), { value: name })),
    );
    if (this.#channel.value !== this.#suggested) return;
    this.#suggested = channels.includes(this.#suggested) ? this.#suggested : (channels[0] ?? '');
    this.#channel.value = this.#suggested;
  }

  /** @param {boolean} can whether there is an open WebSocket to publish over */
  canUseWebSocket(can) {
    this.#websocket.disabled = !can;
    if (!can && this.#websocket.checked) part(this.#form, 'publish-http', HTMLInputElement).checked = true;
  }

  #check() {
    const problem = jsonProblem(this.#data.value);
    this.#problem.textContent = problem ?? 'Valid JSON. It is sent exactly as you typed it.';
    this.#problem.dataset.ok = String(problem === undefined);
    this.#data.ariaInvalid = String(problem !== undefined);
    return problem === undefined;
  }

  /** @param {(way: Way, draft: Draft) => Promise<Outcome>} publish */
  async #publish(publish) {
    if (this.#channel.value.trim() === '') {
      this.#show({ ok: false, code: '–', text: 'Name the channel to publish on.' });
      this.#channel.focus();
      return;
    }
    if (!this.#check()) {
      this.#data.focus();
      return;
    }
    this.#submit.disabled = true;
    const times = Math.min(MAX_TIMES, Math.max(1, Math.round(Number(this.#times.value)) || 1));
    this.#times.value = String(times);
    const outcome = await publish(this.#websocket.checked ? 'websocket' : 'http', {
      channel: this.#channel.value.trim(),
      data: this.#data.value.trim(),
      times,
      ...(this.#event.value !== '' && { event: this.#event.value }),
      ...(this.#key.value !== '' && { idempotencyKey: this.#key.value }),
      ...(this.#ttl.value !== '' && { ttl: Number(this.#ttl.value) }),
    });
    this.#submit.disabled = false;
    this.#show(outcome);
  }

  /** @param {Outcome} outcome */
  #show({ ok, code, text }) {
    this.#result.hidden = false;
    this.#result.dataset.ok = String(ok);
    this.#result.dataset.status = code;
    this.#result.dataset.number = String(++this.#answers);
    part(this.#result, 'publish-code', HTMLElement).textContent = code;
    part(this.#result, 'publish-answer', HTMLElement).textContent = text;
  }
}
