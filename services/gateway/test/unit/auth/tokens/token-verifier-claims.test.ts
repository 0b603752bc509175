import { describe, expect, test } from 'vitest';
import { FanfareError } from '../../../../src/errors.ts';
import { nowSeconds } from '../../../support/tokens.ts';
import { refusal, refusalOf, secret, verifier } from './verifiers.ts';

describe('the times of a token', () => {
  const now = nowSeconds();

  test.each([
    ['has expired', { iat: now - 600, exp: now - 300 }, 'it has expired'],
    ['has just expired: there is no tolerance', { iat: now - 600, exp: now - 1 }, 'it has expired'],
    ['is not good yet', { nbf: now + 3600 }, 'it is not good yet ("nbf")'],
    ['was made in the future', { iat: now + 3600, exp: now + 3700 }, '"iat" lies in the future'],
    ['is good for too long', { iat: now, exp: now + 86_401 }, '"exp" may be at most 86400 s after "iat"'],
    ['is good for ever', { exp: 1e10 }, '"exp" may be at most 86400 s after "iat"'],
    ['ends before it begins', { iat: now + 20, exp: now + 10 }, '"exp" must be later than "iat"'],
    ['ends in milliseconds', { exp: (now + 300) * 1000 }, '"exp" must be in seconds since 1970, not in milliseconds'],
    ['was made in milliseconds', { iat: now * 1000, exp: now * 1000 + 9 }, 'in seconds since 1970'],
    ['never ends', { exp: undefined }, '"exp" is missing'],
    ['was never made', { iat: undefined }, '"iat" is missing'],
    ['ends with a word', { exp: 'never' }, '"exp" must be a number of seconds since 1970'],
    ['ends with a number in quotes', { exp: String(now + 300) }, '"exp" must be a number of seconds since 1970'],
    ['ends with null', { exp: null }, '"exp" must be a number of seconds since 1970'],
    ['begins with a word', { nbf: 'now' }, '"nbf" must be a number of seconds since 1970'],
    ['was made long before 1970', { iat: -1e308 }, '"iat" must be a number of seconds since 1970'],
    ['ended before 1970', { exp: -1 }, 'it has expired'],
  ])('are refused where it %s', async (_what, claims, reason) => {
    expect(await refusalOf(claims)).toContain(reason);
  });

  test('are refused where they are without end', async () => {
    expect(await refusalOf(`{"sub":"ann","iat":${now},"exp":1e999}`)).toBe(
      '"exp" must be a number of seconds since 1970',
    );
    expect(await refusalOf(`{"sub":"ann","iat":-1e999,"exp":${now + 60}}`)).toContain('"iat" must be a number');
  });

  test('may be ahead by half a minute where they begin, as clocks differ', async () => {
    await verifier().verify(await secret.sign({ iat: nowSeconds() + 20, nbf: nowSeconds() + 20 }));
    expect(await refusalOf({ iat: nowSeconds() + 60 })).toBe('"iat" lies in the future');
    expect(await refusalOf({ nbf: nowSeconds() + 60 })).toBe('it is not good yet ("nbf")');
  });

  test('may reach as far as was set', async () => {
    const tokens = verifier(undefined, { maxLifetimeSeconds: 60 });
    await tokens.verify(await secret.sign({ iat: now, exp: now + 60 }));
    expect(await refusal(tokens, await secret.sign({ iat: now, exp: now + 61 }))).toContain('at most 60 s');
  });
});

describe('the issuer and the audience', () => {
  const options = { issuer: 'https://id.example', audience: 'fanfare' };

  test.each([[{ iss: options.issuer, aud: 'fanfare' }], [{ iss: options.issuer, aud: ['other', 'fanfare'] }]])(
    'that are expected are taken: %j',
    async (claims) => {
      expect((await verifier(undefined, options).verify(await secret.sign(claims))).subject).toBe('ann');
    },
  );

  test.each([
    [{ aud: 'fanfare' }, '"iss" is missing'],
    [{ iss: options.issuer }, '"aud" is missing'],
    [{ iss: 'https://id.example/', aud: 'fanfare' }, '"iss" is not'],
    [{ iss: 'https://evil.example', aud: 'fanfare' }, '"iss" is not'],
    [{ iss: [options.issuer], aud: 'fanfare' }, '"iss" is not'],
    [{ iss: options.issuer, aud: 'Fanfare' }, '"aud" is not'],
    [{ iss: options.issuer, aud: 'fanfare2' }, '"aud" is not'],
    [{ iss: options.issuer, aud: [] }, '"aud" is not'],
    [{ iss: options.issuer, aud: ['other', ['fanfare']] }, '"aud" is not'],
    [{ iss: options.issuer, aud: { 0: 'fanfare', includes: 1 } }, '"aud" is not'],
  ])('that are others are refused: %j', async (claims, reason) => {
    expect(await refusalOf(claims, options)).toContain(reason);
  });
});

describe('the claims of a token', () => {
  test.each([
    [{ sub: undefined }, '"sub" is missing'],
    [{ sub: '' }, '"sub" must have'],
    [{ sub: 7 }, '"sub" must be text'],
    [{ sub: 'a'.repeat(257) }, '"sub" must have'],
    [{ subscribe: { 0: '*', length: 1 } }, '"subscribe", pattern 1: a pattern is text'],
    [{ subscribe: null }, '"subscribe", pattern 1: a pattern is text'],
    [{ publish: ['a', 'hunter2**'] }, '"publish", pattern 2: a * may only stand'],
    [{ subscribe: Array(101).fill('a') }, '"subscribe" has more than 100 patterns'],
  ])('are refused: %j', async (claims, reason) => {
    const message = await refusalOf(claims);
    expect(message).toContain(reason);
    expect(message).not.toContain('hunter2');
  });

  test('are only those that stand in it by themselves', async () => {
    const times = `"iat":${nowSeconds()},"exp":${nowSeconds() + 60}`;
    expect(await refusalOf(`{"__proto__":{"sub":"ann"},${times}}`)).toBe('"sub" is missing');
    const text = `{"sub":"ann",${times},"__proto__":{"subscribe":["*"],"disconnect":true},"constructor":{"prototype":{"subscribe":["*"]}}}`;
    const principal = await verifier().verify(await secret.sign(text));
    expect(principal.maySubscribe(['news'])).toBe(false);
    expect(() => principal.checkDisconnect()).toThrow(FanfareError);
    expect(({} as { subscribe?: unknown }).subscribe).toBeUndefined();
  });

  test('count as they stand last where one stands twice', async () => {
    const text = `{"sub":"admin","iat":${nowSeconds()},"exp":${nowSeconds() + 60},"sub":"ann"}`;
    expect((await verifier().verify(await secret.sign(text))).subject).toBe('ann');
  });
});
