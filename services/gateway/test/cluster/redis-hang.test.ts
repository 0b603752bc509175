import { expect, onTestFinished, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';
import { Followers } from '../support/followers.ts';
import { Publishers } from '../support/publishers.ts';
import { until } from '../support/until.ts';

const CHANNELS = ['orders:eu', 'chat'];
const PUBLISHERS = 8;

test('what was published although a hanging Redis gave no answer is not published again by a retry', async () => {
  const cluster = await startTestCluster({ restart: false });
  const ledger = new DeliveryLedger();
  const followers = new Followers(cluster.url, CHANNELS, ledger, 5);
  onTestFinished(() => followers.close());
  await followers.live();

  const publishers = new Publishers(cluster.url, CHANNELS, ledger, { count: PUBLISHERS, perSecond: 25 });
  await until(() => publishers.reached(200), '200 messages');
  await cluster.signal('redis', 'SIGSTOP');
  const timeouts = (): number => publishers.refusals.filter(({ code }) => code === 'log_timeout').length;
  await until(() => timeouts() >= PUBLISHERS, 'publishes to time out', 60);
  await cluster.signal('redis', 'SIGCONT');
  const next = ledger.acceptedCount + 200;
  await until(() => publishers.reached(next), '200 messages more', 60);
  await publishers.stop();
  await ledger.settle();

  expect(ledger.faults()).toEqual([]);
  expect(publishers.replays).toBeGreaterThan(0);
  for (const refusal of publishers.refusals)
    expect(refusal).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^[1-9]\d*$/) });
  for (const { page, openings } of followers.all) expect(openings, page.name).toBe(1);
});
