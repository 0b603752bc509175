import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSentinel, type TestSentinel } from '../../support/redis-sentinel.ts';
import { cutReplication } from '../../support/replication.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';
import { channelsOf, SteadyPublishers } from './steady.ts';

const PARTITIONS = 2;

let redis: TestSentinel;
let nodes: LogNode[];
let publishers: SteadyPublishers;

beforeEach(async () => {
  redis = await startSentinel({ downAfterMs: 1_000 });
  const options = { partitions: PARTITIONS, commandTimeoutMs: 1_000 };
  nodes = await Promise.all([startLogNode(redis.address, options), startLogNode(redis.address, options)]);
  publishers = new SteadyPublishers(nodes, channelsOf(PARTITIONS));
});

afterEach(async () => {
  await publishers.abandon();
  await Promise.all(nodes.map(({ log }) => log.close()));
  await redis.stop();
});

const healthy = () => until(() => nodes.every(({ log }) => log.healthy), 'all nodes to be healthy', 60);

test('a master that is killed is replaced by a replica: nothing is lost in silence, doubled or out of order', async () => {
  await publishers.more(20);
  const master = await redis.master();
  await master.kill();
  await until(async () => (await redis.master()) !== master, 'a replica to be promoted', 60);
  await publishers.more(20);
  await master.start();
  await until(async () => (await master.client.role())[0] === 'slave', 'the old master to be a replica', 60);
  await healthy();
  await publishers.more(20);
  console.info(`longest pause: ${publishers.longestPauseMs} ms`);
  await publishers.settle(PARTITIONS);
});

test('what a promoted replica had not got is told by a floor on every node, whoever published it', async () => {
  await publishers.more(20);
  const master = await redis.master();
  await cutReplication(master);
  await publishers.more(20);
  await master.kill();
  await until(async () => (await redis.master()) !== master, 'a replica to be promoted', 60);
  await publishers.more(20);
  await healthy();
  await publishers.settle(PARTITIONS);
  for (const { ledger } of nodes)
    for (let partition = 0; partition < PARTITIONS; partition++)
      expect(ledger.floors(partition).length).toBeGreaterThan(1);
});

test('a master that stands still is replaced, and does no harm when it goes on', async () => {
  await publishers.more(20);
  const master = await redis.master();
  await master.pause();
  await until(async () => (await redis.master()) !== master, 'a replica to be promoted', 60);
  await publishers.more(20);
  await master.resume();
  await until(async () => (await master.client.role())[0] === 'slave', 'the old master to be a replica', 60);
  await healthy();
  await publishers.more(20);
  console.info(`longest pause: ${publishers.longestPauseMs} ms`);
  await publishers.settle(PARTITIONS);
});
