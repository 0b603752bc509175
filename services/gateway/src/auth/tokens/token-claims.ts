import { FanfareError } from '../../errors.ts';
import { ChannelPatterns, MAX_PATTERNS, patternProblem } from '../channel-pattern.ts';
import { Principal, type TokenClaims } from '../principal.ts';
import { subjectProblem } from '../subject.ts';

export type { TokenClaims } from '../principal.ts';

/** Later times (the year 5138) are told in milliseconds, by mistake. */
const MAX_SECONDS = 100_000_000_000;

/**
 * Reads a token's payload, or what was kept of one as JSON. `subscribe` and `publish` may be left out, or be one pattern. Throws FanfareError
 * `unauthenticated`, which names the claim that is wrong and repeats nothing of it. Whether the times are those of now is not looked at.
 */
export function readClaims(payload: unknown): TokenClaims {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) throw tokenRefused('it has no claims');
  // Its own members only: what it says of `__proto__` gives it no others.
  const claims = new Map<string, unknown>(Object.entries(payload));
  const exp = readTime('exp', claims.get('exp'));
  const iat = readTime('iat', claims.get('iat'));
  if (exp <= iat) throw tokenRefused('"exp" must be later than "iat"');
  return {
    sub: readSubject(claims.get('sub')),
    subscribe: readPatterns('subscribe', claims.get('subscribe')),
    publish: readPatterns('publish', claims.get('publish')),
    exp,
    iat,
  };
}

/** Whoever has these claims. `publicChannels`: patterns of what everybody may subscribe to. */
export function principalOf(claims: TokenClaims, publicChannels: readonly string[]): Principal {
  const { sub, subscribe, publish, exp, iat } = claims;
  return new Principal({
    subject: sub,
    account: `sub:${sub}`,
    subscribe: new ChannelPatterns([...subscribe, ...publicChannels], sub),
    publish: new ChannelPatterns(publish, sub),
    expiresMs: Math.floor(exp * 1000),
    issuedMs: Math.floor(iat * 1000),
    claims,
  });
}

export function tokenRefused(what: string): FanfareError {
  return new FanfareError('unauthenticated', `the token is refused: ${what}`);
}

function readSubject(value: unknown): string {
  if (typeof value !== 'string') throw tokenRefused('"sub" must be text');
  const problem = subjectProblem(value);
  if (problem !== undefined) throw tokenRefused(`"sub" ${problem}`);
  return value;
}

function readTime(claim: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    throw tokenRefused(`"${claim}" must be a number of seconds since 1970`);
  if (value > MAX_SECONDS) throw tokenRefused(`"${claim}" must be in seconds since 1970, not in milliseconds`);
  return value;
}

function readPatterns(claim: string, value: unknown): readonly string[] {
  if (value === undefined) return [];
  const patterns: unknown[] = Array.isArray(value) ? value : [value];
  if (patterns.length > MAX_PATTERNS) throw tokenRefused(`"${claim}" has more than ${MAX_PATTERNS} patterns`);
  return patterns.map((pattern, i) => {
    const problem = typeof pattern === 'string' ? patternProblem(pattern) : 'a pattern is text';
    if (problem !== undefined) throw tokenRefused(`"${claim}", pattern ${i + 1}: ${problem}`);
    return pattern as string;
  });
}
