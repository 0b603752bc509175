import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { Cluster } from '../../../../infra/cluster/cluster.ts';
import { nodeOf, startTestCluster } from '../support/cluster.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';
import { Followers } from '../support/followers.ts';
import { metric } from '../support/gateway.ts';
import { Publishers } from '../support/publishers.ts';
import { until } from '../support/until.ts';

const CHANNELS = ['orders:eu', 'orders:us', 'chat'];
const COUNT = 20;

test('a rolling restart tells every client to come back, and costs none a message', async () => {
  const cluster = await startTestCluster({ env: { FANFARE_DRAIN_SECONDS: '3' } });
  const ledger = new DeliveryLedger();
  const followers = new Followers(cluster.url, CHANNELS, ledger, COUNT);
  onTestFinished(() => followers.close());
  await followers.live();

  const publishers = new Publishers(cluster.url, CHANNELS, ledger, { count: 6, perSecond: 25 });
  await until(() => publishers.reached(200), '200 messages');
  for (const { name } of cluster.nodes) {
    await until(async () => (await connections(cluster)) === followers.all.length, 'each client to be counted once');
    const openings = followers.openings;
    const leaving = await metric(nodeOf(cluster, name), 'fanfare_connections');
    const before = new Map(followers.all.map((follower) => [follower, follower.farewells.length]));
    // Clients, not farewells: NGINX may bring one that comes back to the same node, over a connection that it has kept.
    const told = (): number =>
      followers.all.filter((follower) => follower.farewells.length > (before.get(follower) ?? 0)).length;
    expect(leaving, `connections of ${name}`).toBeGreaterThan(0);
    const agent = await idleConnection(nodeOf(cluster, name).url);
    let ended = false;
    const killed = cluster.kill(name, 'SIGTERM').then(() => {
      ended = true;
    });
    await until(() => ended, `${name} to end, though clients keep idle connections to it`);
    await killed;
    agent.destroy();
    await until(() => told() >= leaving, `the ${leaving} clients of ${name} to be told`);
    await until(() => followers.openings >= openings + leaving, `the ${leaving} clients of ${name} to come back`, 60);
    expect(told(), `clients that were told by ${name}`).toBe(leaving);
    await cluster.start(name);
    await followers.live();
  }
  await publishers.stop();
  await ledger.settle();

  expect(ledger.faults()).toEqual([]);
  expect(new Set(followers.all.flatMap(({ farewells }) => farewells))).toEqual(new Set(['draining']));
  for (const refusal of publishers.refusals) {
    expect(refusal).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^[1-9]\d*$/) });
    expect(['draining', 'unavailable']).toContain(refusal.code);
  }
});

/** Over all nodes. */
async function connections(cluster: Cluster): Promise<number> {
  const counts = await Promise.all(cluster.nodes.map((node) => metric(node, 'fanfare_connections')));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Makes a request, and keeps its connection open for the next one, as proxies do. */
async function idleConnection(url: string): Promise<Agent> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${url}/v1/openapi.json`, { agent }, resolve).once('error', reject);
  });
  response.resume();
  await once(response, 'end');
  return agent;
}
