import type { Logger } from '../../logger.ts';

/** No password where one is needed, a wrong one, a key or command that the user may not use, also within a script. */
const DENIED = /^(NOAUTH|WRONGPASS|NOPERM|ERR The user executing the script can't run)\b/;

/** True when Redis does not let this node in, or not do what it must. */
export function isDenial(reason: string): boolean {
  return DENIED.test(reason);
}

/** Why there is no connection, in a line for who looks after the node. It tells nothing that was sent. */
export function connectionTrouble(reason: string): string {
  const what = isDenial(reason) ? 'Redis denies access' : 'no connection to Redis';
  return reason === '' ? what : `${what} (${reason.replace(/\s+/g, ' ').trim()})`;
}

/** Says once what only a person can mend: that Redis does not let this node in, or not do what it must. */
export class Denials {
  readonly #logger: Logger;
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** To be told of whatever a connection failed with. True when that was a denial. */
  heard(reason: string): boolean {
    const word = DENIED.exec(reason)?.[1];
    if (word === undefined) return false;
    if (!this.#told.has(word))
      this.#logger.error({ reason }, 'Redis denies this node access: check the user in REDIS_URL and its rights (ACL)');
    this.#told.add(word);
    return true;
  }
}
