import { hash } from 'node:crypto';
import { decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { FanfareError } from '../../errors.ts';
import type { Principal } from '../principal.ts';
import { KnownTokens, type KnownTokensOptions } from './known-tokens.ts';
import { principalOf, readClaims, tokenRefused } from './token-claims.ts';
import { type KeyHint, KeysUnavailable, type TokenKey, type TokenKeys } from './token-key.ts';

/** How far ahead of ours the clock may be that `nbf` and `iat` were taken from, seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** Far above what a subject and a hundred patterns need; a token is part of a request's head. */
export const MAX_TOKEN_LENGTH = 8 * 1024;

export interface TokenVerifierOptions {
  readonly keys: TokenKeys;
  /** What `iss` must be. Undefined: not looked at. */
  readonly issuer: string | undefined;
  /** What `aud` must be, or have among others. Undefined: not looked at. */
  readonly audience: string | undefined;
  /** How long a token may be good for in all, seconds: that a subject was disconnected is remembered for as long. */
  readonly maxLifetimeSeconds: number;
  /** Patterns of what everybody may subscribe to. */
  readonly publicChannels: readonly string[];
  /** How long and how many good tokens are remembered. */
  readonly known?: KnownTokensOptions;
}

/**
 * Checks JSON Web Tokens (RFC 7519; RFC 8725 for what must not be trusted in them). Besides `exp`, `iat` and `sub` a token
 * has `subscribe` and `publish`, arrays of channel patterns; either may be left out.
 */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #expected: JWTVerifyOptions;
  readonly #howToSign: string;
  readonly #known: KnownTokens;
  /** What is being checked, by the token's SHA-256: who brings it meanwhile gets the same answer. */
  readonly #pending = new Map<string, Promise<Principal>>();

  constructor(options: TokenVerifierOptions) {
    const { issuer, audience, keys } = options;
    this.#options = options;
    this.#howToSign = `it must be signed with ${keys.algorithms.join(' or ')}`;
    this.#known = new KnownTokens(options.known);
    this.#expected = {
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['sub', 'exp', 'iat'],
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
    };
  }

  /**
   * Whose token it is; the same object again while the token is remembered. Its rights have not ended, as `exp` has no tolerance. Rejects with FanfareError
   * `unauthenticated`, whose detail says what is wrong and holds nothing of the token, or `auth_unavailable` while there are no keys to check it with.
   */
  async verify(token: string): Promise<Principal> {
    if (token.length > MAX_TOKEN_LENGTH) throw tokenRefused(`it is longer than ${MAX_TOKEN_LENGTH} characters`);
    const digest = hash('sha256', token, 'base64url');
    return this.#known.find(digest) ?? this.#pending.get(digest) ?? this.#begin(token, digest);
  }

  #begin(token: string, digest: string): Promise<Principal> {
    const checking = this.#check(token).then((principal) => {
      this.#known.add(digest, token.length, principal);
      return principal;
    });
    this.#pending.set(digest, checking);
    return checking.finally(() => this.#pending.delete(digest));
  }

  async #check(token: string): Promise<Principal> {
    const claims = readClaims(await this.#payloadOf(token));
    const { maxLifetimeSeconds, publicChannels } = this.#options;
    const nowMs = Date.now();
    if (claims.exp - claims.iat > maxLifetimeSeconds)
      throw tokenRefused(`"exp" may be at most ${maxLifetimeSeconds} s after "iat"`);
    if (claims.iat * 1000 > nowMs + CLOCK_TOLERANCE_SECONDS * 1000) throw tokenRefused('"iat" lies in the future');
    const principal = principalOf(claims, publicChannels);
    if ((principal.expiresMs ?? 0) <= nowMs) throw tokenRefused('it has expired');
    return principal;
  }

  /** What is in a token that is signed with one of the keys, was made for here, and whose times are right but for the tolerance. */
  async #payloadOf(token: string): Promise<JWTPayload> {
    const hint = this.#hintOf(token);
    const keys = await this.#keysFor(hint);
    if (keys.length === 0) throw tokenRefused('it is signed with a key that is not known here');
    for (const key of keys) {
      try {
        const { payload } = await jwtVerify(token, key, { ...this.#expected, algorithms: [hint.alg] });
        return payload;
      } catch (error) {
        // Another key may fit: while keys are replaced there are several.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw tokenRefused(reasonOf(error));
      }
    }
    throw tokenRefused('its signature does not fit');
  }

  #hintOf(token: string): KeyHint {
    const { algorithms } = this.#options.keys;
    const { alg, kid } = headerOf(token);
    if (alg === undefined || !algorithms.includes(alg)) throw tokenRefused(this.#howToSign);
    return { alg, kid };
  }

  async #keysFor(hint: KeyHint): Promise<readonly TokenKey[]> {
    try {
      return await this.#options.keys.find(hint);
    } catch (cause) {
      if (!(cause instanceof KeysUnavailable)) throw cause;
      throw new FanfareError('auth_unavailable', 'the keys that tokens are checked with cannot be read at the moment', {
        cause,
      });
    }
  }
}

function headerOf(token: string): { alg?: string; kid?: unknown } {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw tokenRefused('it is no JSON Web Token');
  }
}

/** In our own words: those of jose's errors may hold values. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'missing') return `"${claim}" is missing`;
    if (reason === 'invalid') return `"${claim}" must be a number of seconds since 1970`;
    if (claim === 'nbf') return 'it is not good yet ("nbf")';
    return `"${claim}" is not the one that is expected here`;
  }
  if (error instanceof errors.JOSENotSupported) return 'its header asks for something that is not done here';
  if (error instanceof errors.JOSEError) return 'it is no JSON Web Token';
  return 'the key that it is signed with cannot be used here';
}
