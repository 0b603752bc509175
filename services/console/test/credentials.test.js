import { describe, expect, test } from 'vitest';
import { bearer, Credentials } from '../public/credentials.js';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl';
const KEY = `ffk_${'0'.repeat(48)}`;

/** With a count of how often something else began to count. */
function watched() {
  const credentials = new Credentials();
  const seen = { changes: 0 };
  credentials.onChange(() => seen.changes++);
  return { credentials, seen };
}

describe('what is typed or pasted', () => {
  test('counts without the spaces around it and the word Bearer before it', () => {
    const { credentials } = watched();
    credentials.give('token', `  Bearer ${TOKEN}\n`);
    expect(credentials.token).toBe(TOKEN);
  });

  test('counts once, however often it is given', () => {
    const { credentials, seen } = watched();
    for (let n = 0; n < 3; n++) credentials.give('token', TOKEN);
    expect(seen.changes).toBe(1);
  });

  test.each(['eyJhbGciOi…', 'two words', 'naïve', '"quoted"', 'a=b'])(
    'and can be no token (%s) is complained of, not repeated, and leaves the one before',
    (text) => {
      const { credentials, seen } = watched();
      credentials.give('token', TOKEN);
      credentials.give('token', text);
      expect(credentials.token).toBe(TOKEN);
      expect(credentials.problem('token')).toContain('can be no token');
      expect(credentials.problem('token')).not.toContain(text);
      expect(seen.changes).toBe(1);
    },
  );

  test('as a key to listen with is sent on to the other field', () => {
    const { credentials } = watched();
    credentials.give('token', KEY);
    expect(credentials.token).toBe('');
    expect(credentials.problem('token')).toContain('cannot listen');
    credentials.give('key', KEY);
    expect(credentials.publishSecret).toBe(KEY);
  });

  test('is forgotten when the field is emptied', () => {
    const { credentials } = watched();
    credentials.give('token', TOKEN);
    credentials.give('token', '');
    expect(credentials.token).toBe('');
    expect(credentials.publishSecret).toBe('');
    expect(bearer(credentials.token)).toEqual({});
  });
});

test('the token publishes, too, where there is no key', () => {
  const { credentials } = watched();
  credentials.give('token', TOKEN);
  expect(bearer(credentials.publishSecret)).toEqual({ authorization: `Bearer ${TOKEN}` });
  credentials.give('key', KEY);
  expect(credentials.publishSecret).toBe(KEY);
  expect(credentials.token).toBe(TOKEN);
});

/** @type {[string, { token?: string, key?: string }, 'http' | 'websocket', 'token' | 'key'][]} */
const REFUSALS = [
  ['nothing', {}, 'http', 'key'],
  ['a token', { token: TOKEN }, 'http', 'token'],
  ['a token and a key', { token: TOKEN, key: KEY }, 'http', 'key'],
  ['a key, over the WebSocket', { key: KEY }, 'websocket', 'token'],
];

describe('a refusal to publish leads to the field that can help', () => {
  test.each(REFUSALS)('with %s', (_given, { token = '', key = '' }, way, field) => {
    const { credentials } = watched();
    credentials.give('token', token);
    credentials.give('key', key);
    expect(credentials.publishRefused('no', way)).toBe(field);
    expect(credentials.problem(field)).toBe('No.');
    credentials.forgive();
    expect(credentials.problem(field)).toBe('');
  });
});
