import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { CompactSign } from 'jose';

/** Claims of a token; `undefined` leaves one out. Text stands for the payload as it is. */
export type Claims = Readonly<Record<string, unknown>> | string;

/** Something that signs tokens. */
export interface Signer {
  readonly alg: string;
  /** A token with `claims`, which go over those of `usualClaims`; text is signed as it is. `header` goes over `alg` and `kid`. */
  sign(claims?: Claims, header?: Readonly<Record<string, unknown>>): Promise<string>;
}

/** A secret as FANFARE_JWT_SECRET has it. */
export interface SecretSigner extends Signer {
  readonly secret: string;
}

/** A pair of keys as an identity provider has it. */
export interface KeyPairSigner extends Signer {
  readonly kid: string;
  /** As FANFARE_JWT_PUBLIC_KEY has it. */
  readonly publicPem: string;
  readonly privatePem: string;
  readonly publicKey: KeyObject;
  /** As a JSON Web Key Set has it, with `kid`, `alg` and `use`. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** Now, seconds since 1970. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** What a token has that is good for five minutes and allows everything. */
export function usualClaims(): Readonly<Record<string, unknown>> {
  return { sub: 'ann', iat: nowSeconds(), exp: nowSeconds() + 300, subscribe: ['*'], publish: ['*'] };
}

function payloadOf(claims: Claims): Buffer {
  return Buffer.from(typeof claims === 'string' ? claims : JSON.stringify({ ...usualClaims(), ...claims }));
}

/** Signs with a secret of its own, or the one that is given. */
export function secretSigner(
  secret = randomBytes(32).toString('hex'),
  alg: 'HS256' | 'HS384' | 'HS512' = 'HS256',
): SecretSigner {
  return {
    alg,
    secret,
    sign: (claims = {}, header = {}) =>
      new CompactSign(payloadOf(claims)).setProtectedHeader({ alg, typ: 'JWT', ...header }).sign(Buffer.from(secret)),
  };
}

export type KeyPairAlgorithm = 'RS256' | 'RS512' | 'PS256' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA';

function newKeyPair(alg: KeyPairAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (alg) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    default:
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}

/** Makes a new pair of keys. RSA takes about a tenth of a second: make it once a file. */
export function keyPairSigner(alg: KeyPairAlgorithm, kid: string = randomBytes(6).toString('hex')): KeyPairSigner {
  const { publicKey, privateKey } = newKeyPair(alg);
  return {
    alg,
    kid,
    publicKey,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
    sign: (claims = {}, header = {}) =>
      new CompactSign(payloadOf(claims)).setProtectedHeader({ alg, typ: 'JWT', kid, ...header }).sign(privateKey),
  };
}

/** A token put together by hand, for headers that no library would sign: `sign` gets what is signed and gives the signature. */
export function forgedToken(
  header: Readonly<Record<string, unknown>> | string,
  claims: Claims,
  sign: (signed: string) => Buffer,
): string {
  const head = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const signed = `${head.toString('base64url')}.${payloadOf(claims).toString('base64url')}`;
  return `${signed}.${sign(signed).toString('base64url')}`;
}

/** A token that says of itself that it is not signed. */
export function unsignedToken(claims: Claims = {}, alg = 'none'): string {
  return forgedToken({ alg, typ: 'JWT' }, claims, () => Buffer.alloc(0));
}

/** A publisher's secret, and its SHA-256 as FANFARE_PUBLISH_KEYS has it. */
export function publishSecret(): { readonly secret: string; readonly sha256: string } {
  const secret = `ffk_${randomBytes(24).toString('hex')}`;
  return { secret, sha256: createHash('sha256').update(secret).digest('hex') };
}
