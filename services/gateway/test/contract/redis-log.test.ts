import { redisTier, startRedis } from '../support/redis.ts';
import { redisAddress } from '../support/redis-address.ts';
import { redisLogContract } from './redis-log.contract.ts';

redisLogContract('the Redis log', async () => {
  const redis = await startRedis();
  console.info(`Redis for these tests: ${redisTier()} (TEST_REDIS), ${redis.url}`);
  return {
    address: redisAddress(redis.url),
    flush: async () => {
      await redis.client.flushall();
    },
    stop: redis.stop,
  };
});
