import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Log } from '../../../services/gateway/src/log/log.ts';
import { createRedisLog } from '../../../services/gateway/src/log/redis/redis-log.ts';
import { readRedisUrl } from '../../../services/gateway/src/redis-address.ts';
import { silentLogger, silentMetrics } from '../../../services/gateway/test/support/silent.ts';

export interface OpenRequest {
  readonly url: string;
  /** Messages that each channel's history holds. */
  readonly historySize: number;
}

/** A log as a node has it, and a connection for bare commands to the same Redis. */
export interface Opened {
  readonly log: Log;
  readonly redis: Redis;
}

const POLL_MILLISECONDS = 50;
const NO_CERTIFICATES = { ca: undefined, cert: undefined, key: undefined };

/** Opens them; resolves when commands can be sent. */
export async function openLog({ url, historySize }: OpenRequest): Promise<Opened> {
  const address = readRedisUrl(url, 'standalone', NO_CERTIFICATES, (problem) => {
    throw new Error(`the address of Redis ${problem}`);
  });
  const log = createRedisLog({
    address,
    partitions: 1,
    historySize,
    historyTtlSeconds: 86_400,
    logger: silentLogger(),
    metrics: silentMetrics(),
  });
  while (!(await isReached(log))) await pause(POLL_MILLISECONDS);
  // Its connections are made at the same time, and that for appends tells nobody when it is ready.
  await pause(POLL_MILLISECONDS);
  return { log, redis: new Redis(url) };
}

function isReached(log: Log): Promise<boolean> {
  return log.end(0).then(
    () => true,
    () => false,
  );
}
