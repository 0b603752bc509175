import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BrowserPage, CONNECTING } from '../../support/browser-page.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { SseClient } from '../../support/sse-client.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { launchChromium } from '../console/chromium.ts';
import { type OpenSocket, resumes, talksAndListens } from './socket-scenarios.ts';
import { comesBack, EVENT_NAMES, type OpenStream, publishesAndHears } from './stream-scenarios.ts';
import { channelOf, RESTLESS, WAYS, Ways } from './ways.ts';

let browser: Browser;
let compressing: Ways;
/** Does not. */
let plain: Gateway;
/** Sends its clients away after a second or two. */
let restless: Ways;
beforeAll(async () => {
  [browser, compressing, plain, restless] = await Promise.all([
    launchChromium(),
    Ways.start(),
    startGateway({ FANFARE_COMPRESSION: 'off' }),
    Ways.start(RESTLESS),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([compressing?.stop(), plain?.kill(), restless?.stop()]);
});

/** A page of the same origin as the node, or as the NGINX in front of it. */
const pageOf = (url: string): Promise<BrowserPage> => BrowserPage.open(browser, `${url}/v1/openapi.json`);

const streamOf =
  (page: BrowserPage): OpenStream =>
  async (url) => {
    const source = await page.source(url, { names: EVENT_NAMES });
    return {
      events: (from) => source.events(from),
      opened: () => source.opened(),
      ended: async () => (await source.failures()).length,
      async post(address, body) {
        const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
        const answer = await page.ask(address, init);
        if (answer === null || answer.status > 299) throw new Error(`${address}: ${answer?.status}`);
        return JSON.parse(answer.text) as Record<string, unknown>;
      },
      close: () => source.close(),
    };
  };

const socketOf =
  (page: BrowserPage): OpenSocket =>
  async (url) => {
    const socket = await page.socket(url, ['fanfare.v1']);
    return {
      texts: (from) => socket.texts(from),
      say: (text) => socket.send(text),
      agreed: async () => ({ protocol: await socket.protocol(), extensions: await socket.extensions() }),
      async closed() {
        const close = await socket.closed();
        return close === null ? undefined : { code: close.code, reason: close.reason };
      },
      close: () => socket.close(1000),
    };
  };

/** How many bytes a node has written for its messages since. */
async function delivered(
  gateway: Gateway,
  transport: 'sse' | 'websocket',
  action: () => Promise<void>,
): Promise<number> {
  const bytes = () => metric(gateway, 'fanfare_delivered_bytes_total', `transport="${transport}"`);
  const before = await bytes();
  await action();
  return (await bytes()) - before;
}

const hears = async (url: string, channel: string): Promise<void> => {
  const page = await pageOf(url);
  await publishesAndHears(streamOf(page), url, channel);
  await page.close();
};

const talks = async (url: string, channel: string, extensions: RegExp): Promise<void> => {
  const page = await pageOf(url);
  const agreed = await talksAndListens(socketOf(page), url, channel);
  expect(agreed.protocol).toBe('fanfare.v1');
  expect(agreed.extensions).toMatch(extensions);
  await page.close();
};

describe.for(WAYS)('%s', (way) => {
  test("Chromium's EventSource publishes, and hears what is published, compressed", async () => {
    const bytes = await delivered(compressing.gateway, 'sse', () =>
      hears(compressing.url(way), channelOf('hears', 'chromium', way)),
    );
    expect(bytes).toBeLessThan(30_000);
  });

  test("Chromium's WebSocket talks and listens, compressed", async () => {
    const agreed = /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/;
    const bytes = await delivered(compressing.gateway, 'websocket', () =>
      talks(compressing.url(way), channelOf('talks', 'chromium', way), agreed),
    );
    expect(bytes).toBeLessThan(20_000);
  });
});

describe('where compression is off', () => {
  test("Chromium's EventSource publishes, and hears what is published", async () => {
    expect(await delivered(plain, 'sse', () => hears(plain.url, 'hears'))).toBeGreaterThan(90_000);
  });

  test("Chromium's WebSocket talks and listens", async () => {
    expect(await delivered(plain, 'websocket', () => talks(plain.url, 'talks', /^$/))).toBeGreaterThan(100_000);
  });
});

describe('sent away for its age, straight and through NGINX,', () => {
  test.concurrent("Chromium's EventSource comes back by itself and has missed nothing", async () => {
    await Promise.all(
      WAYS.map(async (way) => {
        const url = restless.url(way);
        await comesBack(streamOf(await pageOf(url)), url, channelOf('back', 'chromium', way));
      }),
    );
  });

  test.concurrent("Chromium's WebSocket resumes with the last cursor", async () => {
    await Promise.all(
      WAYS.map(async (way) => {
        const url = restless.url(way);
        await resumes(socketOf(await pageOf(url)), url, channelOf('resumes', 'chromium', way));
      }),
    );
  });
});

test('a page of a node that is full is told so, and when to come back', async () => {
  const gateway = await startGateway({ FANFARE_MAX_CONNECTIONS: '1' });
  const taken = await new SseClient(`${gateway.url}/v1/sse?channel=a`).open();
  try {
    const page = await pageOf(gateway.url);
    const source = await page.source('/v1/sse?channel=a', { names: EVENT_NAMES });
    expect(await source.untilEvents(1)).toEqual([{ type: 'fanfare:bye', data: '{"reason":"full"}', lastEventId: '' }]);
    expect(await source.untilFailure()).toBe(CONNECTING);
    await source.close();
    const socket = await page.socket(`${gateway.url.replace('http', 'ws')}/v1/ws`);
    expect(await socket.untilClosed()).toEqual({ code: 1013, reason: 'full', wasClean: true });
    const [error = ''] = await socket.texts();
    expect(JSON.parse(error)).toMatchObject({ type: 'error', code: 'full' });
    expect(JSON.parse(error).detail).toMatch(/come back after/);
    await page.close();
  } finally {
    taken.close();
    await gateway.kill();
  }
});

test('a page of a node that leaves is told so, with its cursor, and keeps trying', async () => {
  const gateway = await startGateway();
  const other = await new WebSocketClient(`${gateway.url}/v1/ws?channel=a`).open();
  try {
    const page = await pageOf(gateway.url);
    const source = await (await page.source('/v1/sse?channel=a', { names: EVENT_NAMES })).untilOpen();
    const socket = await page.socket(`${gateway.url.replace('http', 'ws')}/v1/ws?channel=a`);
    await socket.untilTexts(2);
    expect(await gateway.stop()).toBe(0);
    expect(await socket.untilClosed()).toEqual({ code: 1012, reason: 'draining', wasClean: true });
    expect(JSON.parse((await socket.texts()).at(-1) ?? '')).toMatchObject({ type: 'cursor' });
    const [bye] = await source.untilEvents(1);
    expect(bye).toMatchObject({ type: 'fanfare:bye', data: '{"reason":"draining"}' });
    expect(bye?.lastEventId).toMatch(/^\d+-\d+$/);
    expect(await source.untilFailure()).toBe(CONNECTING);
    await page.close();
  } finally {
    other.close();
    await gateway.kill();
  }
});
