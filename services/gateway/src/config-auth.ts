import { MAX_PATTERNS, patternProblem } from './auth/channel-pattern.ts';
import { type PublishKey, readPublishKeys } from './auth/publish-keys.ts';
import { publicKeyProblem, secretProblem, type TokenKeySource } from './auth/tokens/token-keys.ts';
import type { Check, Environment } from './environment.ts';

/** Who may listen and publish. */
export interface AuthSettings {
  readonly tokenKeys: TokenKeySource;
  /** What a token's `iss` and `aud` must be. Undefined: not looked at. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** The cookie in which a token may come. Undefined: in none. */
  readonly cookieName: string | undefined;
  readonly publishKeys: readonly PublishKey[];
  /** Patterns of the channels that anybody may subscribe to. */
  readonly publicChannels: readonly string[];
  /** How long a token may be good for in all. */
  readonly maxTokenLifetimeSeconds: number;
}

/** What holds only where it is known who somebody is. 0: no limit. */
export interface SubjectLimits {
  readonly maxConnectionsPerSubject: number;
  /** Messages of one key or subject, over all nodes. */
  readonly maxPublishRatePerSecond: number;
}

/** The settings where tokens' keys can be; there is one of them. */
const TOKEN_KEYS = ['FANFARE_JWT_SECRET', 'FANFARE_JWT_JWKS_URL', 'FANFARE_JWT_PUBLIC_KEY'] as const;
/** What only counts with FANFARE_AUTH=jwt. */
const JWT_SETTINGS = [
  ...TOKEN_KEYS,
  'FANFARE_JWT_ISSUER',
  'FANFARE_JWT_AUDIENCE',
  'FANFARE_COOKIE_NAME',
  'FANFARE_PUBLISH_KEYS',
  'FANFARE_PUBLIC_CHANNELS',
  'FANFARE_MAX_TOKEN_LIFETIME',
  'FANFARE_MAX_CONNECTIONS_PER_SUBJECT',
  'FANFARE_MAX_PUBLISH_RATE',
] as const;
/** Somebody may put a secret into the wrong one of these, so no value of any of them is repeated. */
export const AUTH_SETTINGS: ReadonlySet<string> = new Set(['FANFARE_AUTH', ...JWT_SETTINGS]);

const NO_LIMITS: SubjectLimits = { maxConnectionsPerSubject: 0, maxPublishRatePerSecond: 0 };

/**
 * Reads who may listen and publish. `auth` is undefined where everybody may. With FANFARE_AUTH=off none of the other settings is looked
 * at, not even for mistakes, so that switching off for a while needs no editing. `openAddress`: the HOST that others can reach, for
 * which off must be said.
 */
export function readAuth(
  source: Environment,
  openAddress: string | undefined,
): SubjectLimits & { readonly auth: AuthSettings | undefined } {
  const mode = source.text('FANFARE_AUTH', '', (value) =>
    ['', 'off', 'jwt'].includes(value) ? undefined : 'must be "jwt" or "off"',
  );
  const set = JWT_SETTINGS.filter((name) => source.isSet(name));
  if (mode === '' && set.length > 0)
    source.problem(
      `${set.join(', ')} ${set.length === 1 ? 'counts' : 'count'} only with authentication: say FANFARE_AUTH=jwt, or FANFARE_AUTH=off to leave all of that aside`,
    );
  else if (mode === '' && openAddress !== undefined)
    source.problem(
      `HOST=${openAddress} is open to others: say FANFARE_AUTH=jwt, and in FANFARE_JWT_SECRET, FANFARE_JWT_JWKS_URL or FANFARE_JWT_PUBLIC_KEY how tokens are checked; or FANFARE_AUTH=off if everyone who can reach it may publish and listen; or keep HOST on loopback`,
    );
  if (mode === '' || mode === 'off') return { ...NO_LIMITS, auth: undefined };
  return {
    auth: {
      tokenKeys: readTokenKeys(source, mode === 'jwt'),
      issuer: source.text('FANFARE_JWT_ISSUER', '', ifSet(claimProblem)) || undefined,
      audience: source.text('FANFARE_JWT_AUDIENCE', '', ifSet(claimProblem)) || undefined,
      cookieName: source.text('FANFARE_COOKIE_NAME', '', ifSet(cookieNameProblem)) || undefined,
      publishKeys: readKeys(source),
      publicChannels: source.list('FANFARE_PUBLIC_CHANNELS', publicPatternProblem),
      // A day. That a subject was disconnected is remembered for as long, and a token that was stolen is good for as long.
      maxTokenLifetimeSeconds: source.integer('FANFARE_MAX_TOKEN_LIFETIME', 86_400, 60, 31_536_000),
    },
    // Off: only whoever makes the tokens knows how many devices one of its subjects has.
    maxConnectionsPerSubject: source.integer('FANFARE_MAX_CONNECTIONS_PER_SUBJECT', 0, 0, 10_000_000),
    maxPublishRatePerSecond: source.integer('FANFARE_MAX_PUBLISH_RATE', 0, 0, 1_000_000),
  };
}

/** What comes back is of no use where it was a mistake. `needed`: it is one that there is none. */
function readTokenKeys(source: Environment, needed: boolean): TokenKeySource {
  const secret = source.text('FANFARE_JWT_SECRET', '', ifSet(secretProblem));
  const url = source.text('FANFARE_JWT_JWKS_URL', '', ifSet(jwksUrlProblem));
  const pem = source.text('FANFARE_JWT_PUBLIC_KEY', '', ifSet(publicKeyProblem));
  const count = TOKEN_KEYS.filter((name) => source.isSet(name)).length;
  if (count === 0 && needed)
    source.problem(`FANFARE_AUTH=jwt needs one of ${TOKEN_KEYS.join(', ')}: what tokens are checked with`);
  if (count > 1) source.problem(`of ${TOKEN_KEYS.join(', ')} only one may be set: tokens are checked in one way`);
  if (url !== '') return { kind: 'jwks', url };
  return pem === '' ? { kind: 'secret', secret } : { kind: 'public-key', pem };
}

/** Nothing of what was written is repeated. */
function readKeys(source: Environment): readonly PublishKey[] {
  const text = source.text('FANFARE_PUBLISH_KEYS', '', () => undefined);
  return text === '' ? [] : readPublishKeys(text, (problem) => source.problem(`FANFARE_PUBLISH_KEYS: ${problem}`));
}

/** What may be left out. */
function ifSet(check: (value: string) => string | undefined): Check {
  return (value) => (value === '' ? undefined : check(value));
}

/** Where anybody on the way could change the keys, he could make tokens. */
function jwksUrlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || /\s/.test(text))
    return 'must be a URL like https://id.example/.well-known/jwks.json';
  if (url.username !== '' || url.password !== '') return 'must not have a user name or a password';
  if (text.includes('#')) return 'must not have a fragment (#…)';
  if (url.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
    return 'must begin with https:// unless it is on this machine';
  return undefined;
}

function claimProblem(text: string): string | undefined {
  return /^[^\p{Cc}]{1,500}$/u.test(text) ? undefined : 'must be one line of at most 500 characters';
}

/** RFC 6265, section 4.1.1. */
function cookieNameProblem(text: string): string | undefined {
  if (!/^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,100}$/.test(text))
    return "must be 1–100 characters of A–Z a–z 0–9 ! # $ % & ' * + - . ^ _ ` | ~";
  return /^ff_/.test(text) ? 'must not begin with ff_, as the cookies of tickets do' : undefined;
}

function publicPatternProblem(pattern: string, place: number): string | undefined {
  if (place > MAX_PATTERNS) return place === MAX_PATTERNS + 1 ? `has more than ${MAX_PATTERNS} patterns` : undefined;
  const problem = pattern.includes('{sub}')
    ? 'whoever brings no token has no subject to stand for {sub}'
    : patternProblem(pattern);
  return problem === undefined ? undefined : `pattern ${place}: ${problem}`;
}
