import { afterAll, beforeAll } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { createRedisLog } from '../../src/log/redis/redis-log.ts';
import type { RedisAddress } from '../../src/redis-address.ts';
import { silentLogger, silentMetrics } from '../support/silent.ts';
import { logContract } from './log.contract.ts';

/** A Redis, however it is set up. */
export interface ContractRedis {
  readonly address: RedisAddress;
  /** Where the tails read. Default: the masters. */
  readonly tailFrom?: 'replica';
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** Holds the Redis log to the contract of all logs, on a Redis that `start` starts. */
export function redisLogContract(name: string, start: () => Promise<ContractRedis>): void {
  const open: Log[] = [];
  let redis: ContractRedis | undefined;

  beforeAll(async () => {
    redis = await start();
  });

  afterAll(() => redis?.stop());

  logContract(name, {
    shared: true,
    open(settings) {
      if (redis === undefined) throw new Error('there is no Redis');
      const { address, tailFrom } = redis;
      const common = { address, logger: silentLogger(), metrics: silentMetrics(), ...(tailFrom && { tailFrom }) };
      const log = createRedisLog({ ...settings, ...common });
      open.push(log);
      return log;
    },
    async reset() {
      await Promise.all(open.splice(0).map((log) => log.close()));
      await redis?.flush();
    },
  });
}
