import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Certificate, selfSigned } from '../../../../../infra/cluster/certificate.ts';
import { BrowserPage } from '../../support/browser-page.ts';
import type { Gateway } from '../../support/gateway.ts';
import { watchNodes } from '../../support/secrets.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { launchPermissiveChromium } from '../console/chromium.ts';
import { historyOf, publishAs } from './ask.ts';
import { CookieServer } from './cookie-server.ts';
import {
  type Attacks,
  EMBEDDINGS,
  PREFLIGHTED_POSTS,
  READS,
  SANDBOXED_POST,
  SIMPLE_POSTS,
  STREAM_EMBEDDINGS,
  scriptOf,
} from './cross-site-attacks.ts';
import { type Recorded, RecordingProxy } from './recording-proxy.ts';

const SECRET = 'for ann only';

const nodes = watchNodes();
const signer = secretSigner();
const key = publishSecret();
const ENV = {
  FANFARE_AUTH: 'jwt',
  FANFARE_JWT_SECRET: signer.secret,
  FANFARE_COOKIE_NAME: 'session',
  FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['*'] }]),
  FANFARE_HANDSHAKE_TIMEOUT: '1',
};

let browser: Browser;
let token: string;
/** Where the pages of others come from. */
let site: CookieServer;
let folder: string;
let certificate: Certificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfare-cross-site-'));
  certificate = await selfSigned(folder);
  token = nodes.use(await signer.sign({ subscribe: ['*'], publish: ['*'] }));
  [browser, site] = await Promise.all([
    // Nobody has signed the certificate.
    launchPermissiveChromium(join(folder, 'profile'), [
      '--host-resolver-rules=MAP *.example 127.0.0.1',
      '--ignore-certificate-errors',
    ]),
    CookieServer.start(),
  ]);
});
afterAll(async () => {
  await Promise.all([browser?.close(), site?.stop()]);
  await rm(folder, { recursive: true });
});

/** A node, a page of others that knows its address, and a browser that has ann's cookie for it. */
interface Scene {
  readonly node: Gateway;
  readonly proxy: RecordingProxy;
  readonly page: BrowserPage;
  /** The node's address as the page knows it. */
  readonly base: string;
}

interface Place {
  readonly pageHost: string;
  readonly nodeHost: string;
  /** Browsers send a cookie for pages of other sites only with `SameSite=None`, and then only over TLS. */
  readonly sameSite: 'None' | 'Strict';
}

/** `allowed`: FANFARE_ALLOWED_ORIGINS, from the page's origin. */
async function startScene(
  { pageHost, nodeHost, sameSite }: Place,
  allowed: (origin: string) => string = () => '',
): Promise<Scene> {
  const origin = `http://${pageHost}:${site.port}`;
  const node = await nodes.startGateway({ ...ENV, FANFARE_ALLOWED_ORIGINS: allowed(origin) });
  const secure = sameSite === 'None';
  const proxy = await RecordingProxy.start(node.port, secure ? certificate : undefined);
  const page = await BrowserPage.open(browser, `${origin}/page`);
  const cookie = { name: 'session', value: token, domain: nodeHost, path: '/v1', httpOnly: true };
  await page.page.context().addCookies([{ ...cookie, sameSite, secure }]);
  return { node, proxy, page, base: `${secure ? 'https' : 'http'}://${nodeHost}:${proxy.port}` };
}

async function endScene({ proxy, page }: Scene): Promise<void> {
  await page.close();
  await proxy.stop();
}

let channels = 0;

/** Does it to a channel that nobody has used; what came to the node, and what the page has learned. */
async function attack(
  { node, proxy, page, base }: Scene,
  script: string,
): Promise<{ channel: string; learned: string; came: Recorded[] }> {
  const channel = `orders:${channels++}`;
  expect((await publishAs(node.url, key.secret, channel, SECRET)).status).toBe(201);
  const learned = await page.page.evaluate<string>(scriptOf(script, base, channel));
  await until(() => proxy.answered(channel).length > 0, 'the attack to reach the node');
  return { channel, learned, came: proxy.answered(channel) };
}

const scriptsOf = (attacks: Attacks): [string, string][] => Object.entries(attacks);

describe.each<[string, Place & { readonly embedded: readonly number[] }]>([
  // Whoever embeds is known by Sec-Fetch-Site, which browsers send to https and to this machine.
  ['another site', { pageHost: 'evil.example', nodeHost: 'bank.example', sameSite: 'None', embedded: [401] }],
  [
    'another port of the same site',
    { pageHost: '127.0.0.1', nodeHost: '127.0.0.1', sameSite: 'Strict', embedded: [401] },
  ],
  [
    'another host of the same site',
    { pageHost: 'evil.bank.example', nodeHost: 'bank.example', sameSite: 'Strict', embedded: [200] },
  ],
])('a page of %s, in a browser that has the cookie', (_name, place) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene(place);
  });
  afterAll(() => endScene(scene));

  test.each(scriptsOf(SIMPLE_POSTS))('publishes nothing: %s', async (_attack, script) => {
    const { channel, came } = await attack(scene, script);
    expect(came.map(({ method }) => method)).toEqual(['POST']);
    // Else nothing was attacked.
    expect(came[0]?.cookie).toContain(`session=${token}`);
    expect(came[0]?.status).toBe(403);
    expect(await historyOf(scene.node.url, token, channel)).toEqual([SECRET]);
  });

  test.each(scriptsOf(PREFLIGHTED_POSTS))('publishes nothing: %s', async (_attack, script) => {
    const { channel, came } = await attack(scene, script);
    expect(came.map(({ method, status }) => `${method} ${status}`)).toEqual(['OPTIONS 403']);
    expect(await historyOf(scene.node.url, token, channel)).toEqual([SECRET]);
  });

  test.each(scriptsOf(READS))('reads nothing: %s', async (_attack, script) => {
    const { learned, came } = await attack(scene, script);
    expect(came).toHaveLength(1);
    expect(came[0]?.cookie).toContain(`session=${token}`);
    expect(came[0]?.status).toBe(403);
    expect(learned).not.toContain(SECRET);
  });

  test.each(scriptsOf({ ...EMBEDDINGS, ...STREAM_EMBEDDINGS }))('reads nothing: %s', async (_attack, script) => {
    const { learned, came } = await attack(scene, script);
    expect(came[0]?.cookie).toContain(`session=${token}`);
    expect(place.embedded).toContain(came[0]?.status);
    expect(learned).not.toContain(SECRET);
  });
});

const OTHER_SITE: Place = { pageHost: 'app.example', nodeHost: 'bank.example', sameSite: 'None' };

describe('a page that FANFARE_ALLOWED_ORIGINS names', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene(OTHER_SITE, (origin) => origin);
  });
  afterAll(() => endScene(scene));

  test('publishes with the cookie', async () => {
    const { channel, learned } = await attack(scene, PREFLIGHTED_POSTS['fetch of JSON'] ?? '');
    expect(learned).toContain('cors 201');
    expect(await historyOf(scene.node.url, token, channel)).toEqual([SECRET, 'attack']);
  });

  test.each(scriptsOf(READS))('reads with the cookie: %s', async (_name, script) => {
    expect((await attack(scene, script)).learned).toContain(SECRET);
  });

  test('has no say for what it does not trust itself: a sandboxed frame publishes nothing', async () => {
    const { channel, came } = await attack(scene, SANDBOXED_POST);
    expect(came.map(({ origin, status }) => [origin, status])).toEqual([['null', 403]]);
    expect(await historyOf(scene.node.url, token, channel)).toEqual([SECRET]);
  });

  test('opens a stream by a ticket, which comes back by itself, and nobody else does', async () => {
    const { node, proxy, page, base } = scene;
    const made = await page.ask(`${base}/v1/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(made?.status, made?.text).toBe(201);
    const ticket = nodes.use((JSON.parse(made?.text ?? '') as { ticket: string }).ticket);
    const url = `${base}/v1/sse?channel=orders:ticket&ticket=${ticket}`;
    const source = await (await page.source(url, { withCredentials: true })).untilOpen();
    expect((await fetch(`${node.url}/v1/sse?channel=orders:ticket&ticket=${ticket}`)).status).toBe(401);
    proxy.cut();
    await until(async () => (await source.opened()) === 2, 'the stream to come back');
    await publishAs(node.url, key.secret, 'orders:ticket', 'after the cut');
    expect((await source.untilEvents(1)).map(({ data }) => data)).toEqual(['"after the cut"']);
    const cookies = await page.page.context().cookies(url);
    const cookie = cookies.find(({ name }) => name.startsWith('ff_'));
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'None' });
    nodes.use(cookie?.value ?? '');
    expect(cookie?.partitionKey).toContain('app.example');
    await source.close();
  });
});

describe('where FANFARE_ALLOWED_ORIGINS is *, the cookie does not count', () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await startScene(OTHER_SITE, () => '*');
  });
  afterAll(() => endScene(scene));

  test.each(scriptsOf({ ...SIMPLE_POSTS, ...PREFLIGHTED_POSTS }))('%s publishes nothing', async (_attack, script) => {
    const { channel, came } = await attack(scene, script);
    const posts = came.filter(({ method }) => method === 'POST');
    for (const { cookie, status } of posts) {
      expect(cookie).toContain(`session=${token}`);
      // Before it is asked whether a stranger may, it is seen that there is no such request.
      expect([400, 401, 415]).toContain(status);
    }
    expect(await historyOf(scene.node.url, token, channel)).toEqual([SECRET]);
  });

  test.each(scriptsOf({ ...READS, ...EMBEDDINGS, ...STREAM_EMBEDDINGS }))('%s reads nothing', async (name, script) => {
    const { learned, came } = await attack(scene, script);
    expect(came[0]?.cookie).toContain(`session=${token}`);
    // A WebSocket may still say who it is; it is closed when it does not.
    expect(came[0]?.status).toBe(name === 'a WebSocket' ? 101 : 401);
    if (name === 'a WebSocket') expect(learned).toMatch(/4401$/);
    expect(learned).not.toContain(SECRET);
  });
});
