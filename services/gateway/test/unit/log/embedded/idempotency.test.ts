import { expect, test } from 'vitest';
import { IdempotencyKeys } from '../../../../src/log/embedded/idempotency.ts';
import { IDEMPOTENCY_TTL_SECONDS } from '../../../../src/log/log.ts';

const TTL_MS = IDEMPOTENCY_TTL_SECONDS * 1000;

test('a key holds for its time, and no longer', () => {
  const keys = new IdempotencyKeys();
  keys.use('c', 'k', '1-0', 1_000);
  expect(keys.find('c', 'k', 1_000 + TTL_MS - 1)).toBe('1-0');
  expect(keys.find('c', 'k', 1_000 + TTL_MS)).toBeUndefined();
});

test('a key that has run out can be used again, and holds anew', () => {
  const keys = new IdempotencyKeys();
  keys.use('c', 'k', '1-0', 0);
  keys.use('c', 'k', '2-0', TTL_MS);
  keys.use('c', 'other', '3-0', TTL_MS);
  expect(keys.find('c', 'k', TTL_MS + 1)).toBe('2-0');
});

test('the oldest keys give way when there are too many', () => {
  const keys = new IdempotencyKeys();
  for (let i = 0; i <= 100_000; i++) keys.use('c', String(i), `${i}-0`, 0);
  expect(keys.find('c', '0', 0)).toBeUndefined();
  expect(keys.find('c', '1', 0)).toBe('1-0');
  expect(keys.find('c', '100000', 0)).toBe('100000-0');
});
