import type { KeyHint, TokenKeys } from './token-key.ts';

/** RFC 7518, section 3.2: a secret is at least as long as the hash. */
const MIN_SECRET_BYTES = 32;
const MIN_BYTES: Readonly<Record<string, number>> = { HS256: MIN_SECRET_BYTES, HS384: 48, HS512: 64 };

/** Each is tried on every token. */
const MAX_SECRETS = 10;

/** Printed on jwt.io, and so in many programs that came from there. */
const KNOWN_TO_ALL = /^a-string-secret-at-least-\d+-bits-long$/;

/** Keys of HMAC: whoever can check a token can also make one. */
export class SharedSecrets implements TokenKeys {
  readonly algorithms: readonly string[];
  readonly #secrets: readonly Buffer[];

  /** `text` must have passed `secretProblem`. */
  constructor(text: string) {
    this.#secrets = secretsIn(text);
    const longest = Math.max(...this.#secrets.map(({ length }) => length));
    this.algorithms = Object.keys(MIN_BYTES).filter((alg) => fits(longest, alg));
  }

  async find({ alg }: KeyHint): Promise<readonly Buffer[]> {
    return this.#secrets.filter(({ length }) => fits(length, alg));
  }

  close(): void {}
}

/**
 * What is wrong with one or several secrets, one on each line, or undefined when they are good. Nothing of them is repeated. Their bytes are
 * those of the text: nothing is decoded.
 */
export function secretProblem(text: string): string | undefined {
  if (text.includes('-----BEGIN '))
    return 'must be a secret, not a key in PEM: a public key goes to FANFARE_JWT_PUBLIC_KEY, as whoever has it could sign with it here';
  const secrets = secretsIn(text);
  if (secrets.length === 0) return 'is empty';
  if (secrets.length > MAX_SECRETS) return `has ${secrets.length} lines, at most ${MAX_SECRETS} secrets are taken`;
  const which = (i: number) => (secrets.length === 1 ? '' : `secret ${i + 1} `);
  const short = secrets.findIndex(({ length }) => !fits(length, 'HS256'));
  if (short !== -1)
    return `${which(short)}has ${secrets[short]?.length} bytes, and needs ${MIN_SECRET_BYTES} at least: make one with openssl rand -hex 32`;
  const known = secrets.findIndex((secret) => KNOWN_TO_ALL.test(secret.toString()));
  if (known !== -1) return `${which(known)}is an example that everybody knows: make one with openssl rand -hex 32`;
  return undefined;
}

function secretsIn(text: string): Buffer[] {
  return text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => Buffer.from(line));
}

function fits(length: number, alg: string): boolean {
  return length >= (MIN_BYTES[alg] ?? Number.POSITIVE_INFINITY);
}
