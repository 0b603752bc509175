/**
 * @typedef {'token' | 'key'} Field the token to listen with, and the key or token to publish with
 */

/** What tokens and keys are made of: a node takes nothing else in an Authorization header (RFC 6750, section 2.1). */
const SECRET = /^[\w\-.~+/]+=*$/;
/** Publishers' keys begin with this. */
const KEY_PREFIX = 'ffk_';

/**
 * The token and the key that the user gave. They are kept here and in their fields, so in memory only: a reload forgets them, and
 * nothing of them may come into an address, a storage of the browser or a text of the page.
 */
export class Credentials {
  /** @type {Record<Field, string>} */
  #given = { token: '', key: '' };
  /** @type {Record<Field, string>} */
  #problems = { token: '', key: '' };
  /** @type {((field: Field) => void)[]} */
  #changed = [];
  /** @type {(() => void)[]} */
  #judged = [];

  /** What to listen with; empty for none. */
  get token() {
    return this.#given.token;
  }

  /** What to publish with by HTTP: the token where no key was given; empty for none. */
  get publishSecret() {
    return this.#given.key || this.#given.token;
  }

  /**
   * What is wrong with what a field holds, as a sentence; empty when nothing is.
   *
   * @param {Field} field
   */
  problem(field) {
    return this.#problems[field];
  }

  /** @param {(field: Field) => void} listener called when another token or key counts */
  onChange(listener) {
    this.#changed.push(listener);
  }

  /** @param {() => void} listener called when a problem came or went */
  onJudgement(listener) {
    this.#judged.push(listener);
  }

  /**
   * Takes what was typed or pasted. What can be no token is complained of, and the one before still counts.
   *
   * @param {Field} field
   * @param {string} text
   */
  give(field, text) {
    const secret = text.trim().replace(/^Bearer\s+/i, '');
    const problem = secretProblem(field, secret);
    this.#judge(field, problem);
    if (problem !== '' || secret === this.#given[field]) return;
    this.#given[field] = secret;
    for (const listener of this.#changed) listener(field);
  }

  /**
   * The node refused what was given to listen with, or that nothing was.
   *
   * @param {string} detail the node's words
   * @returns {string} the same with what to do about it, as a sentence without its stop
   */
  tokenRefused(detail) {
    const plain = plainly(detail);
    this.#judge('token', `${plain}.`);
    return `${plain}. Enter ${this.token === '' ? 'a token' : 'another token'} above`;
  }

  /**
   * The same for publishing.
   *
   * @param {string} detail
   * @param {'http' | 'websocket'} way over a WebSocket the token counts by which it listens
   * @returns {Field} what has to be replaced
   */
  publishRefused(detail, way) {
    const { token, key } = this.#given;
    const field = way === 'websocket' || (key === '' && token !== '') ? 'token' : 'key';
    this.#judge(field, `${plainly(detail)}.`);
    return field;
  }

  /** The node took what was given to listen with. */
  tokenAccepted() {
    this.#judge('token', '');
  }

  /** Something else is asked for: what was refused before is of no interest. */
  forgive() {
    for (const field of /** @type {Field[]} */ (['token', 'key'])) this.#judge(field, '');
  }

  /**
   * @param {Field} field
   * @param {string} problem
   */
  #judge(field, problem) {
    if (this.#problems[field] === problem) return;
    this.#problems[field] = problem;
    for (const listener of this.#judged) listener();
  }
}

/**
 * The header that brings a token or key, for `fetch`.
 *
 * @param {string} secret empty for none
 * @returns {Record<string, string>}
 */
export function bearer(secret) {
  return secret === '' ? {} : { authorization: `Bearer ${secret}` };
}

/**
 * Never repeats what was given.
 *
 * @param {Field} field
 * @param {string} secret
 */
function secretProblem(field, secret) {
  if (secret === '') return '';
  if (!SECRET.test(secret)) return 'This can be no token: one has letters, digits and - . _ ~ + / = only.';
  if (field === 'token' && secret.startsWith(KEY_PREFIX))
    return 'This is a publisher’s key, which cannot listen: it belongs into the other field.';
  return '';
}

/**
 * The node's words as a sentence without its stop, and without the code that says the same.
 *
 * @param {string} detail
 */
function plainly(detail) {
  return detail.charAt(0).toUpperCase() + detail.slice(1).replace(/ \(unauthenticated\)$/, '');
}
