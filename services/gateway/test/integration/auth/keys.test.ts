import { beforeAll, expect, test } from 'vitest';
import type { Gateway } from '../../support/gateway.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { watchNodes } from '../../support/secrets.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { ask, bearer, historyOf, post, publishAs } from './ask.ts';
import { COOKIE, DOORS, wrongAbout } from './doors.ts';

const nodes = watchNodes();
const signer = secretSigner();
const shop = publishSecret();
const shopNext = publishSecret();
const office = publishSecret();

let gateway: Gateway;
let token: string;
beforeAll(async () => {
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_COOKIE_NAME: COOKIE,
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    FANFARE_PUBLISH_KEYS: JSON.stringify([
      { name: 'shop', sha256: shop.sha256, channels: ['orders:*', 'notice'] },
      { name: 'shop-next', sha256: shopNext.sha256.toUpperCase(), channels: ['orders:*'] },
      { name: 'office', sha256: office.sha256, channels: [], disconnect: true },
    ]),
  });
  token = await signer.sign();
});

test('a key publishes to its channels and to no others, by every way to publish', async () => {
  for (const [channel, status] of [
    ['orders:1', 201],
    ['notice', 201],
    ['orders', 403],
    ['orders2:1', 403],
    ['Orders:1', 403],
    ['notice:1', 403],
    ['news:1', 403],
  ] as const)
    expect([channel, (await publishAs(gateway.url, shop.secret, channel, 'one')).status]).toEqual([channel, status]);

  const messages = ['orders:2', 'other', 'notice', 'orders'].map((channel) => ({ channel, data: 'batch' }));
  const batch = await post(gateway.url, '/v1/messages', { messages }, bearer(shop.secret));
  const { results } = JSON.parse(batch.text) as { results: { channel?: string; error?: { code: string } }[] };
  expect(results.map(({ channel, error }) => channel ?? error?.code)).toEqual([
    'orders:2',
    'forbidden',
    'notice',
    'forbidden',
  ]);

  const client = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
  expect(await client.ask({ type: 'auth', token: shop.secret })).toEqual({
    type: 'authenticated',
    ref: expect.any(String),
  });
  expect((await client.ask({ type: 'publish', channel: 'orders:3', data: 1 })).type).toBe('published');
  expect(await client.ask({ type: 'publish', channel: 'other', data: 1 })).toMatchObject({
    type: 'error',
    code: 'forbidden',
  });
  expect(await client.ask({ type: 'subscribe', channel: 'orders:3' })).toMatchObject({
    type: 'error',
    code: 'forbidden',
  });
  expect((await client.ask({ type: 'subscribe', channel: 'news:1' })).type).toBe('subscribed');
  client.close();
  for (const channel of ['orders', 'orders2:1', 'Orders:1', 'other', 'notice:1'])
    expect(await historyOf(gateway.url, token, channel)).toEqual([]);
});

test('a key listens to public channels only, and makes no tickets', async () => {
  const headers = bearer(shop.secret);
  expect((await ask(gateway.url, '/v1/channels/orders:1/messages', { headers })).status).toBe(403);
  expect((await ask(gateway.url, '/v1/sse?channel=orders:1', { headers })).status).toBe(403);
  expect((await ask(gateway.url, '/v1/sse?channel=news:1', { headers })).status).toBe(200);
  expect((await ask(gateway.url, '/v1/tickets', { method: 'POST', headers })).status).toBe(403);
  expect((await publishAs(gateway.url, office.secret, 'orders:1', 1)).status).toBe(403);
});

test('two keys of one publisher are good at once while one replaces the other', async () => {
  for (const { secret } of [shop, shopNext])
    expect((await publishAs(gateway.url, secret, 'orders:1', 1)).status).toBe(201);
});

test.each<[string, () => string]>([
  ['another one', () => publishSecret().secret],
  ['the SHA-256 that is configured', () => shop.sha256],
  ['the SHA-256 as a key', () => `ffk_${shop.sha256}`],
  ['its beginning', () => shop.secret.slice(0, -1)],
  ['it and one character more', () => `${shop.secret}0`],
  ['it in capitals', () => `ffk_${shop.secret.slice(4).toUpperCase()}`],
  ['it without ffk_', () => shop.secret.slice(4)],
  ['it with FFK_', () => shop.secret.replace('ffk_', 'FFK_')],
  ['it twice', () => shop.secret + shop.secret],
  ['its name', () => 'ffk_shop'],
  ['its name alone', () => 'shop'],
  ['a very long one', () => `ffk_${'a1'.repeat(7000)}`],
])('a key that is none opens no door: %s', async (_, make) => {
  const secret = nodes.use(make());
  for (const door of DOORS) {
    const answer = await door.try(gateway, 'orders:1', secret);
    expect(wrongAbout(door, answer)).toEqual([]);
    nodes.expectNoneIn(answer.text, door.name);
  }
});

test('a key beside another name, with another header, is no key', async () => {
  for (const headers of [
    { 'x-api-key': shop.secret },
    { 'fanfare-key': shop.secret },
    { 'proxy-authorization': `Bearer ${shop.secret}` },
  ])
    expect((await post(gateway.url, '/v1/channels/orders:1/messages', { data: 1 }, headers)).status).toBe(401);
  const authorization = `Basic ${Buffer.from(`shop:${shop.secret}`).toString('base64')}`;
  expect((await post(gateway.url, '/v1/channels/orders:1/messages', { data: 1 }, { authorization })).status).toBe(401);
  const protocols = new RawWebSocket(gateway.port, '/v1/ws', Buffer.alloc(0), {
    'Sec-WebSocket-Protocol': `fanfare.v1, ${shop.secret}`,
  });
  await protocols.hears('"welcome"');
  nodes.expectNoneIn(protocols.text, 'the answer to a handshake');
  protocols.close();
});
