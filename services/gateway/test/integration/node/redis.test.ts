import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem, postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

let redis: TestRedis;
let one: Gateway;
let two: Gateway;
const closing: { close(): void }[] = [];
beforeAll(async () => {
  redis = await startRedis();
  const env = { REDIS_URL: redis.url, FANFARE_HEARTBEAT_INTERVAL: '1', FANFARE_HEARTBEAT_TIMEOUT: '0.8' };
  [one, two] = await Promise.all([
    startGateway({ ...env, FANFARE_NODE_NAME: 'one' }),
    startGateway({ ...env, FANFARE_NODE_NAME: 'two' }),
  ]);
});
afterEach(() => {
  for (const client of closing.splice(0)) client.close();
});
afterAll(async () => {
  await Promise.all([one?.kill(), two?.kill()]);
  await redis?.stop();
});

function follow(gateway: Gateway, channel: string, lastEventId?: string): Promise<SseClient> {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const client = new SseClient(`${gateway.url}/v1/sse?channel=${channel}`, headers);
  closing.push(client);
  return client.open();
}

async function listen(gateway: Gateway, query = ''): Promise<WebSocketClient> {
  const client = await new WebSocketClient(`${gateway.url}/v1/ws${query}`).open();
  closing.push(client);
  return client;
}

const ready = async (gateway: Gateway): Promise<boolean> => (await fetch(`${gateway.adminUrl}/readyz`)).ok;

test('what is published on either node comes to clients of both transports on both, in one order', async () => {
  const streams = [await follow(one, 'both'), await follow(two, 'both')];
  const sockets = [await listen(one, '?channel=both'), await listen(two, '?channel=both')];
  await until(() => sockets.every((socket) => socket.of('subscribed').length === 1), 'the subscriptions');
  const sending = Array.from({ length: 100 }, (_, i) => publish((i % 2 === 0 ? one : two).url, 'both', i));
  const ids = await Promise.all(sending);
  const seen = (): unknown[][] => [
    ...streams.map((client) => client.messages.map(({ lastEventId }) => lastEventId)),
    ...sockets.map((client) => client.of('message').map(({ id }) => id)),
  ];
  await until(() => seen().every(({ length }) => length === 100), 'all messages');
  for (const order of seen()) expect(order).toEqual(seen()[0]);
  expect([...ids].sort()).toEqual([...(seen()[0] as string[])].sort());
});

test('a cursor of one node is good on the other, also for a client that was ahead of it', async () => {
  const first = await follow(one, 'moving');
  const id = await publish(one.url, 'moving', 'seen');
  await until(() => first.lastEventId === id, 'the message');
  const second = await follow(two, 'moving', id);
  await publish(one.url, 'moving', 'next');
  await until(() => second.messages.length === 1, 'the next message');
  expect(second.messages.map(({ data }) => data)).toEqual(['"next"']);
  expect(second.of('fanfare:gap')).toEqual([]);
});

test('an idempotency key holds on every node', async () => {
  const send = (gateway: Gateway) =>
    postJson(gateway.url, '/v1/channels/keyed/messages', '{"data":1}', { 'idempotency-key': 'k' });
  const [a, b] = await Promise.all([send(one), send(two)]);
  expect([a.json.id, [a.status, b.status].sort()]).toEqual([b.json.id, [200, 201]]);
});

test('while Redis is away: nobody loses a connection, publishes are refused, and afterwards all goes on', async () => {
  const stream = await follow(one, 'away');
  const socket = await listen(two, '?channel=away');
  const before = await publish(one.url, 'away', 'before');
  await until(() => stream.messages.length + socket.of('message').length === 2, 'the first message');

  await redis.kill();
  await until(async () => !(await ready(one)) && !(await ready(two)), 'both to notice');
  expect(await (await fetch(`${one.adminUrl}/readyz`)).text()).toMatch(/^log_unavailable: .+\n$/);
  expect((await fetch(`${one.adminUrl}/healthz`)).status).toBe(200);
  expectProblem(await postJson(one.url, '/v1/channels/away/messages', '{"data":"refused"}'), 'log_unavailable');
  const batch = '{"messages":[{"channel":"away","data":"refused"},{"channel":"away","data":"refused"}]}';
  expectProblem(await postJson(one.url, '/v1/messages', batch), 'log_unavailable');
  expect(await socket.ask({ type: 'publish', channel: 'away', data: 'refused' })).toMatchObject({
    type: 'error',
    code: 'log_unavailable',
  });

  const refused = new SseClient(`${one.url}/v1/sse?channel=away`);
  await until(() => refused.ended, 'the end of the stream');
  expect(refused.text).toMatch(/^retry: \d{4,5}\n\nevent: fanfare:bye\ndata: \{"reason":"log_unavailable"\}\n\n$/);
  const upgrade = new RawWebSocket(two.port);
  expect(await upgrade.closeFrame()).toEqual({ code: 1013, reason: 'log_unavailable' });
  await upgrade.end();
  expect(await metric(one, 'fanfare_messages_published_total', 'result="log_unavailable"')).toBe(3);
  expect(await metric(one, 'fanfare_log_errors_total', 'operation="append"')).toBeGreaterThanOrEqual(3);

  await redis.start();
  await until(async () => (await ready(one)) && (await ready(two)), 'both to be back');
  const after = await publish(two.url, 'away', 'after');
  await until(() => stream.messages.length + socket.of('message').length === 4, 'the message');
  expect(stream.messages.map(({ lastEventId }) => lastEventId)).toEqual([before, after]);
  expect(socket.of('message').map(({ id }) => id)).toEqual([before, after]);
  expect([stream.of('fanfare:gap'), socket.of('gap')]).toEqual([[], []]);
  expect([stream.ended, socket.closeCode]).toEqual([false, undefined]);
});

test('a Redis that answers nothing is a log_timeout; the same key makes the retry safe', async () => {
  const send = () =>
    postJson(one.url, '/v1/channels/silent/messages', '{"data":"once"}', { 'idempotency-key': 'silent-1' });
  await redis.pause();
  try {
    expectProblem(await send(), 'log_timeout');
  } finally {
    await redis.resume();
  }
  await until(async () => (await ready(one)) && (await ready(two)), 'both to be back');
  const retry = await send();
  expect([200, 201]).toContain(retry.status);
  const { json } = await exchange(one.url, `/v1/channels/silent/messages?after=${retry.json.id}`);
  expect(json.messages).toEqual([]);
  const all = (await exchange(two.url, '/v1/channels/silent/messages')).json.messages as object[];
  expect(all.map((message) => 'id' in message && message.id)).toEqual([retry.json.id]);
});

test('a client that publishes faster than the log takes it is read more slowly, and not taken for dead meanwhile', async () => {
  const COUNT = 200;
  const beats = () => metric(one, 'fanfare_heartbeats_sent_total', 'transport="websocket"');
  const flooder = await listen(one);
  await redis.pause();
  try {
    for (let i = 0; i < COUNT; i++) flooder.say({ type: 'publish', channel: 'flood', data: i, ref: i });
    const before = await beats();
    await until(async () => flooder.closeCode !== undefined || (await beats()) >= before + 3, 'three heartbeats');
  } finally {
    await redis.resume();
  }
  const answers = () => flooder.received.filter(({ type }) => type === 'published' || type === 'error');
  await until(() => flooder.closeCode !== undefined || answers().length === COUNT, 'every answer');
  expect(flooder.closeCode).toBeUndefined();
  expect(answers().map(({ ref }) => ref)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
});
