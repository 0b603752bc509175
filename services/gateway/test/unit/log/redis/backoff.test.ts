import { expect, test } from 'vitest';
import { backoffMs } from '../../../../src/log/redis/backoff.ts';

test('the pause doubles from a tenth of a second to one second, and half of it is chance', () => {
  for (let round = 0; round < 100; round++)
    for (const [attempt, full] of [
      [1, 100],
      [2, 200],
      [4, 800],
      [5, 1_000],
      [10_000, 1_000],
    ] as const) {
      expect(backoffMs(attempt)).toBeGreaterThanOrEqual(full / 2);
      expect(backoffMs(attempt)).toBeLessThanOrEqual(full);
    }
});
