import { expect, test } from 'vitest';
import { CLOSES } from '../../gateway/src/errors.ts';
import { closeOf } from '../public/close-codes.js';

test.each(Object.entries(CLOSES))('the page comes back after %s when the node means it to', (_reason, close) => {
  expect(closeOf(close.code).comeBack).toBe(close.comeBack);
  expect(closeOf(close.code).reason).not.toContain(String(close.code));
});

test('a code that nobody knows is worth another try', () => {
  expect(closeOf(4999)).toEqual({ reason: 'the connection was closed with 4999', comeBack: true });
});
