import { expect, test } from 'vitest';
import { Revocations } from '../../../../src/auth/sessions/revocations.ts';
import { principal } from '../people.ts';

const LIFETIME_SECONDS = 3_600;
const START_MS = 1_763_600_000_000;
/** As long as a token may live, and what clocks may differ by. */
const KEPT_MS = 3_630_000;

test('holds against what was issued then or before, of that subject only', () => {
  const revocations = new Revocations(LIFETIME_SECONDS, { clock: () => START_MS });
  revocations.add('ann', START_MS);
  expect(revocations.holds(principal('ann', START_MS - 1))).toBe(true);
  expect(revocations.holds(principal('ann', START_MS))).toBe(true);
  // Issued in fractions of a second.
  expect(revocations.holds(principal('ann', START_MS - 0.5))).toBe(true);
  expect(revocations.holds(principal('ann', START_MS + 0.5))).toBe(false);
  expect(revocations.holds(principal('ann', START_MS + 1))).toBe(false);
  expect(revocations.holds(principal('bob', START_MS))).toBe(false);
  expect(revocations.holds(principal('ann'))).toBe(true);
  expect(revocations.holds(principal(undefined))).toBe(false);
});

test('a newer one replaces an older one, and an older one never lowers it', () => {
  const revocations = new Revocations(LIFETIME_SECONDS, { clock: () => START_MS });
  revocations.add('ann', START_MS);
  revocations.add('ann', START_MS + 10);
  revocations.add('ann', START_MS - 10);
  expect(revocations.holds(principal('ann', START_MS + 10))).toBe(true);
  expect(revocations.known()).toEqual([['ann', START_MS + 10]]);
});

test('is forgotten when every token of then has expired, and not before', () => {
  let nowMs = START_MS;
  const revocations = new Revocations(LIFETIME_SECONDS, { clock: () => nowMs });
  revocations.add('ann', START_MS);
  nowMs = START_MS + KEPT_MS;
  revocations.add('bob', nowMs);
  expect(revocations.known().map(([subject]) => subject)).toEqual(['ann', 'bob']);
  nowMs++;
  expect(revocations.known().map(([subject]) => subject)).toEqual(['bob']);
});

test('what was forgotten because a clock was wrong is refused all the same, and nobody who is newer', () => {
  let nowMs = START_MS;
  const revocations = new Revocations(LIFETIME_SECONDS, { clock: () => nowMs });
  revocations.add('ann', START_MS);
  nowMs += 10 * KEPT_MS;
  expect(revocations.known()).toEqual([]);
  nowMs = START_MS;
  expect(revocations.holds(principal('ann', START_MS))).toBe(true);
  expect(revocations.holds(principal('bob', START_MS + 1))).toBe(false);
});

test('with too many subjects the first is forgotten, and everybody from its time is refused', () => {
  const revocations = new Revocations(LIFETIME_SECONDS, { maxSubjects: 3, clock: () => START_MS });
  for (const [i, subject] of ['ann', 'bob', 'cid'].entries()) revocations.add(subject, START_MS + i);
  // Ann is not the oldest any more.
  revocations.add('ann', START_MS + 3);
  expect(revocations.holds(principal('zoe', START_MS))).toBe(false);
  revocations.add('dan', START_MS + 4);
  expect(revocations.known().map(([subject]) => subject)).toEqual(['cid', 'ann', 'dan']);
  expect(revocations.holds(principal('bob', START_MS + 1))).toBe(true);
  expect(revocations.holds(principal('zoe', START_MS + 1))).toBe(true);
  expect(revocations.holds(principal('zoe', START_MS + 2))).toBe(false);
  expect(revocations.holds(principal(undefined, START_MS))).toBe(false);
});

test('a time before which all are refused is never lowered', () => {
  const revocations = new Revocations(LIFETIME_SECONDS, { clock: () => START_MS });
  revocations.refuseBefore(START_MS);
  revocations.refuseBefore(START_MS - 1_000);
  expect(revocations.holds(principal('ann', START_MS))).toBe(true);
  expect(revocations.holds(principal('ann', START_MS + 1))).toBe(false);
  expect(revocations.holds(principal(undefined))).toBe(false);
});
