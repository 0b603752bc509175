import { expect, test } from 'vitest';
import { connectionTrouble, Denials } from '../../../../src/log/redis/denials.ts';
import { silentLogger } from '../../../support/silent.ts';

test('each kind of denial is said once, and nothing else is one', () => {
  const said: string[] = [];
  const denials = new Denials(silentLogger(said));
  for (let round = 0; round < 3; round++) {
    expect(denials.heard('WRONGPASS invalid username-password pair or user is disabled.')).toBe(true);
    expect(denials.heard('NOAUTH Authentication required.')).toBe(true);
    expect(denials.heard("NOPERM this user has no permissions to run the 'evalsha' command")).toBe(true);
    expect(denials.heard('LOADING Redis is loading the dataset in memory')).toBe(false);
    expect(denials.heard('connect ECONNREFUSED 127.0.0.1:6379')).toBe(false);
  }
  expect(said).toHaveLength(3);
  for (const line of said) expect(line).toMatch(/^error: Redis denies/);
});

test.each([
  ['connect ECONNREFUSED 127.0.0.1:6379', 'no connection to Redis (connect ECONNREFUSED 127.0.0.1:6379)'],
  ['NOAUTH Authentication required.', 'Redis denies access (NOAUTH Authentication required.)'],
  ['two\r\nlines\n', 'no connection to Redis (two lines)'],
  ['', 'no connection to Redis'],
])('%j is told as one line', (reason, line) => {
  expect(connectionTrouble(reason)).toBe(line);
});
