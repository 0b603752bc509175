import { expect, onTestFinished, test } from 'vitest';
import { nodeOf, startTestCluster } from '../support/cluster.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';
import { Followers } from '../support/followers.ts';
import { metric } from '../support/gateway.ts';
import { Publishers } from '../support/publishers.ts';
import { until } from '../support/until.ts';

const CHANNELS = ['orders:eu', 'orders:us', 'chat', 'prices'];
const VICTIM = 'node-2';

test('fifty clients of each kind miss nothing while a node under load is killed with -9 and comes back', async () => {
  const cluster = await startTestCluster();
  const ledger = new DeliveryLedger();
  const followers = new Followers(cluster.url, CHANNELS, ledger, 50);
  onTestFinished(() => followers.close());
  await followers.live();
  expect(followers.openings).toBe(100);

  const publishers = new Publishers(cluster.url, CHANNELS, ledger, { count: 8, perSecond: 30 });
  await until(() => publishers.reached(1000), '1,000 messages');
  const cut = { sse: 0, websocket: 0 };
  for (const kind of ['sse', 'websocket'] as const) {
    cut[kind] = await metric(nodeOf(cluster, VICTIM), 'fanfare_connections', `transport="${kind}"`);
    expect(cut[kind], `${kind} followers on the node that is killed`).toBeGreaterThan(5);
  }
  await cluster.kill(VICTIM);
  const killedAt = ledger.acceptedCount;

  await until(() => publishers.reached(killedAt + 1000), '1,000 messages more', 60);
  await cluster.start(VICTIM);
  await until(() => followers.openings >= 100 + cut.sse + cut.websocket, 'those who were cut off to come back', 60);
  await followers.live();
  await until(() => publishers.reached(3000), '3,000 messages', 60);
  await publishers.stop();
  await ledger.settle();

  expect(ledger.faults()).toEqual([]);
  for (const kind of ['sse', 'websocket'] as const)
    expect(followers.of(kind).filter(({ openings }) => openings > 1).length).toBeGreaterThanOrEqual(cut[kind]);
});
