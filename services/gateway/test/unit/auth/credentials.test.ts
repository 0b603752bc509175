import { describe, expect, test } from 'vitest';
import { cookiesOf, credentialsOf, refuseTokenInUrl } from '../../../src/auth/credentials.ts';
import { FanfareError } from '../../../src/errors.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';

function errorOf(action: () => unknown): FanfareError {
  try {
    action();
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('the Authorization header', () => {
  test.each([
    ['Bearer abc.def-g_h~i+j/k==', 'abc.def-g_h~i+j/k=='],
    ['bearer abc', 'abc'],
    ['BEARER abc', 'abc'],
    ['Bearer   abc  ', 'abc'],
  ])('%j is a token', (authorization, text) => {
    expect(credentialsOf({ authorization }, undefined)).toEqual({ kind: 'bearer', text });
  });

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'abc.def.ghi',
    'Bearerabc',
    'Bearer\tabc',
    'Basic dXNlcjpwYXNz',
    'Bearer abc def',
    'Bearer abc, Bearer def',
    'Bearer abc,def',
    'Bearer "abc"',
    'Bearer =abc',
    'Bearer a=b',
    'Bearer äbc',
    'Token abc',
    'Digest username="ann"',
  ])('%j is refused, and nothing else is looked at', (authorization) => {
    const error = errorOf(() => credentialsOf({ authorization, cookie: 'token=good' }, 'token'));
    expect(error.code).toBe('unauthenticated');
    expect(error.message).toBe('the Authorization header must be "Bearer" and one token or key');
  });

  test('goes before the cookie', () => {
    expect(credentialsOf({ authorization: 'Bearer header', cookie: 'token=cookie' }, 'token')).toEqual({
      kind: 'bearer',
      text: 'header',
    });
  });

  test('is judged in a time that grows with its length only', () => {
    const authorization = `Bearer ${'a='.repeat(50_000)}!`;
    expect(() => credentialsOf({ authorization }, undefined)).toThrow(FanfareError);
  });
});

describe('the cookie', () => {
  test.each([
    ['token=abc', 'abc'],
    ['a=1; token=abc; b=2', 'abc'],
    ['a=1;token=abc', 'abc'],
    ['token="abc"', 'abc'],
    ['token = abc ', 'abc'],
    ['token=a=b==', 'a=b=='],
    ['token=abc; token=abc', 'abc'],
    ['token=; token=abc', 'abc'],
  ])('%j is a token', (cookie, text) => {
    expect(credentialsOf({ cookie }, 'token')).toEqual({ kind: 'cookie', text });
  });

  test.each([
    undefined,
    '',
    ';',
    'token',
    'token=',
    'token=""',
    'Token=abc',
    'xtoken=abc',
    'tokenx=abc',
    'a=token=abc',
    'a="; token"; b=1',
  ])('%j holds none', (cookie) => {
    expect(credentialsOf(cookie === undefined ? {} : { cookie }, 'token')).toEqual({ kind: 'none' });
  });

  test('is not looked at where none was named', () => {
    expect(credentialsOf({ cookie: 'token=abc; undefined=abc; =abc' }, undefined)).toEqual({ kind: 'none' });
  });

  test('that came twice with different values is refused: one of them was put there by another host', () => {
    const error = errorOf(() => credentialsOf({ cookie: 'token=mine; token=evil' }, 'token'));
    expect(error.code).toBe('unauthenticated');
    expect(error.message).not.toMatch(/mine|evil/);
  });

  test('may be called like what every object has', () => {
    expect(credentialsOf({ cookie: '__proto__=abc' }, '__proto__')).toEqual({ kind: 'cookie', text: 'abc' });
    expect(credentialsOf({ cookie: 'a=1' }, 'constructor')).toEqual({ kind: 'none' });
  });

  test('is read by its name, as often as it came', () => {
    expect(cookiesOf('a=1; b=2; a="3"; a=', 'a')).toEqual(['1', '3', '']);
    expect(cookiesOf('a=1', 'b')).toEqual([]);
    expect(cookiesOf('a="', 'a')).toEqual(['"']);
  });
});

describe('a URL', () => {
  test.each([
    ...[
      'token',
      'access_token',
      'id_token',
      'auth',
      'authorization',
      'jwt',
      'bearer',
      'api_key',
      'apikey',
      'key',
      'secret',
    ],
    ...['Token', 'ACCESS_TOKEN', 'accessToken', 'access-token', 'X-Api-Key', 'apiKey', 'auth_token', 'password'],
  ])('with %s is refused, says what to do instead, and does not repeat it', (name) => {
    const error = errorOf(() => refuseTokenInUrl(new URLSearchParams({ channel: 'news', [name]: 'hunter2' })));
    expect(error.code).toBe('invalid_request');
    expect(error.message).toContain(`"${name}"`);
    expect(error.message).toContain('Authorization');
    expect(error.message).toContain('ticket');
    expect(error.message).not.toContain('hunter2');
  });

  test('with a token or a key is refused under whatever name', async () => {
    const token = await secretSigner().sign();
    const { secret } = publishSecret();
    for (const value of [token, secret, `Bearer ${token}`])
      for (const query of [{ ticket: value }, { channel: value }, { [value]: '' }]) {
        const error = errorOf(() => refuseTokenInUrl(new URLSearchParams(query)));
        expect(error.code).toBe('invalid_request');
        expect(error.message).not.toContain(value);
      }
  });

  test.each([
    '',
    'channel=news&channel=orders:1&after=1763600000000-0&last=10&format=envelope',
    'ticket=fft_Zm9vYmFyYmF6cXV4MTIzNA',
    'channel=token&channel=key&channel=auth',
    'channel=eyJ.a&channel=ffk_short',
    'tokens=1&monkey=2&keyboard=3',
  ])('with %j is not', (query) => {
    expect(() => refuseTokenInUrl(new URLSearchParams(query))).not.toThrow();
  });
});
