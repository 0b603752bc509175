import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Log } from '../../../src/log/log.ts';
import { historyKey, logKey } from '../../../src/log/redis/keys.ts';
import { createRedisLog } from '../../../src/log/redis/redis-log.ts';
import { TAIL_TIMING } from '../../../src/log/redis/tail/tail.ts';
import { partitionOf } from '../../../src/message.ts';
import { keptOf, type Retention } from '../../../src/retention.ts';
import { type FakeClock, startFakeClock } from '../../support/fake-clock.ts';
import { type Hands, liveThrough, logSteps, retentions } from '../../support/log-histories.ts';
import { LogOracle } from '../../support/log-oracle.ts';
import { type TestRedis, withClient } from '../../support/redis.ts';
import { redisAddress } from '../../support/redis-address.ts';
import { startLocalRedis } from '../../support/redis-local.ts';
import { silentLogger, silentMetrics } from '../../support/silent.ts';
import { TailLedger } from '../../support/tail-ledger.ts';
import { until } from '../../support/until.ts';

const START = 1_763_600_000_000;
/** Beyond any test: what blocks until a time of day would never return while the clock stands. */
const PATIENT = { ...TAIL_TIMING, blockMs: 600_000, marginMs: 600_000, unseenMs: 600_000 };
/** A history's key holds its channel's newest id at least this long. */
const MEMORY_SECONDS = 600;

// On the machine's own Redis, whatever TEST_REDIS says: the clock is put into its process.
describe.skipIf(process.platform !== 'linux')('a log on a Redis whose clock the test sets', () => {
  let clock: FakeClock;
  let redis: TestRedis;

  beforeAll(async () => {
    clock = await startFakeClock();
    redis = withClient(await startLocalRedis({ env: clock.env }));
  });

  afterAll(async () => {
    await redis?.stop();
    await clock?.stop();
  });

  async function open(retention: Retention, partitions: number): Promise<{ log: Log; ledger: TailLedger }> {
    await redis.client.flushall();
    await clock.stopAt(START);
    const address = redisAddress(redis.url);
    const options = { ...retention, partitions, address, logger: silentLogger(), metrics: silentMetrics() };
    const log = createRedisLog({ ...options, tailTiming: PATIENT });
    const ledger = new TailLedger();
    await log.follow(ledger, 0);
    return { log, ledger };
  }

  function handsOn(partitions: number): Hands {
    const history = (channel: string) => historyKey(partitionOf(channel, partitions), channel);
    const log = (channel: string) => logKey(partitionOf(channel, partitions));
    return {
      setTime: (ms) => clock.stopAt(ms),
      others: {
        trimHistory: async (channel, keep) => void (await redis.client.xtrim(history(channel), 'MAXLEN', keep)),
        trimLog: async (channel, keep) => void (await redis.client.xtrim(log(channel), 'MAXLEN', keep)),
        deleteHistory: async (channel) => void (await redis.client.del(history(channel))),
        deleteLog: async (channel) => void (await redis.client.del(log(channel))),
      },
    };
  }

  test.each([
    ['appended, trimmed and expired', false],
    ['appended, trimmed, expired, and removed by another hand', true],
  ])('whatever is %s: pages are in order, and every cursor is judged as it is', async (_what, others) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ retention: retentions(), partitions: fc.constantFrom(1, 2), steps: logSteps(40, others) }),
        async ({ retention, partitions, steps }) => {
          const { log, ledger } = await open(retention, partitions);
          try {
            const floors = Array.from({ length: partitions }, (_, partition) => ledger.floors(partition)[0] ?? '');
            const oracle = new LogOracle({
              partitions,
              retention,
              floors,
              memorySeconds: (channel) => Math.max(MEMORY_SECONDS, keptOf(retention, channel).historyTtlSeconds),
            });
            const problems = await liveThrough(steps, log, oracle, handsOn(partitions), floors, START);
            expect([...problems, ...ledger.violations]).toEqual([]);
            for (let partition = 0; partition < partitions; partition++)
              if (oracle.hasRisen(partition))
                await until(() => ledger.floors(partition).length > 1, 'the tail to bring the new floor');
          } finally {
            await log.close();
          }
        },
      ),
      // Shrinking what failed ends in time for the seed to be told.
      { numRuns: 120, interruptAfterTimeLimit: 40_000 },
    );
  });
});
