import { expect, test } from 'vitest';
import { Proof } from '../../../../../src/log/redis/tail/proof.ts';

test('nothing is owed by a tail that stands where the log ends', () => {
  const proof = new Proof();
  expect(proof.owed('0-0')).toBe(false);
  proof.answered('5-0', '5-0', 1_000);
  expect(proof.owed('5-0')).toBe(false);
  expect(proof.waitingMs('5-0', 9_000)).toBe(0);
});

test('a tail owes what the log goes on to, from when that was known until it stands there', () => {
  const proof = new Proof();
  proof.answered('7-0', '5-0', 1_000);
  expect(proof.waitingMs('6-0', 4_000)).toBe(3_000);
  expect(proof.waitingMs('7-0', 4_000)).toBe(0);
  expect(proof.owed('5-0')).toBe(false);
});

test('a newer end does not put off an older debt, and being where the log ended when it was asked pays it', () => {
  const proof = new Proof();
  proof.answered('7-0', '5-0', 1_000);
  proof.answered('9-0', '6-0', 3_000);
  expect(proof.waitingMs('6-0', 4_000)).toBe(3_000);
  proof.answered('6-0', '6-0', 4_000);
  expect(proof.owed('6-0')).toBe(false);
});

test('where another connection sees less than was read, no place will do until it sees more', () => {
  const proof = new Proof();
  proof.answered('3-0', '5-0', 1_000);
  expect(proof.waitingMs('99-0', 4_000)).toBe(3_000);
  proof.answered('8-0', '5-0', 5_000);
  expect(proof.waitingMs('7-0', 5_000)).toBe(4_000);
  expect(proof.owed('8-0')).toBe(false);
});

test('a new session has its own time for the same debt', () => {
  const proof = new Proof();
  proof.restart(500);
  expect(proof.owed('5-0')).toBe(false);
  proof.answered('7-0', '5-0', 1_000);
  proof.restart(4_000);
  expect(proof.waitingMs('5-0', 4_500)).toBe(500);
});
