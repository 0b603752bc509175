import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSentinel, type TestSentinel } from '../../support/redis-sentinel.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';
import { channelsOf, SteadyPublishers } from './steady.ts';

let redis: TestSentinel;
let nodes: LogNode[];
let publishers: SteadyPublishers;

beforeEach(async () => {
  redis = await startSentinel({ downAfterMs: 1_000 });
  nodes = await Promise.all([startLogNode(redis.restricted), startLogNode(redis.restricted)]);
  publishers = new SteadyPublishers(nodes, channelsOf(1));
});

afterEach(async () => {
  await publishers.abandon();
  await Promise.all(nodes.map(({ log }) => log.close()));
  await redis.stop();
});

test('a master that only the Sentinels and the replicas are cut off from is left, and what it took alone is told by a floor', async () => {
  await publishers.more(20);
  const old = await redis.master();
  // They come as the default user, the nodes do not.
  await old.client
    .multi([
      ['acl', 'setuser', 'default', '-@all'],
      ['client', 'kill', 'type', 'replica'],
    ])
    .exec();
  await until(async () => (await redis.master()) !== old, 'a replica to be promoted', 60);
  const master = await redis.master();
  await until(async () => {
    const id = publishers.taken.at(-1)?.id ?? '';
    return (await master.client.xrange('fanfare:{p0}:log', id, id)).length > 0;
  }, 'publishers to have come to the new master');
  await until(() => nodes.every(({ log }) => log.trouble === undefined), 'all nodes to be healthy', 60);
  await publishers.more(20);
  await publishers.settle(1);
  for (const { ledger } of nodes) expect(ledger.floors().length).toBeGreaterThan(1);
});
