import { createHash, timingSafeEqual } from 'node:crypto';
import { ChannelPatterns, MAX_PATTERNS, patternProblem } from './channel-pattern.ts';
import { Principal } from './principal.ts';

/** Secrets begin with this, so that they are told from tokens, and found where they should not be. */
export const KEY_PREFIX = 'ffk_';

/** All of them are compared with what comes. */
export const MAX_KEYS = 100;

/** A publisher's key, as it is configured. */
export interface PublishKey {
  /** For people, and what its publishes are counted by: 1–63 letters, digits and `_ . -`. */
  readonly name: string;
  /** SHA-256 of the secret, 64 hexadecimal digits. The secrets are random, so nothing slower is needed. */
  readonly sha256: string;
  /** Patterns of the channels that it may publish to. */
  readonly channels: readonly string[];
  /** Whether it may end connections. */
  readonly disconnect: boolean;
}

/** The publishers' keys: several at once, so that one can be replaced without a pause. */
export class PublishKeys {
  readonly #keys: readonly { readonly digest: Buffer; readonly principal: Principal }[];

  /** `publicChannels`: patterns of what everybody may subscribe to; keys give no other right to listen. */
  constructor(keys: readonly PublishKey[], publicChannels: readonly string[]) {
    const subscribe = new ChannelPatterns(publicChannels);
    this.#keys = keys.map(({ name, sha256, channels, disconnect }) => ({
      digest: Buffer.from(sha256, 'hex'),
      principal: new Principal({
        account: `key:${name}`,
        subscribe,
        publish: new ChannelPatterns(channels),
        disconnect,
      }),
    }));
  }

  /** Whose secret it is: always the same object for a key. Takes the same time whichever key fits, and when none does. */
  find(secret: string): Principal | undefined {
    const digest = createHash('sha256').update(secret).digest();
    let found: Principal | undefined;
    for (const key of this.#keys) if (timingSafeEqual(key.digest, digest)) found = key.principal;
    return found;
  }
}

const NAME = /^[A-Za-z0-9_.-]{1,63}$/;
const SHA256 = /^[0-9a-f]{64}$/i;
const MEMBERS = ['name', 'sha256', 'channels', 'disconnect'];
/** What comes out where the secret was forgotten: SHA-256 of nothing, and of a line break. */
const OF_NOTHING = ['', '\n'].map((text) => createHash('sha256').update(text).digest('hex'));

const HOW_TO =
  `make a secret with: secret=${KEY_PREFIX}$(openssl rand -hex 24)` +
  ' and its SHA-256 with: printf %s "$secret" | openssl dgst -sha256';

/** Reads `[{"name","sha256","channels","disconnect"?}…]`; tells each mistake, and never repeats what could be a secret. */
export function readPublishKeys(text: string, problem: (text: string) => void): PublishKey[] {
  const listed = parseList(text);
  if (listed === undefined) {
    problem('must be a JSON array of keys: [{"name":"billing","sha256":"…","channels":["orders:*"]}]');
    return [];
  }
  if (listed.length > MAX_KEYS) {
    problem(`has ${listed.length} keys, at most ${MAX_KEYS} are taken`);
    return [];
  }
  const keys = listed.map((each, i) => readKey(each, (what) => problem(`key ${i + 1}: ${what}`)));
  tellTwins(
    keys.map(({ name }) => name),
    (first, second) =>
      problem(`keys ${first} and ${second} have the same name: give the new one its own while both are good`),
  );
  tellTwins(
    keys.map(({ sha256 }) => sha256),
    (first, second) => problem(`keys ${first} and ${second} have the same secret: each needs its own`),
  );
  return keys;
}

function parseList(text: string): unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers, counted from 1, of those that are like one before; empty ones are not compared. */
function tellTwins(values: readonly string[], tell: (first: number, second: number) => void): void {
  values.forEach((value, i) => {
    const first = values.indexOf(value);
    if (value !== '' && first !== i) tell(first + 1, i + 1);
  });
}

function readKey(value: unknown, problem: (text: string) => void): PublishKey {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) problem('must be an object');
  const members = new Map(isObject ? Object.entries(value) : []);
  if ([...members.keys()].some((name) => !MEMBERS.includes(name)))
    problem(`may only have ${MEMBERS.map((name) => `"${name}"`).join(', ')}`);
  const disconnect = members.get('disconnect') ?? false;
  if (typeof disconnect !== 'boolean') problem('"disconnect" must be true or false');
  return {
    name: readName(members.get('name'), problem),
    sha256: readDigest(members.get('sha256'), problem),
    channels: readChannels(members.get('channels'), problem),
    disconnect: disconnect === true,
  };
}

function readName(value: unknown, problem: (text: string) => void): string {
  if (typeof value === 'string' && NAME.test(value) && !value.startsWith(KEY_PREFIX)) return value;
  problem(`"name" must be 1–63 characters of A–Z a–z 0–9 _ . - and not begin with ${KEY_PREFIX}`);
  return '';
}

/** In lower case. */
function readDigest(value: unknown, problem: (text: string) => void): string {
  const digest = typeof value === 'string' ? value.toLowerCase() : '';
  if (digest.startsWith(KEY_PREFIX))
    problem(
      `"sha256" is a secret itself, which must not stand here; replace it by a new one, as it has been seen: ${HOW_TO}`,
    );
  else if (!SHA256.test(digest))
    problem(`"sha256" must be the SHA-256 of the secret, 64 hexadecimal digits; ${HOW_TO}`);
  else if (OF_NOTHING.includes(digest)) problem(`"sha256" is that of nothing: the secret was empty; ${HOW_TO}`);
  else return digest;
  return '';
}

function readChannels(value: unknown, problem: (text: string) => void): string[] {
  if (!Array.isArray(value) || value.length > MAX_PATTERNS || !value.every((each) => typeof each === 'string')) {
    problem(`"channels" must be an array of at most ${MAX_PATTERNS} patterns`);
    return [];
  }
  return value.filter((pattern: string, i) => {
    const mistake = pattern.includes('{sub}') ? 'a key has no subject' : patternProblem(pattern);
    if (mistake !== undefined) problem(`"channels", pattern ${i + 1}: ${mistake}`);
    return mistake === undefined;
  });
}
