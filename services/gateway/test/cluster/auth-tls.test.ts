import { expect, onTestFinished, test } from 'vitest';
import { launchChromium } from '../integration/console/chromium.ts';
import { startTestCluster } from '../support/cluster.ts';
import { metric } from '../support/gateway.ts';
import { publishSecret, secretSigner } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { byTicket } from './auth-followers.ts';
import { ClusterOutput } from './auth-output.ts';

test('over TLS and HTTP/2 a stream that a ticket opened comes back from a killed node, with a cookie for TLS only', async () => {
  const output = new ClusterOutput();
  const signer = secretSigner();
  const key = publishSecret();
  const env = {
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['orders:*'] }]),
    LOG_LEVEL: 'trace',
  };
  const [cluster, browser] = await Promise.all([
    startTestCluster({ tls: true, nodes: 2, restart: false, env, onLine: output.onLine }),
    // Nobody has signed the certificate.
    launchChromium(['--ignore-certificate-errors']),
  ]);
  onTestFinished(() => browser.close());
  const token = await signer.sign({ subscribe: ['orders:*'] });
  const follower = await byTicket(browser, { url: cluster.url, channel: 'orders:eu', token });
  const { page, ticket } = follower;
  const protocols = "performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol)";
  expect(new Set(await page.page.evaluate<string[]>(protocols))).toEqual(new Set(['h2']));
  const cookies = await page.page.context().cookies(`${cluster.url}/v1/sse`);
  expect(cookies).toEqual([expect.objectContaining({ httpOnly: true, secure: true, sameSite: 'Strict', path: '/v1' })]);

  const publish = async (data: number): Promise<string> => {
    const authorization = `Bearer ${key.secret}`;
    const init = { method: 'POST', headers: { 'content-type': 'application/json', authorization } };
    const answer = await page.ask('/v1/channels/orders:eu/messages', { ...init, body: JSON.stringify({ data }) });
    expect(answer?.status, answer?.text).toBe(201);
    return (JSON.parse(answer?.text ?? '') as { id: string }).id;
  };
  const ids = [await publish(1)];
  await until(async () => (await follower.ids()).length === 1, 'the first message');

  const counts = await Promise.all(cluster.nodes.map((node) => metric(node, 'fanfare_connections')));
  const victim = cluster.nodes[counts.indexOf(1)]?.name ?? '';
  await cluster.kill(victim);
  ids.push(await publish(2));
  await until(async () => (await follower.openings()) === 2, 'the stream to come back');
  ids.push(await publish(3));
  await until(async () => (await follower.ids()).length === 3, 'all messages');
  expect(await follower.ids()).toEqual(ids);

  for (const secret of [token, key.secret, signer.secret]) output.secrets.use(secret);
  await output.usePage(page, cluster.url, ticket);
  await cluster.start(victim);
  await output.expectNone(cluster, ['/v1/sse', '/v1/tickets', '/v1/channels/orders:eu/messages']);
});
