import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KeyHint, TokenKeys } from './token-key.ts';

/** How tokens can be signed whose keys are public (RFC 7518, RFC 8037, RFC 9864). */
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
};
const ED25519 = ['EdDSA', 'Ed25519'];
export const PUBLIC_KEY_ALGORITHMS: readonly string[] = [...RSA, ...Object.values(CURVES).flat(), ...ED25519];

/** Shorter ones can be broken; RFC 7518, section 3.3. */
export const MIN_RSA_BITS = 2048;

/** Those that fit are tried on every token. */
const MAX_KEYS = 10;

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;
const PUBLIC = ['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE'];

interface PublicKey {
  readonly key: KeyObject;
  readonly algorithms: readonly string[];
}

/** Public keys from PEM. */
export class PublicKeys implements TokenKeys {
  readonly algorithms: readonly string[];
  readonly #keys: readonly PublicKey[];

  /** `pem` must have passed `publicKeyProblem`. */
  constructor(pem: string) {
    this.#keys = read(pem);
    this.algorithms = PUBLIC_KEY_ALGORITHMS.filter((alg) => this.#keys.some((key) => key.algorithms.includes(alg)));
  }

  async find({ alg }: KeyHint): Promise<readonly KeyObject[]> {
    return this.#keys.filter(({ algorithms }) => algorithms.includes(alg)).map(({ key }) => key);
  }

  close(): void {}
}

/**
 * What is wrong with one or several PEM blocks, or undefined when they are good. Each is a public key or a certificate whose key signs tokens, not
 * one of those that vouch for it. Nothing of them is repeated. A line break may be written as `\n`, as it comes in environment files.
 */
export function publicKeyProblem(pem: string): string | undefined {
  try {
    read(pem);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function read(text: string): PublicKey[] {
  const pem = text.replaceAll('\\n', '\n');
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem))
    throw new Error('is a private key, which does not belong here: give the public one (openssl pkey -pubout)');
  const blocks = [...pem.matchAll(BLOCK)];
  if (blocks.length === 0) throw new Error('must be a public key or a certificate in PEM');
  if (blocks.length > MAX_KEYS) throw new Error(`has ${blocks.length} keys, at most ${MAX_KEYS} are taken`);
  return blocks.map(([block, label = ''], i) => readBlock(block, label, blocks.length === 1 ? '' : `key ${i + 1} `));
}

function readBlock(block: string, label: string, which: string): PublicKey {
  if (!PUBLIC.includes(label)) throw new Error(`${which}must be a public key or a certificate in PEM`);
  const key = parse(block);
  if (key === undefined) throw new Error(`${which}cannot be read as a key`);
  const algorithms = algorithmsOf(key);
  if (algorithms === undefined)
    throw new Error(
      `${which}must be an RSA key of ${MIN_RSA_BITS} bits or more, a P-256, P-384 or P-521 key, or an Ed25519 key`,
    );
  return { key, algorithms };
}

function parse(block: string): KeyObject | undefined {
  try {
    return createPublicKey(block);
  } catch {
    return undefined;
  }
}

function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] | undefined {
  switch (asymmetricKeyType) {
    case 'rsa':
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS ? RSA : undefined;
    case 'ec':
      return CURVES[asymmetricKeyDetails?.namedCurve ?? ''];
    case 'ed25519':
      return ED25519;
    default:
      return undefined;
  }
}
