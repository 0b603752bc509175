import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RedisAddress } from '../../../src/redis-address.ts';
import { type ClusterNode, startRedisCluster, type TestRedisCluster } from '../../support/redis-cluster.ts';
import { until } from '../../support/until.ts';
import { openLogNode, startLogNode } from './node.ts';
import { channelsOf } from './steady.ts';

let redis: TestRedisCluster;

beforeAll(async () => {
  redis = await startRedisCluster();
});

afterAll(() => redis.stop());

/** Nobody listens there. */
const NOBODY = { host: '127.0.0.1', port: 1 };

function seeds(...nodes: RedisAddress['nodes']): RedisAddress {
  return { ...redis.address, nodes };
}

test('one node that lives is enough to find all others, also a replica', async () => {
  const { port } = redis.nodes[5] as ClusterNode;
  const partitions = 4;
  const node = await startLogNode(seeds(NOBODY, { host: '127.0.0.1', port }), { partitions });
  const channels = channelsOf(partitions);
  for (const channel of channels) await node.log.append({ channel, data: '1' });
  await until(() => node.ledger.data.length === partitions, 'the messages');
  for (const channel of channels) expect(await node.log.historyLast(channel, 1)).toHaveLength(1);
  await node.log.close();
});

test('while there is none, that is said once, and appends are refused as not published', async () => {
  const { log, ledger, said } = openLogNode(seeds(NOBODY));
  const followed = log.follow(ledger, 0);
  await until(() => said.some((line) => line.includes('Redis Cluster cannot be used')), 'the complaint');
  await expect(log.append({ channel: 'c', data: '1' })).rejects.toMatchObject({ code: 'log_unavailable' });
  await expect(log.historyLast('c', 1)).rejects.toMatchObject({ code: 'log_unavailable' });
  await expect(log.end(0)).rejects.toMatchObject({ code: 'log_unavailable' });
  expect(log.trouble).toBeDefined();
  await log.close();
  await followed;
  expect(said.filter((line) => line.includes('Redis Cluster cannot be used'))).toHaveLength(1);
});
