import { expect, test } from 'vitest';
import { isAfter } from '../public/ids.js';
import { Sequence } from '../public/sequence.js';

test('ids are ordered by their numbers, beyond what a JavaScript number can hold', () => {
  expect(isAfter('10-0', '9-0')).toBe(true);
  expect(isAfter('10-10', '10-9')).toBe(true);
  expect(isAfter('10-9', '10-9')).toBe(false);
  expect(isAfter('18446744073709551615-0', '18446744073709551614-0')).toBe(true);
});

test('each channel has an order of its own, and a message that comes again is not accepted', () => {
  const sequence = new Sequence();
  expect(sequence.accept('a', '2-0')).toBe(true);
  expect(sequence.accept('b', '1-0')).toBe(true);
  expect(sequence.accept('a', '2-0')).toBe(false);
  expect(sequence.accept('a', '1-0')).toBe(false);
  expect(sequence.accept('a', '3-0')).toBe(true);
  sequence.forget('a');
  expect(sequence.accept('a', '1-0')).toBe(true);
});
