import { describe, expect, test } from 'vitest';
import { principalOf, readClaims, type TokenClaims } from '../../../../src/auth/tokens/token-claims.ts';
import { FanfareError } from '../../../../src/errors.ts';

const GOOD: TokenClaims = {
  sub: 'ann',
  subscribe: ['user:{sub}', 'a:*'],
  publish: ['b'],
  exp: 2_000_000_300,
  iat: 2_000_000_000,
};

function refusal(claims: unknown): string {
  try {
    readClaims(claims);
  } catch (error) {
    if (error instanceof FanfareError && error.code === 'unauthenticated') return error.message;
    throw error;
  }
  throw new Error('they were taken');
}

describe('claims', () => {
  test('are those that matter here, and no others', () => {
    expect(readClaims({ ...GOOD, iss: 'x', aud: ['y'], admin: true })).toEqual(GOOD);
  });

  test('come back from JSON as they went', () => {
    expect(readClaims(JSON.parse(JSON.stringify(GOOD)))).toEqual(GOOD);
  });

  test('give no rights where none are named', () => {
    expect(readClaims({ sub: 'ann', exp: 2, iat: 1 })).toEqual({
      sub: 'ann',
      subscribe: [],
      publish: [],
      exp: 2,
      iat: 1,
    });
  });

  test('may have one pattern instead of an array', () => {
    expect(readClaims({ ...GOOD, subscribe: 'news', publish: '*' })).toMatchObject({
      subscribe: ['news'],
      publish: ['*'],
    });
  });

  test.each([[undefined], [null], ['text'], [1], [[]], [[GOOD]]])('are an object, not %j', (claims) => {
    expect(refusal(claims)).toContain('no claims');
  });

  test.each([
    ['sub', undefined],
    ['sub', ''],
    ['sub', 42],
    ['sub', null],
    ['sub', ['ann']],
    ['sub', 'a'.repeat(257)],
    ['sub', 'ann\ud800'],
    ['exp', undefined],
    ['exp', '2000000300'],
    ['exp', null],
    ['exp', Number.POSITIVE_INFINITY],
    ['exp', Number.NaN],
    ['exp', 2_000_000_300_000],
    ['exp', -1],
    ['exp', GOOD.iat],
    ['exp', [2_000_000_300]],
    ['iat', undefined],
    ['iat', -1],
    ['iat', '2000000000'],
    ['iat', 2_000_000_000_000],
    ['subscribe', null],
    ['subscribe', {}],
    ['subscribe', 7],
    ['subscribe', [['a']]],
    ['subscribe', ['a', { length: 1 }]],
    ['subscribe', Array(101).fill('a')],
    ['subscribe', ['news', 'hunter2*']],
    ['publish', ['hunter2!']],
    ['publish', [`hunter2${'a'.repeat(200)}`]],
    ['publish', ['']],
  ])('are refused for "%s": %j, by its name alone', (name, value) => {
    const message = refusal({ ...GOOD, [name]: value });
    expect(message).toContain(`"${name}"`);
    expect(message).not.toMatch(/hunter2|20000003/);
  });

  test('say which pattern is wrong', () => {
    expect(refusal({ ...GOOD, publish: ['a', 'b', 'c*'] })).toContain('"publish", pattern 3: a * may only');
  });

  test('are only those that it has itself', () => {
    expect(refusal(JSON.parse('{"__proto__":{"sub":"ann","exp":2,"iat":1}}'))).toContain('"exp"');
    expect(refusal(Object.create(GOOD))).toContain('"exp"');
    const odd = readClaims(JSON.parse('{"sub":"ann","exp":2,"iat":1,"__proto__":{"subscribe":["*"]},"constructor":1}'));
    expect(odd.subscribe).toEqual([]);
  });
});

describe('whoever has claims', () => {
  test('may do what they and the public channels say', () => {
    const principal = principalOf(GOOD, ['news', 'open:*']);
    expect(principal).toMatchObject({
      ...{ subject: 'ann', account: 'sub:ann', stranger: false },
      ...{ expiresMs: 2_000_000_300_000, issuedMs: 2_000_000_000_000 },
    });
    expect(principal.claims).toBe(GOOD);
    expect(principal.maySubscribe(['user:ann', 'a:1', 'news', 'open:1'])).toBe(true);
    expect(principal.maySubscribe(['user:bob'])).toBe(false);
    expect(principal.maySubscribe(['b'])).toBe(false);
    expect(() => principal.checkPublish('b')).not.toThrow();
    expect(() => principal.checkPublish('news')).toThrow(FanfareError);
    expect(() => principal.checkDisconnect()).toThrow(FanfareError);
  });

  test('has rights up to a whole millisecond', () => {
    expect(principalOf({ ...GOOD, exp: 10.0019, iat: 1.5 }, [])).toMatchObject({ expiresMs: 10_001, issuedMs: 1500 });
  });
});
