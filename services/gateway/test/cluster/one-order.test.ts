import { expect, onTestFinished, test } from 'vitest';
import { nodeOf, startTestCluster } from '../support/cluster.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';
import { Followers } from '../support/followers.ts';
import { metric } from '../support/gateway.ts';
import { Publishers } from '../support/publishers.ts';
import { until } from '../support/until.ts';

const CHANNELS = ['orders:eu', 'orders:us', 'chat'];

test('what is posted through NGINX comes in the same order to both kinds of clients on all nodes', async () => {
  const cluster = await startTestCluster();
  const ledger = new DeliveryLedger();
  const followers = cluster.nodes.map(({ url }) => new Followers(url, CHANNELS, ledger, 1));
  onTestFinished(() => {
    for (const pair of followers) pair.close();
  });
  await Promise.all(followers.map((pair) => pair.live()));

  const publishers = new Publishers(cluster.url, CHANNELS, ledger, { count: 8, perSecond: 40 });
  await until(() => publishers.reached(600), '600 messages');
  await publishers.stop();
  await ledger.settle();

  expect(ledger.faults()).toEqual([]);
  for (const channel of CHANNELS) {
    const order = ledger.acceptedIds(channel);
    expect(order.length).toBeGreaterThan(100);
    for (const { page } of followers.flatMap(({ all }) => all)) expect(page.ids(channel), page.name).toEqual(order);
  }
  // The stream came in by more than one node, or its order would prove little.
  const published = await Promise.all(
    cluster.names
      .filter((name) => name.startsWith('node-'))
      .map((name) => metric(nodeOf(cluster, name), 'fanfare_messages_published_total', 'result="accepted"')),
  );
  expect(published.filter((count) => count > 0).length).toBeGreaterThan(1);
});
