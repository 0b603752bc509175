import { startSentinel } from '../support/redis-sentinel.ts';
import { redisLogContract } from './redis-log.contract.ts';

redisLogContract('the Redis log behind Sentinels, tailed on its replicas', async () => {
  const redis = await startSentinel();
  return { ...redis, address: redis.restricted, tailFrom: 'replica' };
});
