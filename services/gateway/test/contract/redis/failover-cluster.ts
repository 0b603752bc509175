import { startRedisCluster, type TestRedisCluster } from '../../support/redis-cluster.ts';
import { until } from '../../support/until.ts';
import type { FailoverRedis } from './failover.contract.ts';

/** Where partition 0 is. */
export const KEY = 'fanfare:{p0}:log';

/** Enough that every master has one. */
export const PARTITIONS = 4;

/** A Redis Cluster that replaces masters soon. */
export async function startFailoverCluster(): Promise<TestRedisCluster & FailoverRedis> {
  const redis = await startRedisCluster({ nodeTimeoutMs: 2_000 });
  return {
    ...redis,
    master: () => redis.masterOf(KEY),
    async replica() {
      const replica = redis.nodes[redis.nodes.indexOf(await redis.masterOf(KEY)) + 3];
      if (replica === undefined) throw new Error('there is no replica');
      return replica;
    },
    async promoted(old) {
      const others = redis.nodes.filter((node) => node !== old);
      const replaced = async () => {
        const maps = await Promise.all(others.map(({ client }) => client.cluster('SLOTS')));
        return maps.every((ranges) => ranges.every(([, , master]) => master?.[1] !== old.port));
      };
      await until(replaced, 'a replica to be promoted', 60);
    },
  };
}
