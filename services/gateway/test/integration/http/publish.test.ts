import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem, postJson } from '../../support/http-exchange.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

const publishTo = (channel: string, body: string, headers: Record<string, string> = {}) =>
  postJson(gateway.url, `/v1/channels/${channel}/messages`, body, headers);

async function messagesOf(channel: string): Promise<Record<string, unknown>[]> {
  const { json } = await exchange(gateway.url, `/v1/channels/${channel}/messages?limit=1000`);
  return json.messages as Record<string, unknown>[];
}

test('a published message is answered with 201, its id and its channel, and can be read', async () => {
  const answer = await publishTo('one', '{"event":"order.updated","data":{"orderId":42}}');
  expect(answer.status).toBe(201);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers['idempotent-replayed']).toBeUndefined();
  const { id } = answer.json;
  expect(id).toMatch(/^[\x21-\x7e]+$/);
  expect(answer.json).toEqual({ id, channel: 'one' });
  expect(await messagesOf('one')).toEqual([{ id, channel: 'one', event: 'order.updated', data: { orderId: 42 } }]);
});

test('a message without an event has none', async () => {
  const { id } = (await publishTo('no-event', '{"data":null}')).json;
  expect(await messagesOf('no-event')).toEqual([{ id, channel: 'no-event', data: null }]);
});

test('a channel name of 200 characters of every allowed kind is good, also percent-encoded', async () => {
  const name = `Az09_-.:@${'x'.repeat(191)}`;
  const encoded = name.replace(':', '%3A').replace('@', '%40').replace('A', '%41');
  expect((await publishTo(encoded, '{"data":1}')).json.channel).toBe(name);
  expect(await messagesOf(name)).toHaveLength(1);
});

test('names that are special in JavaScript are names like any other', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect((await publishTo(name, '{"data":1}')).json.channel).toBe(name);
    expect(await messagesOf(name)).toHaveLength(1);
  }
});

test('the same idempotency key publishes once, quoted or bare, and the retry gets the first id', async () => {
  const first = await publishTo('once', '{"data":"first"}', { 'idempotency-key': '"order-42"' });
  expect(first.status).toBe(201);
  for (const key of ['order-42', '"order-42"']) {
    const retry = await publishTo('once', '{"data":"retry"}', { 'idempotency-key': key });
    expect(retry.status).toBe(200);
    expect(retry.headers['idempotent-replayed']).toBe('true');
    expect(retry.json).toEqual(first.json);
  }
  expect((await messagesOf('once')).map(({ data }) => data)).toEqual(['first']);
});

test('the same key on another channel is another message', async () => {
  const answers = await Promise.all(
    ['key-a', 'key-b'].map((channel) => publishTo(channel, '{"data":1}', { 'idempotency-key': 'k' })),
  );
  expect(answers.map(({ status }) => status)).toEqual([201, 201]);
});

test('many who race with one key publish one message, and all are told the same id', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => publishTo('race', `{"data":${i}}`, { 'idempotency-key': 'race-1' })),
  );
  expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1);
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
  expect(await messagesOf('race')).toHaveLength(1);
});

test('keys that are empty, too long, spaced or not ASCII are refused, and publish nothing', async () => {
  for (const key of ['""', 'x'.repeat(256), 'a b', 'caf\u00e9', '"a" "b"'])
    expectProblem(await publishTo('bad-key', '{"data":1}', { 'idempotency-key': key }), 'invalid_request');
  expect((await publishTo('good-key', '{"data":1}', { 'idempotency-key': 'x'.repeat(255) })).status).toBe(201);
  expect(await messagesOf('bad-key')).toEqual([]);
});

test('a batch is answered in its order, each message for itself', async () => {
  const answer = await postJson(
    gateway.url,
    '/v1/messages',
    `{"messages":[
      {"channel":"many","data":1},
      {"channel":"not good","data":2},
      {"channel":"many","data":3,"event":"three"},
      {"channel":"many"},
      {"channel":"many","data":5,"colour":"red"},
      7,
      {"channel":"many","event":"fanfare:bye","data":6},
      {"channel":"other","data":7}
    ]}`,
  );
  expect(answer.status).toBe(200);
  const results = answer.json.results as { id?: string; channel?: string; error?: { code: string; detail: string } }[];
  expect(results.map((result) => result.error?.code ?? result.channel)).toEqual([
    'many',
    'invalid_channel',
    'many',
    'invalid_request',
    'invalid_request',
    'invalid_request',
    'invalid_request',
    'other',
  ]);
  for (const [i, { error }] of results.entries()) if (error) expect(error.detail).toContain(`messages[${i}]`);
  expect((await messagesOf('many')).map(({ id, data }) => [id, data])).toEqual([
    [results[0]?.id, 1],
    [results[2]?.id, 3],
  ]);
});

test('a key that stands twice in a batch publishes once, and both results name one id', async () => {
  const message = '{"channel":"batch-key","data":1,"idempotencyKey":"k"}';
  const { json } = await postJson(gateway.url, '/v1/messages', `{"messages":[${message},${message}]}`);
  const [first, second] = json.results as { id: string }[];
  expect(second).toEqual(first);
  expect(await messagesOf('batch-key')).toHaveLength(1);
});

test('a batch takes 1000 messages and keeps their order; none at all or 1001 are refused', async () => {
  const batch = (count: number, channel: string): string =>
    JSON.stringify({ messages: Array.from({ length: count }, (_, data) => ({ channel, data })) });
  const answer = await postJson(gateway.url, '/v1/messages', batch(1000, 'thousand'));
  expect((answer.json.results as object[]).length).toBe(1000);
  expect((await messagesOf('thousand')).map(({ data }) => data)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  for (const count of [0, 1001])
    expect(expectProblem(await postJson(gateway.url, '/v1/messages', batch(count, 'no')), 'invalid_request')).toContain(
      String(count),
    );
  expect(await messagesOf('no')).toEqual([]);
});

test('what was published is counted by its result', async () => {
  const count = (result: string) => metric(gateway, 'fanfare_messages_published_total', `result="${result}"`);
  const before = { accepted: await count('accepted'), replayed: await count('replayed') };
  for (let i = 0; i < 3; i++) await publishTo('counted', '{"data":1}', { 'idempotency-key': 'counted' });
  expect((await count('accepted')) - before.accepted).toBe(1);
  expect((await count('replayed')) - before.replayed).toBe(2);
  expect(await metric(gateway, 'fanfare_publish_duration_seconds_count')).toBeGreaterThanOrEqual(3);
});
