import { expect, test } from 'vitest';
import { CLOSES } from '../../gateway/src/errors.ts';
import { closeOf } from '../public/close-codes.js';

test.each(Object.entries(CLOSES))('the page comes back after %s when the node means it to', (reason, close) => {
  expect(closeOf(close.code, reason).comeBack).toBe(close.comeBack);
  expect(closeOf(close.code, reason).reason).not.toContain(String(close.code));
});

test('what the node says with a code is told where it says more', () => {
  expect(closeOf(4401, 'token_expired').reason).toContain('expired');
  expect(closeOf(4403, 'disconnected').reason).toContain('disconnected');
  expect(closeOf(4403, 'constructor')).toEqual(closeOf(4403));
});

test('a code that nobody knows is worth another try', () => {
  expect(closeOf(4999)).toEqual({ reason: 'the connection was closed with 4999', comeBack: true });
});
