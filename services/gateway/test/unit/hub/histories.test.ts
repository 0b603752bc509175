import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hubHistories, liveThroughHub } from '../../support/hub-histories.ts';

test('whatever happens to nodes, tails, reads and clients: every message comes once and in order, or a gap tells of it', async () => {
  await fc.assert(
    fc.asyncProperty(hubHistories(60), async (history) => {
      expect(await liveThroughHub(history)).toEqual([]);
    }),
    { numRuns: 3_000 },
  );
});
