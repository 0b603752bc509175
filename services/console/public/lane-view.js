import { copyOf, part } from './parts.js';
import { sparkline } from './sparkline.js';
import { sentence } from './status.js';

/**
 * @typedef {import('./status.js').Transport} Transport
 * @typedef {import('./status.js').Status} Status
 */

/** @type {Readonly<Record<Transport, { title: string, how: string }>>} */
const WORDS = {
  sse: { title: 'Server-Sent Events', how: 'The browser’s EventSource on /v1/sse.' },
  websocket: { title: 'WebSocket', how: 'JSON frames on /v1/ws, to listen and to publish.' },
};

const number = new Intl.NumberFormat('en');

/** The face of one transport: lamp, state, read-outs and the place for its list. */
export class LaneView {
  #lamp;
  #state;
  #sentence;
  #toggle;
  #retry;
  #empty;
  #line;
  #area;
  #title;
  #how;
  /** @type {Map<string, HTMLElement>} */
  #readouts = new Map();
  root;
  list;

  /** @param {Transport} transport */
  constructor(transport) {
    const { title, how } = WORDS[transport];
    this.#how = how;
    const root = copyOf('lane');
    this.root = root;
    this.#title = title;
    root.dataset.transport = transport;
    this.#lamp = part(root, 'lamp', HTMLElement);
    this.#state = part(root, 'state', HTMLElement);
    this.#sentence = part(root, 'sentence', HTMLElement);
    this.#toggle = part(root, 'toggle', HTMLButtonElement);
    this.#retry = part(root, 'retry', HTMLButtonElement);
    this.#empty = part(root, 'empty', HTMLElement);
    this.#line = part(root, 'rate-line', SVGPathElement);
    this.#area = part(root, 'rate-area', SVGPathElement);
    this.list = part(root, 'list', HTMLElement);
    part(root, 'title', HTMLElement).textContent = title;
    root.ariaLabel = title;
    part(root, 'log', HTMLElement).ariaLabel = `Messages by ${title}`;
    for (const name of ['received', 'rate', 'gaps', 'duplicates', 'cursor', 'node', 'round-trip', 'identity'])
      this.#readouts.set(name, part(root, name, HTMLElement));
    for (const name of ['node', 'round-trip']) this.#fact(name).hidden = transport === 'sse';
    for (const element of root.querySelectorAll('[data-hook]'))
      if (element instanceof HTMLElement) element.dataset.testid = `${transport}-${element.dataset.hook}`;
  }

  /** @param {{ toggle: () => void, retry: () => void }} actions */
  onAction({ toggle, retry }) {
    this.#toggle.addEventListener('click', toggle);
    this.#retry.addEventListener('click', retry);
  }

  /**
   * @param {Status} status
   * @param {boolean} wanted
   */
  status(status, wanted) {
    this.root.dataset.state = status.state;
    this.#lamp.dataset.state = status.state;
    this.#state.textContent = status.state;
    this.#toggle.textContent = wanted ? (status.state === 'closed' ? 'Dismiss' : 'Disconnect') : 'Connect';
    this.#toggle.ariaLabel = `${this.#toggle.textContent} ${this.#title}`;
    this.#toggle.dataset.wanted = String(wanted);
    this.#retry.hidden = !(
      status.state === 'closed' ||
      (status.state === 'reconnecting' && status.retryAt !== undefined)
    );
    this.#retry.ariaLabel = `Try ${this.#title} again now`;
    this.sentence(status);
  }

  /**
   * The words under the state, which may hold a countdown.
   *
   * @param {Status} status
   */
  sentence(status) {
    const text = status.state === 'off' ? this.#how : sentence(status, Date.now());
    if (this.#sentence.textContent !== text) this.#sentence.textContent = text;
  }

  /** @param {import('./meter.js').Meter} meter */
  counts({ received, gaps, duplicates }) {
    this.#count('received', received);
    this.#count('gaps', gaps);
    this.#count('duplicates', duplicates);
  }

  /** @param {import('./meter.js').Meter} meter */
  rates({ perSecond, rates }) {
    this.#count('rate', perSecond);
    const { line, area } = sparkline(rates);
    this.#line.setAttribute('d', line);
    this.#area.setAttribute('d', area);
  }

  /**
   * @param {'cursor' | 'node' | 'round-trip'} name
   * @param {string} text
   */
  fact(name, text) {
    this.#set(name, text || '–');
  }

  /** @param {string} text for whom the node takes this page, and until when; empty where it did not say */
  identity(text) {
    this.#set('identity', text);
    this.#fact('identity').hidden = text === '';
  }

  /** @param {string | undefined} text what stands where the rows will be; undefined when there are rows */
  empty(text) {
    this.#empty.hidden = text === undefined;
    if (text !== undefined && this.#empty.textContent !== text) this.#empty.textContent = text;
  }

  /**
   * @param {string} name
   * @param {number} value
   */
  #count(name, value) {
    const element = this.#set(name, number.format(value));
    element.dataset.value = String(value);
    element.dataset.some = String(value > 0);
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #set(name, text) {
    const element = this.#readouts.get(name);
    if (element === undefined) throw new Error(`a lane has no read-out "${name}"`);
    if (element.textContent !== text) element.textContent = text;
    return element;
  }

  /** @param {string} name */
  #fact(name) {
    const fact = this.#readouts.get(name)?.closest('div');
    if (fact instanceof HTMLElement) return fact;
    throw new Error(`a lane has no fact "${name}"`);
  }
}
