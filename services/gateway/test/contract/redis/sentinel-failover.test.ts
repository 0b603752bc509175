import { startSentinel, type TestSentinel } from '../../support/redis-sentinel.ts';
import { until } from '../../support/until.ts';
import { type FailoverRedis, failoverContract } from './failover.contract.ts';

async function start(): Promise<TestSentinel & FailoverRedis> {
  const redis = await startSentinel({ downAfterMs: 1_000 });
  return {
    ...redis,
    async replica() {
      const master = await redis.master();
      const [replica] = redis.nodes.filter((node) => node !== master);
      if (replica === undefined) throw new Error('there is no replica');
      return replica;
    },
    promoted: (old) => until(async () => (await redis.master()) !== old, 'a replica to be promoted', 60),
  };
}

failoverContract('behind Sentinels', start, { partitions: 2 });
