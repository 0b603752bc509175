import { ReplyError } from 'ioredis';
import { expect, test } from 'vitest';
import { appendFailure, notConnected, readFailure, reasonOf } from '../../../../src/log/redis/failure.ts';

function reply(message: string): Error {
  return Object.assign(new ReplyError(message), { command: { name: 'evalsha', args: ['"a secret message"'] } });
}

test.each([
  'LOADING Redis is loading the dataset in memory',
  "READONLY You can't write against a read only replica.",
  "OOM command not allowed when used memory > 'maxmemory'.",
  'BUSY Redis is busy running a script.',
  'MISCONF Redis is configured to save RDB snapshots',
  'NOAUTH Authentication required.',
  'NOREPLICAS Not enough good replicas to write.',
  'CLUSTERDOWN Hash slot not served',
  'MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to no.',
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'NOPERM this user has no permissions to access one of the keys used as arguments',
])('what Redis refuses was not published: %s', (message) => {
  expect(appendFailure(reply(message))).toMatchObject({ code: 'log_unavailable', cause: message });
});

test('what was never written was not published', () => {
  const error = new Error("Stream isn't writeable and enableOfflineQueue options is false");
  expect(appendFailure(error).code).toBe('log_unavailable');
  expect(notConnected().code).toBe('log_unavailable');
});

test.each([
  'Command timed out',
  'Connection is closed.',
  'Command aborted due to connection close',
  'Reached the max retries per request limit (which is 0).',
  'read ECONNRESET',
  'something that nobody thought of',
])('whatever else happens to it leaves that open: %s', (message) => {
  expect(appendFailure(new Error(message)).code).toBe('log_timeout');
});

test('no error carries on what was sent', () => {
  for (const error of [appendFailure(reply('OOM')), readFailure(reply('OOM'))]) {
    const all = JSON.stringify([error, error.message, error.cause, Object.entries(error)]);
    expect(all).not.toContain('secret');
    expect(error.cause).toBe('OOM');
  }
});

test('a name with several addresses fails with what the first of them failed with', () => {
  const failures = [new Error('connect ECONNREFUSED ::1:6379'), new Error('connect ECONNREFUSED 127.0.0.1:6379')];
  expect(reasonOf(new AggregateError(failures))).toBe('connect ECONNREFUSED ::1:6379');
  expect(reasonOf(new AggregateError([], 'none'))).toBe('none');
});
