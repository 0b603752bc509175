import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { BOTH, ConsolePage, launchChromium } from './chromium.ts';

let browser: Browser;
let redis: TestRedis;
let first: Gateway;
let second: Gateway;
let page: ConsolePage | undefined;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  redis = await startRedis();
  [first, second] = await Promise.all([
    startGateway({ REDIS_URL: redis.url, FANFARE_NODE_NAME: 'first' }),
    startGateway({ REDIS_URL: redis.url, FANFARE_NODE_NAME: 'second' }),
  ]);
});
afterEach(async () => {
  await page?.close();
  await Promise.all([first?.kill(), second?.kill()]);
  await redis?.stop();
});

test('a page whose node is killed comes back by both transports, and has missed nothing', async () => {
  page = await ConsolePage.open(
    browser,
    first.url,
    '#channel=orders&channel=chat:42&transport=sse&transport=websocket',
  );
  await page.untilState('live');
  const ids: string[] = [];
  const send = async (gateway: Gateway, count: number): Promise<void> => {
    for (let n = 0; n < count; n++)
      ids.push(await publish(gateway.url, n % 3 === 0 ? 'chat:42' : 'orders', { n: ids.length }, 'order.updated'));
  };
  await send(first, 20);
  for (const transport of BOTH) await page.message(transport, ids.at(-1) ?? '').waitFor();

  await first.kill();
  await page.untilState('reconnecting');
  await send(second, 30);
  first = await startGateway({ REDIS_URL: redis.url, FANFARE_NODE_NAME: 'first-again', PORT: String(first.port) });
  await page.untilState('live');
  await send(second, 10);

  for (const transport of BOTH) {
    await page.message(transport, ids.at(-1) ?? '').waitFor();
    const rows = await page.rows(transport, 'message').all();
    const shown = await Promise.all(rows.map((row) => row.getAttribute('data-id')));
    expect([...shown].sort()).toEqual([...ids].sort());
    expect(await page.count(transport, 'received')).toBe(ids.length);
    expect(await page.count(transport, 'duplicates')).toBe(0);
    expect(await page.count(transport, 'gaps')).toBe(0);
  }
  expect(await page.text('websocket-node')).toBe('first-again');
  const shown = page;
  await until(async () => ((await shown.text('agreement')) ?? '').startsWith('In step: 60 '), 'both to be in step');
});
