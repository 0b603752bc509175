import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MAX_KEYS, PublishKeys, readPublishKeys } from '../../../src/auth/publish-keys.ts';
import { FanfareError } from '../../../src/errors.ts';
import { publishSecret } from '../../support/tokens.ts';

const OTHER = publishSecret().sha256;

function problemsOf(text: string): string[] {
  const problems: string[] = [];
  readPublishKeys(text, (problem) => problems.push(problem));
  return problems;
}

const problemsOfKey = (key: object) =>
  problemsOf(JSON.stringify([{ name: 'billing', sha256: OTHER, channels: ['orders:*'], ...key }]));

describe('a publisher’s key', () => {
  const billing = publishSecret();
  const admin = publishSecret();
  const keys = new PublishKeys(
    [
      { name: 'billing', sha256: billing.sha256, channels: ['orders:*'], disconnect: false },
      { name: 'admin', sha256: admin.sha256.toUpperCase(), channels: ['*'], disconnect: true },
    ],
    ['news'],
  );

  test('gives its rights to whoever has its secret, and they are always the same object', () => {
    const principal = keys.find(billing.secret);
    expect(principal).toMatchObject({
      account: 'key:billing',
      subject: undefined,
      stranger: false,
      expiresMs: undefined,
    });
    expect(() => principal?.checkPublish('orders:1')).not.toThrow();
    expect(() => principal?.checkPublish('users:1')).toThrow(FanfareError);
    expect(() => principal?.checkDisconnect()).toThrow(FanfareError);
    expect(keys.find(billing.secret)).toBe(principal);
  });

  test('may end connections only where that was said', () => {
    expect(keys.find(admin.secret)?.account).toBe('key:admin');
    expect(() => keys.find(admin.secret)?.checkDisconnect()).not.toThrow();
  });

  test('lets listen to public channels only', () => {
    expect(keys.find(admin.secret)?.maySubscribe(['news'])).toBe(true);
    expect(keys.find(admin.secret)?.maySubscribe(['orders:1'])).toBe(false);
  });

  test.each([
    ['another secret', publishSecret().secret],
    ['nothing', ''],
    ['its digest', billing.sha256],
    ['its beginning', billing.secret.slice(0, -1)],
    ['more than it', `${billing.secret}0`],
    ['it and a line break', `${billing.secret}\n`],
    ['it in capitals', billing.secret.toUpperCase()],
    ['it without its prefix', billing.secret.slice(4)],
    ['half of a surrogate pair', `${billing.secret}\ud800`],
  ])('is not found by %s', (_what, secret) => {
    expect(keys.find(secret)).toBeUndefined();
  });

  test('is found by nobody where there are none', () => {
    expect(new PublishKeys([], []).find(billing.secret)).toBeUndefined();
  });
});

describe('the list of keys', () => {
  test('is read', () => {
    const text = JSON.stringify([
      { name: 'billing', sha256: OTHER.toUpperCase(), channels: ['orders:*', 'news'] },
      { name: 'admin.2', sha256: publishSecret().sha256, channels: [], disconnect: true },
    ]);
    expect(problemsOf(text)).toEqual([]);
    const [first, second] = readPublishKeys(text, () => {});
    expect(first).toEqual({ name: 'billing', sha256: OTHER, channels: ['orders:*', 'news'], disconnect: false });
    expect(second).toMatchObject({ name: 'admin.2', channels: [], disconnect: true });
  });

  test.each(['', '{}', 'null', '"ffk_x"', '[', 'ffk_0123456789abcdef'])('%j is none', (text) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining('must be a JSON array of keys')]);
  });

  test.each([
    ['a name', { name: undefined }, '"name" must be'],
    ['a name of these characters', { name: 'a b' }, '"name" must be'],
    ['a name of this length', { name: 'a'.repeat(64) }, '"name" must be'],
    ['a name that is no secret', { name: 'ffk_billing' }, '"name" must be'],
    ['a digest', { sha256: undefined }, 'openssl rand -hex 24'],
    ['a digest of this length', { sha256: OTHER.slice(1) }, '64 hexadecimal digits'],
    ['a digest in hexadecimal', { sha256: 'g'.repeat(64) }, '64 hexadecimal digits'],
    ['channels', { channels: undefined }, '"channels" must be'],
    ['channels in an array', { channels: 'orders:*' }, '"channels" must be'],
    ['channels that are text', { channels: [1] }, '"channels" must be'],
    ['so many channels', { channels: Array(101).fill('a') }, 'at most 100'],
    ['channels that can be', { channels: ['news', 'a*'] }, '"channels", pattern 2: a * may only'],
    ['channels without {sub}', { channels: ['user:{sub}'] }, 'a key has no subject'],
    ['a disconnect that is yes or no', { disconnect: 'yes' }, '"disconnect" must be'],
    ['only members that are known', { secret: 'ffk_x' }, 'may only have "name", "sha256"'],
  ])('is refused without %s', (_what, key, problem) => {
    const problems = problemsOfKey(key);
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems[0]).toMatch(/^key 1: /);
  });

  test('takes nothing from a prototype', () => {
    const text = `[{"name":"b","sha256":"${OTHER}","channels":[],"__proto__":{"disconnect":true}}]`;
    expect(problemsOf(text)).toEqual([expect.stringContaining('may only have')]);
    expect(readPublishKeys(text, () => {})[0]?.disconnect).toBe(false);
  });

  test.each([[null], ['text'], [7], [[]]])('has no key that is %j', (key) => {
    expect(problemsOf(JSON.stringify([key]))[0]).toBe('key 1: must be an object');
  });

  test.each(['', '\n'])('knows the digest of %j, which stands there when the secret was forgotten', (nothing) => {
    const sha256 = createHash('sha256').update(nothing).digest('hex');
    expect(problemsOfKey({ sha256 })).toEqual([expect.stringContaining('the secret was empty')]);
  });

  test('never repeats a secret, wherever it stands', () => {
    const { secret } = publishSecret();
    expect(problemsOfKey({ sha256: secret })).toEqual([expect.stringContaining('is a secret itself')]);
    const places: object[] = [
      ...[{ sha256: secret }, { sha256: secret.toUpperCase() }, { sha256: ` ${secret}` }, { name: secret }],
      ...[{ [secret]: 1 }, { disconnect: secret }, { channels: secret }, { channels: [`${secret}!`] }],
    ];
    for (const place of places) {
      const problems = problemsOfKey(place).join('\n');
      expect(problems).not.toBe('');
      expect(problems.toLowerCase()).not.toContain(secret.slice(4));
    }
    expect(problemsOf(`[{"name":"${secret}`).join('\n')).not.toContain(secret);
  });

  test('has names and secrets once', () => {
    const key = (name: string, sha256: string) => ({ name, sha256, channels: [] });
    const [a, b] = [publishSecret().sha256, publishSecret().sha256];
    expect(problemsOf(JSON.stringify([key('x', a), key('y', b), key('x', OTHER)]))).toEqual([
      'keys 1 and 3 have the same name: give the new one its own while both are good',
    ]);
    expect(problemsOf(JSON.stringify([key('x', a), key('y', b), key('z', b.toUpperCase())]))).toEqual([
      'keys 2 and 3 have the same secret: each needs its own',
    ]);
  });

  test(`has ${MAX_KEYS} keys at most`, () => {
    const keys = (count: number) =>
      JSON.stringify(
        Array.from({ length: count }, (_, i) => ({ name: `k${i}`, sha256: publishSecret().sha256, channels: [] })),
      );
    expect(problemsOf(keys(MAX_KEYS))).toEqual([]);
    expect(problemsOf(keys(MAX_KEYS + 1))).toEqual([expect.stringContaining('at most 100')]);
  });
});
