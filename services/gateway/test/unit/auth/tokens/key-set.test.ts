import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KeySet, type KeySetOptions } from '../../../../src/auth/tokens/key-set.ts';
import { KeysUnavailable } from '../../../../src/auth/tokens/token-key.ts';
import { JwksServer } from '../../../support/jwks-server.ts';
import { keyPairSigner } from '../../../support/tokens.ts';
import { until } from '../../../support/until.ts';

const first = keyPairSigner('ES256', 'first');
const second = keyPairSigner('ES256', 'second');
const rsa = keyPairSigner('RS256', 'rsa');

const HOUR = 3_600_000;
const hintOf = ({ alg, kid }: { alg: string; kid: string }) => ({ alg, kid });

async function serve(keys: readonly object[], options?: { down: boolean }): Promise<JwksServer> {
  const server = await JwksServer.start(keys, options);
  onTestFinished(() => server.stop());
  return server;
}

/** A key set that is read again only when a test makes it, and what it told. */
function open(url: string, options: KeySetOptions = {}): { set: KeySet; told: (string | undefined)[] } {
  const told: (string | undefined)[] = [];
  const set = new KeySet(url, (problem) => told.push(problem?.message), {
    reloadMs: HOUR,
    cooldownMs: HOUR,
    ...options,
  });
  onTestFinished(() => set.close());
  return { set, told };
}

describe('a key set', () => {
  test('is read at once, and a key is found by its name', async () => {
    const server = await serve([first.jwk, second.jwk, rsa.jwk]);
    const { set, told } = open(server.url);
    const [key, ...others] = await set.find(hintOf(second));
    expect(others).toEqual([]);
    expect(key).toMatchObject({ type: 'public' });
    expect(key && (await crypto.subtle.exportKey('jwk', key))).toMatchObject({ x: second.jwk.x });
    expect([server.reads, told]).toEqual([1, []]);
  });

  test('gives every key of the kind to a token that names none', async () => {
    const { set } = open((await serve([first.jwk, rsa.jwk, second.jwk])).url);
    expect(await set.find({ alg: 'ES256' })).toHaveLength(2);
    expect(await set.find({ alg: 'RS256' })).toHaveLength(1);
  });

  test('lets a token without a key’s name be tried with a few keys only', async () => {
    const { set } = open((await serve(Array.from({ length: 30 }, (_, i) => ({ ...first.jwk, kid: `k${i}` })))).url);
    expect(await set.find({ alg: 'ES256' })).toHaveLength(10);
  });

  test.each([
    ['another algorithm', { alg: 'ES384', kid: 'first' }],
    ['the other kind of key', { alg: 'RS256', kid: 'first' }],
    ['a secret’s algorithm', { alg: 'HS256', kid: 'first' }],
    ['none', { alg: 'none', kid: 'first' }],
    ['an unknown key', { alg: 'ES256', kid: 'third' }],
    ['a name in other letters', { alg: 'ES256', kid: 'First' }],
    ['an empty name', { alg: 'ES256', kid: '' }],
    ['a name that is a number', { alg: 'ES256', kid: 7 }],
    ['a name that is an object', { alg: 'ES256', kid: { toString: 'first' } }],
  ])('has no key for %s', async (_what, hint) => {
    const { set } = open((await serve([first.jwk, { ...second.jwk, kid: '7' }])).url);
    expect(await set.find(hint)).toEqual([]);
  });

  test('leaves out what must not be used, and uses the rest', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
    const leaked = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
    const { set } = open(
      (
        await serve([
          { kty: 'oct', k: Buffer.alloc(32).toString('base64url'), kid: 'secret' },
          { ...weak, kid: 'weak' },
          { ...leaked, kid: 'leaked' },
          { ...second.jwk, kid: 'enc', use: 'enc' },
          { ...second.jwk, kid: 'broken', x: 'AAAA' },
          { kty: 'EC', kid: 'empty' },
          { kty: 7, kid: 'odd' },
          first.jwk,
        ])
      ).url,
    );
    expect(await set.find(hintOf(first))).toHaveLength(1);
    for (const kid of ['secret', 'weak', 'leaked', 'enc', 'broken', 'empty', 'odd'])
      for (const alg of ['HS256', 'RS256', 'ES256']) expect(await set.find({ alg, kid }), `${kid} ${alg}`).toEqual([]);
    expect(await set.find({ alg: 'ES256' })).toHaveLength(1);
  });
});

describe('new keys', () => {
  test('are found at once, though others are known and were read a moment ago', async () => {
    const server = await serve([first.jwk]);
    const { set } = open(server.url);
    await set.find(hintOf(first));
    server.publish([first.jwk, second.jwk]);
    expect(await set.find(hintOf(second))).toHaveLength(1);
    expect(await set.find(hintOf(first))).toHaveLength(1);
    expect(server.reads).toBe(2);
  });

  test('replace those that were withdrawn when the set is read again by itself', async () => {
    const server = await serve([first.jwk, second.jwk]);
    const { set } = open(server.url, { reloadMs: 20 });
    expect(await set.find(hintOf(first))).toHaveLength(1);
    server.publish([second.jwk]);
    await until(async () => (await set.find(hintOf(first))).length === 0, 'the withdrawn key to be forgotten');
    expect(await set.find(hintOf(second))).toHaveLength(1);
  });

  test('are none: then nothing is good any more', async () => {
    const server = await serve([first.jwk]);
    const { set, told } = open(server.url, { reloadMs: 20 });
    expect(await set.find(hintOf(first))).toHaveLength(1);
    server.publish([]);
    await until(async () => (await set.find(hintOf(first))).length === 0, 'the key to be forgotten');
    expect(told).toEqual([]);
  });

  test('are looked for once, however many tokens have an unknown one', async () => {
    const server = await serve([first.jwk]);
    const { set } = open(server.url);
    await set.find(hintOf(first));
    const crowd = (count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => set.find({ alg: 'ES256', kid: `no ${i}` })));
    expect((await crowd(2000)).flat()).toEqual([]);
    expect((await crowd(2000)).flat()).toEqual([]);
    expect(server.reads).toBe(2);
    expect(await set.find(hintOf(first))).toHaveLength(1);
  });

  test('are looked for once by a crowd that came while the set was being read', async () => {
    const server = await serve([first.jwk]);
    server.slowDown();
    const { set } = open(server.url);
    const crowd = Promise.all(Array.from({ length: 100 }, () => set.find(hintOf(second))));
    await until(() => server.waiting === 1, 'the request');
    server.hurry();
    expect((await crowd).flat()).toEqual([]);
    expect(server.reads).toBe(2);
  });

  test('are looked for again when the cooldown is over', async () => {
    const server = await serve([first.jwk]);
    const { set } = open(server.url, { cooldownMs: 50 });
    await set.find(hintOf(second));
    server.publish([first.jwk, second.jwk]);
    await until(async () => (await set.find(hintOf(second))).length === 1, 'the new key');
    expect(server.reads).toBeGreaterThan(1);
  });

  test('that come while the set is being read are waited for', async () => {
    const server = await serve([first.jwk]);
    server.slowDown();
    const { set } = open(server.url);
    const found = Promise.all([set.find(hintOf(first)), set.find(hintOf(first)), set.find(hintOf(first))]);
    await until(() => server.waiting === 1, 'the request');
    server.hurry();
    expect((await found).map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(server.reads).toBe(1);
  });
});

describe('while its server is down', () => {
  test('from the start, it cannot be known who somebody is; that heals by itself', async () => {
    const server = await serve([first.jwk], { down: true });
    const { set, told } = open(server.url, { cooldownMs: 20 });
    await expect(set.find(hintOf(first))).rejects.toThrow(KeysUnavailable);
    await expect(set.find(hintOf(first))).rejects.toThrow(KeysUnavailable);
    expect(told).toEqual([expect.stringContaining('the key set cannot be read: ')]);
    server.bringUp();
    // Nobody asks meanwhile.
    await until(() => told.length > 1, 'the keys to be read');
    expect(told.slice(1)).toEqual([undefined]);
    expect(await set.find(hintOf(first))).toHaveLength(1);
  });

  test('later, the keys that were read last go on working, and the outage is told once', async () => {
    const server = await serve([first.jwk]);
    const { set, told } = open(server.url, { reloadMs: 20, cooldownMs: 5 });
    expect(await set.find(hintOf(first))).toHaveLength(1);
    server.takeDown();
    await until(() => told.length === 1, 'the outage to be told');
    expect(await set.find(hintOf(first))).toHaveLength(1);
    // It may have been published meanwhile: that passes by itself.
    await expect(set.find(hintOf(second))).rejects.toThrow(KeysUnavailable);
    server.answer((_request, response) => response.writeHead(500).end());
    server.bringUp();
    const reads = server.reads;
    await until(() => server.reads > reads + 3, 'more readings that fail');
    expect(told).toHaveLength(1);
    server.publish([first.jwk, second.jwk]);
    await until(() => told.length === 2, 'the end to be told');
    expect(told[1]).toBeUndefined();
    expect(await set.find(hintOf(second))).toHaveLength(1);
  });

  test('it is not asked more often than the cooldown allows', async () => {
    const server = await serve([]);
    server.answer((_request, response) => response.writeHead(503).end());
    const { set } = open(server.url);
    for (let i = 0; i < 100; i++) await expect(set.find(hintOf(first))).rejects.toThrow(KeysUnavailable);
    expect(server.reads).toBe(1);
  });
});

describe('an answer that cannot be used', () => {
  const good = JSON.stringify({ keys: [first.jwk] });

  test.each([
    ['404', 404, good, 'answered 404'],
    ['204', 204, '', 'answered 204'],
    ['206', 206, good, 'answered 206'],
    ['garbage', 200, '<html>', 'no JSON Web Key Set'],
    ['nothing', 200, '', 'no JSON Web Key Set'],
    ['null', 200, 'null', 'no JSON Web Key Set'],
    ['an array', 200, `[${JSON.stringify(first.jwk)}]`, 'no JSON Web Key Set'],
    ['a single key', 200, JSON.stringify(first.jwk), 'no JSON Web Key Set'],
    ['keys that are none', 200, '{"keys":[null]}', 'no JSON Web Key Set'],
    ['keys without a kind', 200, '{"keys":[{}]}', 'no JSON Web Key Set'],
    ['a megabyte and more', 200, good + ' '.repeat(1024 * 1024), 'more than 1048576 bytes'],
  ])('is %s; the keys from before stay', async (_what, status, body, problem) => {
    const server = await serve([first.jwk]);
    const { set, told } = open(server.url, { reloadMs: 20 });
    expect(await set.find(hintOf(first))).toHaveLength(1);
    server.answer((_request, response) => response.writeHead(status).end(body));
    await until(() => told.length > 0, 'it to be told');
    expect(told).toEqual([expect.stringMatching(`^the key set cannot be read: .*${problem}`)]);
    expect(await set.find(hintOf(first))).toHaveLength(1);
  });

  test('is one that never ends', async () => {
    const server = await serve([]);
    let ended = false;
    server.answer((_request, response) => {
      response.on('close', () => {
        ended = true;
      });
      const more = () => {
        if (!response.destroyed) response.write(' '.repeat(65_536), () => setImmediate(more));
      };
      more();
    });
    const { told } = open(server.url);
    await until(() => told.length > 0, 'it to be told');
    expect(told[0]).toContain('more than');
    await until(() => ended, 'the connection to end');
  });

  test('is a redirect: nobody is asked but who was named', async () => {
    const other = await serve([first.jwk]);
    const server = await serve([]);
    server.answer((_request, response) => response.writeHead(302, { location: other.url }).end());
    const { set, told } = open(server.url);
    await expect(set.find(hintOf(first))).rejects.toThrow(KeysUnavailable);
    expect(told[0]).toContain('somewhere else (302)');
    expect(other.reads).toBe(0);
  });

  test('is one that does not come in time, or only in part', async () => {
    const server = await serve([first.jwk]);
    server.slowDown();
    const { set, told } = open(server.url, { timeoutMs: 50, cooldownMs: 20 });
    await expect(set.find(hintOf(first))).rejects.toThrow(KeysUnavailable);
    expect(told[0]).toContain('no answer within 0.05 s');
    server.answer((_request, response) => response.writeHead(200).write('{"keys":['));
    server.hurry();
    await expect(set.find(hintOf(first))).rejects.toThrow(KeysUnavailable);
    server.publish([first.jwk]);
    await until(() => told.length > 1, 'it to heal');
    expect(await set.find(hintOf(first))).toHaveLength(1);
  });
});

test('a key set that is closed is read no more, and says nothing', async () => {
  const server = await serve([first.jwk]);
  server.slowDown();
  const { set, told } = open(server.url, { reloadMs: 5, cooldownMs: 5 });
  await until(() => server.waiting === 1, 'the request');
  set.close();
  await until(() => server.waiting === 0, 'the request to end');
  await expect(set.find(hintOf(first))).rejects.toThrow(KeysUnavailable);
  expect([server.reads, told]).toEqual([1, []]);
});
