import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { watchNodes } from '../../support/secrets.ts';
import { SseClient } from '../../support/sse-client.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { type Asked, ask, bearer, post } from './ask.ts';
import { COOKIE, DOORS, wrongAbout } from './doors.ts';

const nodes = watchNodes();
const signer = secretSigner();
const office = publishSecret();
const shop = publishSecret();

let redis: TestRedis;
let here: Gateway;
let there: Gateway;
const startNode = (): Promise<Gateway> =>
  nodes.startGateway({
    REDIS_URL: redis.url,
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_COOKIE_NAME: COOKIE,
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    FANFARE_PUBLISH_KEYS: JSON.stringify([
      { name: 'office', sha256: office.sha256, channels: [], disconnect: true },
      { name: 'shop', sha256: shop.sha256, channels: ['*'] },
    ]),
  });
beforeAll(async () => {
  redis = await startRedis();
  [here, there] = await Promise.all([startNode(), startNode()]);
});
afterAll(() => redis?.stop());

const disconnect = (subject: unknown, node = here): Promise<Asked> =>
  post(node.url, '/v1/disconnect', { subject }, bearer(office.secret));
/** A token of right now: `iat` mostly has whole seconds, and one of the same second would be refused. */
const newToken = (sub: string): Promise<string> => signer.sign({ sub, iat: Date.now() / 1000 });
/** Past the millisecond of what was done last. */
const nextMillisecond = (): Promise<void> => pause(2);

async function expectShut(gateway: Gateway, token: string): Promise<void> {
  for (const door of DOORS) expect(wrongAbout(door, await door.try(gateway, 'room', token))).toEqual([]);
}

async function expectOpen(gateway: Gateway, token: string): Promise<void> {
  for (const door of DOORS)
    expect([door.name, Math.floor((await door.try(gateway, 'room', token)).status / 100)]).toEqual([door.name, 2]);
}

async function ticketOf(gateway: Gateway, token: string): Promise<string> {
  const { text } = await ask(gateway.url, '/v1/tickets', { method: 'POST', headers: bearer(token) });
  return (JSON.parse(text) as { ticket: string }).ticket;
}

/** A stream, a WebSocket and a long poll. */
async function followers(
  { url }: Gateway,
  token: string,
): Promise<readonly [SseClient, WebSocketClient, Promise<Asked>]> {
  const stream = await new SseClient(`${url}/v1/sse?channel=quiet`, bearer(token)).open();
  const webSocket = await new WebSocketClient(`${url}/v1/ws?channel=quiet`).open();
  webSocket.say({ type: 'auth', token });
  await until(() => webSocket.of('subscribed').length === 1, 'the WebSocket to follow');
  const poll = ask(url, '/v1/channels/quiet/messages?wait=60', { headers: bearer(token) });
  // The same connection limit counts it; nothing else tells that it waits.
  expect((await ask(url, '/v1/channels/quiet/messages', { headers: bearer(token) })).status).toBe(200);
  return [stream, webSocket, poll];
}

describe('who may not disconnect does not', () => {
  test.each<[string, () => Promise<Record<string, string>>, number]>([
    ['a stranger', async () => ({}), 401],
    ['a stranger on a public channel', async () => ({ origin: here.url }), 401],
    ['a key without the right', async () => bearer(shop.secret), 403],
    ['a token that may publish and subscribe to all', async () => bearer(await signer.sign({ disconnect: true })), 403],
    ['a token for oneself', async () => bearer(await signer.sign({ sub: 'victim', disconnect: ['*'] })), 403],
    ['a token in the cookie', async () => ({ origin: here.url, cookie: `${COOKIE}=${await signer.sign()}` }), 403],
    ['a key in a header of another name', async () => ({ 'x-api-key': office.secret }), 401],
    ['a key that is not known', async () => bearer(publishSecret().secret), 401],
  ])('%s', async (_, headers, status) => {
    const token = await newToken('victim');
    const answer = await post(here.url, '/v1/disconnect', { subject: 'victim' }, await headers());
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer');
    await expectOpen(here, token);
  });

  test('whoever may not is told so before anything of what he sent is looked at', async () => {
    for (const body of ['', '{', '{"subject":1}', '{"subject":"victim","subject":"victim"}'])
      expect((await post(here.url, '/v1/disconnect', body, bearer(shop.secret))).status).toBeOneOf([400, 403]);
  });

  test.each([
    ['no subject', {}],
    ['an empty subject', { subject: '' }],
    ['a number', { subject: 1 }],
    ['nothing', { subject: null }],
    ['a list', { subject: ['victim'] }],
    ['a subject that is too long', { subject: 'x'.repeat(257) }],
    ['half of a surrogate pair', '{"subject":"\\ud800"}'],
    ['two subjects', '{"subject":"victim","subject":"victim"}'],
    ['a time of its own', { subject: 'victim', before: 9e12 }],
    ['no JSON', '{'],
    ['nothing at all', ''],
  ])('a disconnect that makes no sense is refused: %s', async (_, body) => {
    const token = await newToken('victim');
    expect((await post(here.url, '/v1/disconnect', body, bearer(office.secret))).status).toBe(400);
    await expectOpen(here, token);
  });
});

test('a disconnect ends everything of the subject on every node, and nothing of others', async () => {
  await nextMillisecond();
  const [old, other] = await Promise.all([newToken('ann'), newToken('Ann')]);
  const his = [...(await followers(here, old)), ...(await followers(there, old))];
  const theirs = [await followers(here, other), await followers(there, other)];
  const visitor = await new SseClient(`${there.url}/v1/sse?channel=news:1`).open();
  expect((await disconnect('ann')).status).toBe(202);
  for (const one of his) {
    if (one instanceof Promise) {
      const { status, text } = await one;
      expect([status, text]).toEqual([401, expect.stringContaining('unauthenticated')]);
      continue;
    }
    await until(() => (one instanceof SseClient ? one.ended : one.closeCode !== undefined), 'the end');
    if (one instanceof SseClient)
      expect(one.of('fanfare:bye').map(({ data }) => data)).toEqual(['{"reason":"disconnected"}']);
    else expect([one.closeCode, one.closeReason]).toEqual([4403, 'disconnected']);
  }
  await post(here.url, '/v1/channels/quiet/messages', { data: 'for the others' }, bearer(other));
  for (const [stream, webSocket, poll] of theirs) {
    await until(() => stream.messages.length === 1 && webSocket.of('message').length === 1, 'the message');
    expect((await poll).status).toBe(200);
    stream.close();
    webSocket.close();
  }
  expect(visitor.ended).toBe(false);
  visitor.close();
  expect(await metric(there, 'fanfare_connections_closed_total', 'reason="disconnected"')).toBe(2);
  await expectShut(here, old);
  await expectShut(there, old);
  await nextMillisecond();
  const next = await newToken('ann');
  await expectOpen(here, next);
  await expectOpen(there, next);
});

test('tickets from before, and streams that come back with their cookie, are refused on every node', async () => {
  const old = await newToken('ben');
  const [redeemed, fresh] = await Promise.all([ticketOf(here, old), ticketOf(there, old)]);
  const stream = await new SseClient(`${here.url}/v1/sse?channel=a&ticket=${redeemed}`).open();
  const cookie = String(stream.headers['set-cookie']?.[0]?.split(';')[0]);
  const again = await new SseClient(`${there.url}/v1/sse?channel=a&ticket=${redeemed}`, { cookie }).open();
  expect(again.status).toBe(200);
  await disconnect('ben', there);
  await until(() => stream.ended && again.ended, 'both to end');
  for (const node of [here, there]) {
    expect((await ask(node.url, `/v1/sse?channel=a&ticket=${redeemed}`, { headers: { cookie } })).status).toBe(401);
    expect((await ask(node.url, `/v1/sse?channel=a&ticket=${fresh}`)).status).toBe(401);
  }
});

test('a renewal with a newer token keeps a WebSocket, and one with an older token does not bring it back', async () => {
  const old = await newToken('cat');
  const client = await new WebSocketClient(`${here.url}/v1/ws`).open();
  await client.ask({ type: 'auth', token: old });
  await nextMillisecond();
  await disconnect('cat', there);
  await until(() => client.closeCode !== undefined, 'the close');
  await nextMillisecond();
  const next = await newToken('cat');
  const renewed = await new WebSocketClient(`${here.url}/v1/ws`).open();
  await renewed.ask({ type: 'auth', token: next });
  expect(await renewed.ask({ type: 'auth', token: old })).toMatchObject({ type: 'error', code: 'unauthenticated' });
  expect((await renewed.ask({ type: 'publish', channel: 'a', data: 1 })).type).toBe('published');
  renewed.close();
});

test('the same holds on a node that starts later, and after Redis was emptied', async () => {
  const old = await newToken('dan');
  await disconnect('dan');
  const later = await startNode();
  await expectShut(later, old);
  await later.kill();

  await redis.client.flushall();
  // What was lost is appended again by those who know it.
  await until(
    () => [here, there].some(({ logs }) => logs.some(({ what }) => String(what).includes('appended again'))),
    'the nodes to tell again',
  );
  await until(async () => (await ask(`${here.adminUrl}`, '/readyz')).status === 200, 'the node to be ready again');
  await expectShut(here, old);
  const newest = await startNode();
  await expectShut(newest, old);
  await expectOpen(newest, await newToken('dan'));
  await newest.kill();
});

test.each(['*', '$disconnect', '__proto__', 'constructor', 'a"b\\c\u2028\n', '🔑', 'x'.repeat(256), 'user:dan', ' '])(
  'whatever the subject is, it and only it is disconnected: %j',
  async (subject) => {
    const [old, other] = await Promise.all([newToken(subject), newToken('somebody')]);
    expect((await ask(here.url, '/v1/channels/a/messages', { headers: bearer(old) })).status).toBe(200);
    expect((await disconnect(subject)).status).toBe(202);
    expect((await ask(here.url, '/v1/channels/a/messages', { headers: bearer(old) })).status).toBe(401);
    const elsewhere = { headers: bearer(old) };
    await until(
      async () => (await ask(there.url, '/v1/channels/a/messages', elsewhere)).status === 401,
      'the other node to know',
    );
    expect((await ask(here.url, '/v1/channels/a/messages', { headers: bearer(other) })).status).toBe(200);
  },
);

test('Redis holds no secret of all this', async () => {
  const texts: string[] = [];
  for (const name of await redis.client.keys('*')) {
    texts.push(name);
    const type = await redis.client.type(name);
    if (type === 'string') texts.push(String(await redis.client.get(name)));
    if (type === 'hash') texts.push(JSON.stringify(await redis.client.hgetall(name)));
    if (type === 'stream') texts.push(JSON.stringify(await redis.client.xrange(name, '-', '+')));
  }
  expect(texts.length).toBeGreaterThan(3);
  nodes.expectNoneIn(texts.join('\n'), 'Redis');
});
