import { startRedisCluster } from '../support/redis-cluster.ts';
import { redisLogContract } from './redis-log.contract.ts';

redisLogContract('the Redis log on a Redis Cluster', async () => {
  const redis = await startRedisCluster();
  return { ...redis, address: redis.restricted };
});
