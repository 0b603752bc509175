import { type RedisAddress, type RedisMode, type RedisTls, readRedisUrl } from '../../src/redis-address.ts';

const NO_CERTIFICATES: RedisTls = { ca: undefined, cert: undefined, key: undefined };

/** What a node makes of its REDIS_URL. */
export function redisAddress(
  url: string,
  mode: RedisMode = 'standalone',
  certificates: RedisTls = NO_CERTIFICATES,
): RedisAddress {
  return readRedisUrl(url, mode, certificates, (problem) => {
    throw new Error(`REDIS_URL ${problem}`);
  });
}
