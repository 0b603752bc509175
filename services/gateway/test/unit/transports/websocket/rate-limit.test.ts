import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RateLimit } from '../../../../src/transports/websocket/rate-limit.ts';

/** When those that were allowed came, of frames that come at these times. */
function allowed(limit: RateLimit, times: readonly number[]): number[] {
  let state = 0;
  return times.filter((time) => {
    const next = limit.allow(state, time);
    if (next === -1) return false;
    state = next;
    return true;
  });
}

describe('a rate limit', () => {
  test('takes a burst at once, and not one more', () => {
    expect(allowed(new RateLimit(10, 5), Array<number>(20).fill(1000))).toHaveLength(5);
  });

  test('takes a whole burst after years of uptime, at rates that do not divide a second', () => {
    const now = 10 * 365 * 86_400_000 + 0.1;
    for (const perSecond of [3, 7, 30, 333, 1000])
      expect(allowed(new RateLimit(perSecond, 1000), Array<number>(1100).fill(now))).toHaveLength(1000);
  });

  test('takes one more for each gap that passes', () => {
    const limit = new RateLimit(10, 2);
    expect(allowed(limit, [0, 0, 0, 99, 100, 100, 199, 200])).toEqual([0, 0, 100, 200]);
  });

  test('lets a client that was quiet save up no more than a burst', () => {
    expect(allowed(new RateLimit(10, 3), [0, ...Array<number>(10).fill(3_600_000)])).toHaveLength(4);
  });

  test('never hinders a client that keeps to the rate', () => {
    const times = Array.from({ length: 1000 }, (_, index) => index * (1000 / 30));
    expect(allowed(new RateLimit(30, 1), times)).toHaveLength(1000);
  });

  test('in no stretch of time takes more than the burst and the rate times its length', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 300, noNaN: true })), { maxLength: 200 }),
        (perSecond, burst, pauses) => {
          let now = 0;
          const taken = allowed(
            new RateLimit(perSecond, burst),
            pauses.map((pause) => {
              now += pause;
              return now;
            }),
          );
          for (const [first, start] of taken.entries())
            for (const [further, end] of taken.slice(first).entries())
              expect(further + 1).toBeLessThanOrEqual(burst + 0.011 + (perSecond * (end - start)) / 1000);
        },
      ),
    );
  });
});
