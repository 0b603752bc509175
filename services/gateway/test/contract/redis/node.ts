import { FanfareError } from '../../../src/errors.ts';
import type { Log } from '../../../src/log/log.ts';
import { createRedisLog, type RedisLogOptions } from '../../../src/log/redis/redis-log.ts';
import type { TailTiming } from '../../../src/log/redis/tail/tail.ts';
import type { RedisAddress } from '../../../src/redis-address.ts';
import { redisAddress } from '../../support/redis-address.ts';
import { silentLogger, silentMetrics } from '../../support/silent.ts';
import { TailLedger } from '../../support/tail-ledger.ts';

/** Short, so that a test need not wait for what takes seconds in earnest. */
export const QUICK: TailTiming = { blockMs: 200, marginMs: 400, unseenMs: 800, awayMs: 1_000 };

/** The log as one node has it, with what its tail tells. */
export interface LogNode {
  readonly log: Log;
  readonly ledger: TailLedger;
  /** What was logged, level first. */
  readonly said: string[];
}

/** Opens a log and follows it. `where`: an address, or the URL of a Redis that stands alone. */
export async function startLogNode(
  where: string | RedisAddress,
  options: Partial<RedisLogOptions> = {},
): Promise<LogNode> {
  const node = openLogNode(where, options);
  await node.log.follow(node.ledger, 64 * 1024 * 1024);
  return node;
}

/** Opens a log without following it. */
export function openLogNode(where: string | RedisAddress, options: Partial<RedisLogOptions> = {}): LogNode {
  const said: string[] = [];
  const log = createRedisLog({
    address: typeof where === 'string' ? redisAddress(where) : where,
    partitions: 1,
    historySize: 1_000,
    historyTtlSeconds: 3_600,
    logger: silentLogger(said),
    metrics: silentMetrics(),
    tailTiming: QUICK,
    ...options,
  });
  return { log, ledger: new TailLedger(), said };
}

/**
 * Appends until the log takes it, with one idempotency key, as a careful publisher does. Resolves to its id; rejects when it
 * is told to give up.
 */
export async function appendSurely(log: Log, channel: string, data: string, signal?: AbortSignal): Promise<string> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return (await log.append({ channel, data, idempotencyKey: `${channel}/${data}` })).id;
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
