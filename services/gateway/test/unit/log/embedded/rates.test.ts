import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EmbeddedRates } from '../../../../src/log/embedded/rates.ts';

const NOW = 1_763_600_000_000;

test('after the wait that is told one more is granted, and not much before', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 10_000, noNaN: true }),
      fc.double({ min: 0, max: 1_000, noNaN: true }),
      fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 10 }),
      (perSecond, burst, counts) => {
        // Asks twice, of two that have the same past: the first question changes what the second one would be told.
        const [early, due] = [new EmbeddedRates(), new EmbeddedRates()];
        let waitMs = 0;
        for (const rates of [early, due]) {
          for (const count of counts) rates.take('a', perSecond, burst, count, NOW);
          ({ waitMs } = rates.take('a', perSecond, burst, 10_000, NOW));
        }
        // It is told in whole milliseconds, and a millionth of a permit may be missing.
        if (waitMs > 2) expect(early.take('a', perSecond, burst, 1, NOW + waitMs - 2).granted).toBe(0);
        expect(due.take('a', perSecond, burst, 1, NOW + waitMs).granted).toBe(1);
      },
    ),
  );
});

test('in the long run exactly the rate is granted, however often is asked', () => {
  const rates = new EmbeddedRates();
  let granted = 0;
  let nowMs = NOW;
  for (let i = 0; i < 1_000_000; i++, nowMs++) granted += rates.take('a', 3, 10, 1, nowMs).granted;
  // 999.999 seconds at three a second, and the burst.
  expect(granted).toBe(10 + Math.floor(999.999 * 3));
});

test('never is more granted in any time than the burst and the rate allow', () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 500 }), count: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 1_000, noNaN: true }),
      fc.double({ min: 1, max: 50, noNaN: true }),
      fc.array(step, { maxLength: 50 }),
      (perSecond, burst, steps) => {
        const rates = new EmbeddedRates();
        const grants: { atMs: number; granted: number }[] = [];
        let atMs = NOW;
        for (const { afterMs, count } of steps) {
          atMs += afterMs;
          grants.push({ atMs, granted: rates.take('a', perSecond, burst, count, atMs).granted });
        }
        for (const [i, from] of grants.entries()) {
          let sum = 0;
          for (const to of grants.slice(i)) {
            sum += to.granted;
            expect(sum).toBeLessThanOrEqual(burst + ((to.atMs - from.atMs) * perSecond) / 1_000 + 0.001);
          }
        }
      },
    ),
  );
});

test('a clock that is set back keeps nobody waiting for longer than he would have', () => {
  const rates = new EmbeddedRates();
  rates.take('a', 1, 10, 10, NOW);
  const back = NOW - 86_400_000;
  expect(rates.take('a', 1, 10, 1, back)).toEqual({ granted: 0, waitMs: 1_000 });
  expect(rates.take('a', 1, 10, 1, back + 1_000).granted).toBe(1);
});

test('when there are too many accounts, those with no debt are forgotten first, then those that were quiet longest', () => {
  const rates = new EmbeddedRates(100);
  rates.take('busy', 0.001, 10, 10, NOW);
  for (let i = 0; i < 99; i++) rates.take(`quick ${i}`, 1_000, 10, 10, NOW);
  for (let i = 0; i < 50; i++) rates.take(`slow ${i}`, 0.001, 10, 10, NOW + 1_000);
  expect(rates.take('busy', 0.001, 10, 1, NOW + 1_000).granted).toBe(0);
  for (let i = 0; i < 200; i++) rates.take(`new ${i}`, 0.001, 10, 10, NOW + 1_000);
  expect(rates.take('new 199', 0.001, 10, 1, NOW + 1_000).granted).toBe(0);
  expect(rates.take('new 120', 0.001, 10, 1, NOW + 1_000).granted).toBe(0);
  expect(rates.take('busy', 0.001, 10, 1, NOW + 1_000).granted).toBe(1);
});
