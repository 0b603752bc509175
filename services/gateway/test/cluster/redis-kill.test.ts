import { expect, onTestFinished, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';
import { Followers } from '../support/followers.ts';
import { Publishers } from '../support/publishers.ts';
import { until } from '../support/until.ts';

const CHANNELS = ['orders:eu', 'orders:us', 'chat'];
const PUBLISHERS = 8;

test('while Redis is away publishes get 503 and connections stay; what was accepted is delivered once, in order', async () => {
  const cluster = await startTestCluster({ restart: false });
  const ledger = new DeliveryLedger();
  const followers = new Followers(cluster.url, CHANNELS, ledger, 15);
  onTestFinished(() => followers.close());
  await followers.live();

  const publishers = new Publishers(cluster.url, CHANNELS, ledger, { count: PUBLISHERS, perSecond: 30 });
  for (let kill = 1; kill <= 2; kill++) {
    const next = ledger.acceptedCount + 500;
    await until(() => publishers.reached(next), '500 messages more', 60);
    const refusedBefore = publishers.refusals.length;
    await cluster.kill('redis');
    await until(() => publishers.refusals.length >= refusedBefore + 2 * PUBLISHERS, 'publishes to be refused', 60);
    await cluster.start('redis');
  }
  const next = ledger.acceptedCount + 500;
  await until(() => publishers.reached(next), '500 messages more', 60);
  await publishers.stop();
  await ledger.settle();

  expect(ledger.faults()).toEqual([]);
  for (const refusal of publishers.refusals) {
    expect(refusal).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^[1-9]\d*$/) });
    expect(['log_unavailable', 'log_timeout']).toContain(refusal.code);
  }
  expect(publishers.refusals.map(({ code }) => code)).toContain('log_unavailable');
  for (const { page, openings, farewells } of followers.all)
    expect({ name: page.name, openings, farewells }).toEqual({ name: page.name, openings: 1, farewells: [] });
});
