import { expect, onTestFinished, test } from 'vitest';
import type { Cluster } from '../../../../infra/cluster/cluster.ts';
import { launchChromium } from '../integration/console/chromium.ts';
import { startTestCluster } from '../support/cluster.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';
import { metric } from '../support/gateway.ts';
import { Publishers } from '../support/publishers.ts';
import { SubscriberPage } from '../support/subscriber-page.ts';
import { publishSecret, secretSigner } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import {
  type AuthFollower,
  byCookie,
  byFirstMessage,
  byTicket,
  byWebSocketTicket,
  CurlFollower,
} from './auth-followers.ts';
import { ClusterOutput } from './auth-output.ts';

const CHANNEL = 'orders:eu';
/** How long a ticket may be redeemed, milliseconds. */
const TICKET_MS = 30_000;

const signer = secretSigner();
const key = publishSecret();
const ENV = {
  FANFARE_AUTH: 'jwt',
  FANFARE_JWT_SECRET: signer.secret,
  FANFARE_COOKIE_NAME: 'session',
  FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['orders:*'] }]),
  FANFARE_DRAIN_SECONDS: '1',
  LOG_LEVEL: 'trace',
};

const tokenOf = (sub: string): Promise<string> => signer.sign({ sub, subscribe: ['orders:*'], publish: [] });

/** Ends each node in turn, so that each follower loses the node that it is on, and starts it again when all have come back on others. */
async function endEachNode(
  cluster: Cluster,
  followers: readonly AuthFollower[],
  signal: NodeJS.Signals,
): Promise<void> {
  const before = await Promise.all(followers.map((follower) => follower.openings()));
  for (const { name } of cluster.nodes) {
    await cluster.kill(name, signal);
    await untilLive(cluster, followers, name);
    await cluster.start(name);
  }
  for (const [i, follower] of followers.entries())
    expect(await follower.openings(), `openings of the ${follower.kind}`).toBeGreaterThan(before[i] ?? 0);
}

/** Waits until all are connected, while the node `down` is not there. */
async function untilLive(cluster: Cluster, followers: readonly AuthFollower[], down?: string): Promise<void> {
  const nodes = cluster.nodes.filter(({ name }) => name !== down);
  // What a page knows of its connection may be old; a node counts only those that are there.
  const all = async (): Promise<boolean> => {
    const counts = await Promise.all(nodes.map((node) => metric(node, 'fanfare_connections')));
    const live = await Promise.all(followers.map((follower) => follower.live()));
    return counts.reduce((sum, count) => sum + count, 0) === followers.length && !live.includes(false);
  };
  await until(all, 'all followers to be live', 60);
}

/** The ids that have come. */
async function idsOf(follower: AuthFollower): Promise<string[]> {
  const page = new SubscriberPage(follower.kind, [CHANNEL]);
  await follower.report(page);
  return page.ids(CHANNEL);
}

test('whoever follows a channel by a token, a cookie or a ticket comes back from drained and killed nodes, and misses nothing', async () => {
  const output = new ClusterOutput();
  const [cluster, browser] = await Promise.all([
    startTestCluster({ env: ENV, restart: false, onLine: output.onLine }),
    launchChromium(),
  ]);
  onTestFinished(() => browser.close());
  const settings = async (sub: string) => {
    const token = output.secrets.use(await tokenOf(sub));
    return { url: cluster.url, channel: CHANNEL, token };
  };
  const curl = new CurlFollower(await settings('curl'));
  onTestFinished(() => curl.close());
  const [cookie, message, ticket, socketTicket] = await Promise.all([
    byCookie(browser, await settings('cookie')),
    byFirstMessage(browser, await settings('message')),
    byTicket(browser, await settings('ticket')),
    byWebSocketTicket(browser, await settings('socket')),
  ]);
  const followers: readonly AuthFollower[] = [curl, cookie, message, ticket, socketTicket];
  await untilLive(cluster, followers);
  const redeemedBy = Date.now();

  const ledger = new DeliveryLedger();
  const publishers = new Publishers(cluster.url, [CHANNEL], ledger, { count: 4, perSecond: 10, secret: key.secret });
  onTestFinished(() => publishers.abandon());
  await until(() => publishers.reached(50), '50 messages');
  await endEachNode(cluster, followers, 'SIGTERM');
  await until(() => Date.now() > redeemedBy + TICKET_MS, 'the tickets to be too old to be redeemed', 40);
  await endEachNode(cluster, followers, 'SIGKILL');
  const last = ledger.acceptedCount + 50;
  await until(() => publishers.reached(last), '50 messages more');
  await publishers.stop();

  const newest = ledger.acceptedIds(CHANNEL).at(-1) as string;
  for (const follower of followers)
    await until(async () => (await idsOf(follower)).includes(newest), `the newest message by ${follower.kind}`);
  for (const follower of followers) await follower.report(ledger.page(follower.kind, [CHANNEL]));
  expect(ledger.faults()).toEqual([]);

  // A ticket that somebody else has found opens nothing, though its stream is open.
  for (const found of [ticket.ticket, socketTicket.ticket])
    expect((await fetch(`${cluster.url}/v1/sse?channel=${CHANNEL}&ticket=${found}`)).status).toBe(401);

  for (const secret of [key.secret, signer.secret]) output.secrets.use(secret);
  for (const { page, ticket: given } of [ticket, socketTicket]) await output.usePage(page, cluster.url, given);
  await output.expectNone(cluster, ['/v1/sse', '/v1/ws', '/v1/tickets', `/v1/channels/${CHANNEL}/messages`]);
});
