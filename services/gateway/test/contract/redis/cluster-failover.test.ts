import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ClusterNode, startRedisCluster, type TestRedisCluster } from '../../support/redis-cluster.ts';
import { cutReplication } from '../../support/replication.ts';
import { until } from '../../support/until.ts';
import { appendSurely, type LogNode, startLogNode } from './node.ts';
import { channelsOf, SteadyPublishers } from './steady.ts';

/** Enough that every master has one. */
const PARTITIONS = 4;
const CHANNELS = channelsOf(PARTITIONS);
const KEY = 'fanfare:{p0}:log';

let redis: TestRedisCluster;
let nodes: LogNode[];
let publishers: SteadyPublishers;

beforeEach(async () => {
  redis = await startRedisCluster({ nodeTimeoutMs: 2_000 });
  const options = { partitions: PARTITIONS, commandTimeoutMs: 1_000 };
  nodes = await Promise.all([startLogNode(redis.address, options), startLogNode(redis.address, options)]);
  publishers = new SteadyPublishers(nodes, CHANNELS);
});

afterEach(async () => {
  await publishers.abandon();
  await Promise.all(nodes.map(({ log }) => log.close()));
  await redis.stop();
});

const healthy = () => until(() => nodes.every(({ log }) => log.healthy), 'all nodes to be healthy', 60);

async function promoted(old: ClusterNode): Promise<void> {
  const others = redis.nodes.filter((node) => node !== old);
  await until(
    async () => {
      const maps = await Promise.all(others.map(({ client }) => client.cluster('SLOTS')));
      return maps.every((ranges) => ranges.every(([, , master]) => master?.[1] !== old.port));
    },
    'a replica to be promoted',
    60,
  );
}

test('a master that is killed is replaced by its replica: nothing is lost in silence, doubled or out of order', async () => {
  await publishers.more(20);
  const master = await redis.masterOf(KEY);
  await master.kill();
  await promoted(master);
  await publishers.more(20);
  await master.start();
  await healthy();
  await publishers.more(20);
  console.info(`longest pause: ${publishers.longestPauseMs} ms`);
  await publishers.settle(PARTITIONS);
});

test('what a promoted replica had not got is told by a floor on every node, whoever published it', async () => {
  await publishers.more(20);
  const master = await redis.masterOf(KEY);
  await cutReplication(master);
  await publishers.more(20);
  await master.kill();
  await promoted(master);
  await publishers.more(20);
  await healthy();
  await publishers.settle(PARTITIONS);
  for (const { ledger } of nodes) expect(ledger.floors(0).length).toBeGreaterThan(1);
});

test('a master that stands still is replaced, and does no harm when it goes on', async () => {
  await publishers.more(20);
  const master = await redis.masterOf(KEY);
  await master.pause();
  await promoted(master);
  await publishers.more(20);
  await master.resume();
  await until(async () => (await master.client.role())[0] === 'slave', 'the old master to be a replica');
  await healthy();
  await publishers.more(20);
  console.info(`longest pause: ${publishers.longestPauseMs} ms`);
  await publishers.settle(PARTITIONS);
});

test('a slot that moves to another master takes its partition along: all is delivered once', async () => {
  await publishers.more(20);
  const from = await redis.masterOf(KEY);
  const to = redis.nodes.find((node, i) => i < 3 && node !== from) as ClusterNode;
  const [channel = ''] = CHANNELS;
  const [one] = nodes as [LogNode];
  await redis.moveSlot(KEY, to, async () => {
    // Between two masters: the old one sends on to the new one, command by command.
    const { id } = await one.log.append({ channel, data: '"on the way"' });
    expect((await one.log.historyLast(channel, 100)).some((message) => message.id === id)).toBe(true);
    for (const { ledger } of nodes) await until(() => ledger.data.includes('"on the way"'), 'the message');
  });
  expect(await redis.masterOf(KEY)).toBe(to);
  await publishers.more(20);
  await healthy();
  console.info(`longest pause: ${publishers.longestPauseMs} ms`);
  await publishers.settle(PARTITIONS);
  for (const { ledger } of nodes)
    for (let partition = 0; partition < PARTITIONS; partition++) expect(ledger.floors(partition)).toHaveLength(1);
});

test('while a master and its replica are away, appends are refused as not published, and nodes are not healthy', async () => {
  await publishers.stop();
  const master = await redis.masterOf(KEY);
  const replica = redis.nodes[redis.nodes.indexOf(master) + 3] as ClusterNode;
  await Promise.all([master.kill(), replica.kill()]);
  await until(() => nodes.every(({ log }) => !log.healthy), 'all nodes to notice');
  const [channel = ''] = CHANNELS;
  const [one] = nodes as [LogNode];
  await until(async () => {
    const error = await one.log.append({ channel, data: '"refused"' }).catch((reason) => reason);
    return error.code === 'log_unavailable';
  }, 'a refusal');
  await Promise.all([master.start(), replica.start()]);
  await healthy();
  await appendSurely(one.log, channel, '"after"');
  for (const { ledger } of nodes) {
    await until(() => ledger.data.includes('"after"'), 'the message');
    expect(ledger.data).not.toContain('"refused"');
    expect(ledger.violations).toEqual([]);
  }
});
