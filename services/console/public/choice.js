/**
 * @typedef {import('./status.js').Transport} Transport
 * @typedef {import('./status.js').Start} Start
 */

/** @type {readonly Transport[]} */
const TRANSPORTS = ['sse', 'websocket'];

/**
 * What the user has chosen: channels, transports, where to start. It lives in the address's hash, so that a reload or a
 * link brings it back: `#channel=orders&channel=chat:42&transport=sse&last=10`.
 */
export class Choice {
  /** @type {string[]} */
  channels = [];
  /** @type {Set<Transport>} */
  transports = new Set();
  /** @type {Start} */
  start = { mode: 'live', last: 10, after: '' };
  /** @type {(() => void)[]} */
  #listeners = [];

  /** @param {() => void} listener called after every change */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** @param {readonly string[]} names */
  add(names) {
    const added = names.filter((name) => !this.channels.includes(name));
    if (added.length === 0) return;
    this.channels = [...this.channels, ...new Set(added)];
    this.#changed();
  }

  /** @param {string} name */
  remove(name) {
    this.channels = this.channels.filter((channel) => channel !== name);
    this.#changed();
  }

  /**
   * @param {Transport} transport
   * @param {boolean} wanted
   */
  want(transport, wanted) {
    if (wanted) this.transports.add(transport);
    else this.transports.delete(transport);
    this.#changed();
  }

  /** @param {Partial<Start>} start */
  startWith(start) {
    this.start = { ...this.start, ...start };
    this.#changed();
  }

  /** Takes over what the address's hash says. */
  read() {
    const query = new URLSearchParams(location.hash.slice(1));
    const last = Number.parseInt(query.get('last') ?? '', 10);
    const after = query.get('after');
    this.channels = [...new Set(query.getAll('channel').filter((name) => name !== ''))];
    this.transports = new Set(TRANSPORTS.filter((name) => query.getAll('transport').includes(name)));
    if (after !== null) this.start = { ...this.start, mode: 'after', after };
    else if (last > 0) this.start = { ...this.start, mode: 'last', last };
    else this.start = { ...this.start, mode: 'live' };
    this.#changed();
  }

  #changed() {
    const query = new URLSearchParams(this.channels.map((name) => ['channel', name]));
    for (const name of TRANSPORTS) if (this.transports.has(name)) query.append('transport', name);
    if (this.start.mode === 'last') query.set('last', String(this.start.last));
    if (this.start.mode === 'after') query.set('after', this.start.after);
    const hash = query.size > 0 ? `#${query.toString().replaceAll('%3A', ':').replaceAll('%40', '@')}` : '';
    if (location.hash !== hash) history.replaceState(null, '', `${location.pathname}${location.search}${hash}`);
    for (const listener of this.#listeners) listener();
  }
}
