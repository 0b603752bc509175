/**
 * Who listens, as told to the node over one WebSocket: by its first message, and again with each new token.
 */
export class Authentication {
  #credentials;
  #observer;
  #next = 1;
  /** Of the newest request, until it is answered. @type {string | undefined} */
  #ref;
  /** @type {string | undefined} */
  #refusal;
  #accepted = false;

  /**
   * @param {import('./credentials.js').Credentials} credentials
   * @param {import('./status.js').Observer} observer
   */
  constructor(credentials, observer) {
    this.#credentials = credentials;
    this.#observer = observer;
  }

  /** The frame that brings the token; undefined where there is none to bring. */
  request() {
    const { token } = this.#credentials;
    if (token === '') return undefined;
    this.#ref = `a${this.#next++}`;
    return { type: 'auth', token, ref: this.#ref };
  }

  /** True once the node has taken a token on this connection. */
  get isAccepted() {
    return this.#accepted;
  }

  /** True while the node has not answered: what it refused before may be granted then. */
  get isPending() {
    return this.#ref !== undefined;
  }

  /** Why the node sends this page away; undefined when its token is not the reason. */
  get refusal() {
    return this.#refusal;
  }

  /**
   * True for the answer to the newest request.
   *
   * @param {string | undefined} ref
   */
  isAbout(ref) {
    return ref !== undefined && ref === this.#ref;
  }

  /** @param {{ subject?: string, exp?: number }} frame `exp` in seconds since 1970 */
  accepted({ subject, exp }) {
    this.#ref = undefined;
    this.#accepted = true;
    this.#refusal = undefined;
    this.#credentials.tokenAccepted();
    this.#observer.authenticated({
      ...(subject !== undefined && { subject }),
      ...(exp !== undefined && { endsAt: exp * 1_000 }),
    });
  }

  /**
   * @param {string} code
   * @param {string} text
   */
  refused(code, text) {
    this.#ref = undefined;
    const advice = code === 'unauthenticated' ? this.#credentials.tokenRefused(text) : text;
    // The rights that a connection has are not taken by a token that gives none.
    if (!this.#accepted) this.#refusal = advice;
    this.#observer.trouble(this.#accepted ? `${text}: what the token before gave still counts` : text);
  }

  /** The socket is gone, and what was told over it. */
  dropped() {
    this.#ref = undefined;
    this.#refusal = undefined;
    this.#accepted = false;
  }
}
