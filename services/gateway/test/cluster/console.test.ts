import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BOTH, ConsolePage, launchChromium, type Transport } from '../integration/console/chromium.ts';
import { startTestCluster } from '../support/cluster.ts';
import { DeliveryLedger } from '../support/delivery-ledger.ts';
import { metric } from '../support/gateway.ts';
import { Publishers } from '../support/publishers.ts';
import { until } from '../support/until.ts';

const CHANNELS = ['orders:eu', 'orders:us', 'chat'];

test('the console behind NGINX comes back by itself when the nodes that it is on are killed, and misses nothing', async () => {
  const [cluster, browser] = await Promise.all([startTestCluster(), launchChromium()]);
  onTestFinished(() => browser.close());
  const choice = [...CHANNELS.map((channel) => `channel=${channel}`), ...BOTH.map((one) => `transport=${one}`)];
  const page = await ConsolePage.open(browser, cluster.url, `#${choice.join('&')}`);
  await page.untilState('live');

  /** The node that holds the page's one connection of this kind. */
  const nodeHolding = async (transport: Transport): Promise<string> => {
    const counts = await Promise.all(
      cluster.nodes.map((node) => metric(node, 'fanfare_connections', `transport="${transport}"`)),
    );
    expect(counts.toSorted(), `${transport} connections`).toEqual([0, 0, 1]);
    return `node-${counts.indexOf(1) + 1}`;
  };
  expect(await page.text('websocket-node')).toBe(await nodeHolding('websocket'));

  const ledger = new DeliveryLedger();
  const publishers = new Publishers(cluster.url, CHANNELS, ledger, { count: 3, perSecond: 5 });
  for (const transport of BOTH) {
    const next = ledger.acceptedCount + 30;
    await until(() => publishers.reached(next), '30 messages more');
    const victim = await nodeHolding(transport);
    await cluster.kill(victim);
    await until(async () => (await page.text(`${transport}-state`)) === 'reconnecting', `${transport} to be cut off`);
    await cluster.start(victim);
    await page.untilState('live');
  }
  const last = ledger.acceptedCount + 20;
  await until(() => publishers.reached(last), '20 messages more');
  await publishers.stop();

  const ids = CHANNELS.flatMap((channel) => ledger.acceptedIds(channel));
  for (const transport of BOTH) {
    await until(async () => (await page.count(transport, 'received')) >= ids.length, `all messages by ${transport}`);
    expect(await page.count(transport, 'received')).toBe(ids.length);
    expect(await page.count(transport, 'duplicates')).toBe(0);
    expect(await page.count(transport, 'gaps')).toBe(0);
    await until(async () => (await page.rows(transport, 'message').count()) >= ids.length, `all rows of ${transport}`);
    for (const channel of CHANNELS) expect(await rowsOf(page, transport, channel)).toEqual(ledger.acceptedIds(channel));
  }
  const inStep = `In step: ${ids.length} `;
  await until(async () => ((await page.text('agreement')) ?? '').startsWith(inStep), 'both to be in step');
  const folder = process.env.SCREENSHOTS;
  if (folder !== undefined) await page.page.screenshot({ path: join(folder, 'console-after-kills.png') });
});

/** The ids of a channel as the page shows them, oldest first. */
async function rowsOf(page: ConsolePage, transport: Transport, channel: string): Promise<(string | undefined)[]> {
  const rows = page.page.locator(`[data-testid="message"][data-transport="${transport}"][data-channel="${channel}"]`);
  const ids = await rows.evaluateAll((elements) => elements.map((element) => element.getAttribute('data-id')));
  return ids.map((id) => id ?? undefined).reverse();
}
