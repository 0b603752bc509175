import { expect, test } from 'vitest';
import type { ClusterNode } from '../../support/redis-cluster.ts';
import { until } from '../../support/until.ts';
import { failoverContract } from './failover.contract.ts';
import { KEY, PARTITIONS, startFailoverCluster } from './failover-cluster.ts';
import { appendSurely, type LogNode } from './node.ts';

const scene = failoverContract('in a Redis Cluster', startFailoverCluster, { partitions: PARTITIONS });

test('a slot that moves to another master takes its partition along: all is delivered once', async () => {
  const { redis, nodes, channels, publishers, healthy } = scene();
  await publishers.more(20);
  const from = await redis.masterOf(KEY);
  const to = redis.nodes.find((node, i) => i < 3 && node !== from) as ClusterNode;
  const [channel = ''] = channels;
  const [one, other] = nodes as [LogNode, LogNode];
  const tickets = Array.from({ length: 12 }, (_, i) => `ticket ${i}`);
  const { shared } = one.log;
  await Promise.all(tickets.map((ticket) => shared.put(ticket, ticket, 600_000, Date.now() + 600_000)));
  const claimedBy = (holder: string) =>
    Promise.all(tickets.map(async (ticket) => (await other.log.shared.claim(ticket, 'holder', holder)).outcome));
  await redis.moveSlot(KEY, to, async () => {
    expect(await claimedBy('holder')).toEqual(tickets.map(() => 'opened'));
    // Between two masters: the old one sends on to the new one, command by command.
    const { id } = await one.log.append({ channel, data: '"on the way"' });
    expect((await one.log.historyLast(channel, 100)).some((message) => message.id === id)).toBe(true);
    for (const { ledger } of nodes) await until(() => ledger.data.includes('"on the way"'), 'the message');
  });
  expect(await redis.masterOf(KEY)).toBe(to);
  expect(await claimedBy('fresh')).toEqual(tickets.map(() => 'again'));
  await publishers.more(20);
  await healthy();
  console.info(`longest pause: ${publishers.longestPauseMs} ms`);
  await publishers.settle(PARTITIONS);
  for (const { ledger } of nodes)
    for (let partition = 0; partition < PARTITIONS; partition++) expect(ledger.floors(partition)).toHaveLength(1);
});

test('while a master and its replica are away, appends are refused as not published, and nodes are not healthy', async () => {
  const { redis, nodes, channels, publishers, healthy } = scene();
  await publishers.stop();
  const master = await redis.masterOf(KEY);
  const replica = redis.nodes[redis.nodes.indexOf(master) + 3] as ClusterNode;
  await Promise.all([master.kill(), replica.kill()]);
  await until(() => nodes.every(({ log }) => log.trouble !== undefined), 'all nodes to notice');
  const [channel = ''] = channels;
  const [one] = nodes;
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
