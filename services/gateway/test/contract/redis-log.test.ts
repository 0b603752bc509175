import { afterAll, beforeAll } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { createRedisLog } from '../../src/log/redis/redis-log.ts';
import { redisTier, startRedis, type TestRedis } from '../support/redis.ts';
import { silentLogger, silentMetrics } from '../support/silent.ts';
import { logContract } from './log.contract.ts';

const open: Log[] = [];
let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis();
  console.info(`Redis for these tests: ${redisTier()} (TEST_REDIS), ${redis.url}`);
});

afterAll(() => redis.stop());

logContract('the Redis log', {
  shared: true,
  open(settings) {
    const log = createRedisLog({ ...settings, url: redis.url, logger: silentLogger(), metrics: silentMetrics() });
    open.push(log);
    return log;
  },
  async reset() {
    await Promise.all(open.splice(0).map((log) => log.close()));
    await redis.client.flushall();
  },
});
