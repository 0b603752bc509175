import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEmbeddedLog } from '../../../../src/log/embedded/embedded-log.ts';
import { longestTtlSeconds } from '../../../../src/retention.ts';
import { liveThrough, logSteps, retentions } from '../../../support/log-histories.ts';
import { LogOracle } from '../../../support/log-oracle.ts';
import { silentLogger, silentMetrics } from '../../../support/silent.ts';

const START = 1_763_600_000_000;
const logger = silentLogger();
const metrics = silentMetrics();

test('whatever is appended, trimmed and expired: pages are in order, and every cursor is judged as it is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        retention: retentions(),
        partitions: fc.constantFrom(1, 2),
        maxBytes: fc.constantFrom(2_000, 1_000_000),
        steps: logSteps(40, false),
      }),
      async ({ retention, partitions, maxBytes, steps }) => {
        let nowMs = START;
        const log = createEmbeddedLog({
          ...retention,
          partitions,
          logger,
          metrics,
          maxBytes: maxBytes * partitions,
          clock: () => nowMs,
        });
        const floors = Array.from({ length: partitions }, () => `${START}-0`);
        const oracle = new LogOracle({
          partitions,
          retention,
          floors,
          memorySeconds: () => longestTtlSeconds(retention),
          room: { maxBytes, overheadBytes: 300, channelBytes: 500 },
        });
        const setTime = (ms: number): void => {
          nowMs = ms;
        };
        const problems = await liveThrough(steps, log, oracle, { setTime }, floors, START);
        await log.close();
        expect(problems).toEqual([]);
      },
    ),
    { numRuns: 3_000 },
  );
});
