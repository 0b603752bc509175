import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BrowserPage, CLOSED } from '../../support/browser-page.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { secretSigner } from '../../support/tokens.ts';
import { launchChromium } from '../console/chromium.ts';
import { OWN_PAGE, RecordingProxy } from './recording-proxy.ts';

const MESSAGES = '/v1/channels/orders/messages';

const proxies: RecordingProxy[] = [];
let browser: Browser;
let open: Gateway;
let naming: Gateway;
let closed: Gateway;
beforeAll(async () => {
  [browser, open, naming, closed] = await Promise.all([
    launchChromium(['--host-resolver-rules=MAP *.example 127.0.0.1, MAP *.localhost 127.0.0.1']),
    startGateway(),
    startGateway({ FANFARE_ALLOWED_ORIGINS: 'http://app.example' }),
    startGateway({ FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET: secretSigner().secret }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([...proxies.map((proxy) => proxy.stop()), open?.kill(), naming?.kill(), closed?.kill()]);
});

/** A page of that host, and its origin. The page came from a server of its own; all else that the host is asked for comes to the node. */
async function pageOf(host: string, node: Gateway): Promise<{ page: BrowserPage; origin: string }> {
  const proxy = await RecordingProxy.start(node.port);
  proxies.push(proxy);
  const origin = `http://${host}:${proxy.port}`;
  return { page: await BrowserPage.open(browser, origin + OWN_PAGE), origin };
}

/** Tries all doors of the page's own origin; the statuses of reading, publishing and the description, and whether streams open. */
async function tryAll(host: string, node: Gateway) {
  const { page } = await pageOf(host, node);
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"data":"by a page"}' };
  const asked = [await page.ask(MESSAGES), await page.ask(MESSAGES, post), await page.ask('/v1/openapi.json')];
  const source = await page.source('/v1/sse?channel=orders&last=10');
  const opened = await source.untilOpen().then(
    () => true,
    () => false,
  );
  const socket = await page.socket('/v1/ws?channel=orders&last=10');
  const heard = await Promise.race([socket.untilTexts(1), socket.untilClosed().then(() => socket.texts())]);
  const state = await source.readyState();
  await page.close();
  return { statuses: asked.map((answer) => answer?.status), opened, state, heard };
}

test('an open node on loopback gives a page nothing whose name was led there (DNS rebinding)', async () => {
  const id = await publish(open.url, 'orders', 'for this machine only');
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example']) {
    const { statuses, opened, state, heard } = await tryAll(host, open);
    expect(statuses, host).toEqual([403, 403, 403]);
    expect([opened, state], host).toEqual([false, CLOSED]);
    expect(heard, host).toEqual([]);
    const { page, origin } = await pageOf(host, open);
    expect((await page.page.goto(`${origin}/`))?.status(), 'the console').toBe(403);
    await page.close();
  }
  const { messages } = (await (await fetch(open.url + MESSAGES)).json()) as { messages: { id: string }[] };
  expect(messages.map((message) => message.id)).toEqual([id]);
  expect(await metric(open, 'fanfare_connections_opened_total')).toBe(0);
});

test.each(['localhost', '127.0.0.1', 'shop.localhost'])(
  'it serves a page of %s, which no stranger can have',
  async (host) => {
    const { statuses, opened, heard } = await tryAll(host, open);
    expect(statuses).toEqual([200, 201, 200]);
    expect(opened).toBe(true);
    expect(heard.join()).toContain('welcome');
  },
);

test('it serves a page of a name that FANFARE_ALLOWED_ORIGINS has', async () => {
  const { statuses, opened } = await tryAll('app.example', naming);
  expect(statuses).toEqual([200, 201, 200]);
  expect(opened).toBe(true);
  expect((await tryAll('evil.example', naming)).statuses).toEqual([403, 403, 403]);
});

test('with FANFARE_AUTH=jwt such a page is a stranger', async () => {
  const { statuses, opened, state } = await tryAll('evil.example', closed);
  expect(statuses).toEqual([401, 401, 200]);
  expect([opened, state]).toEqual([false, CLOSED]);
});
