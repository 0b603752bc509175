import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exitOf, hurry } from '../../support/drain.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem, type HttpAnswer } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { freePort } from '../../support/redis-local.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

interface CaughtUp {
  readonly messages: readonly { readonly id: string; readonly data: unknown }[];
  readonly cursor: string;
  readonly gap: boolean;
}

const ask = (gateway: Gateway, channel: string, query = ''): Promise<HttpAnswer> =>
  exchange(gateway.url, `/v1/channels/${channel}/messages${query}`);

async function read(gateway: Gateway, channel: string, query = ''): Promise<CaughtUp> {
  const answer = await ask(gateway, channel, query);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers['cache-control']).toBe('no-store');
  return answer.json as unknown as CaughtUp;
}

const dataOf = ({ messages }: CaughtUp): unknown[] => messages.map(({ data }) => data);

async function publishMany(gateway: Gateway, channel: string, count: number): Promise<string[]> {
  const response = await fetch(`${gateway.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: Array.from({ length: count }, (_, data) => ({ channel, data })) }),
  });
  const { results } = (await response.json()) as { results: { id: string }[] };
  return results.map(({ id }) => id);
}

describe.for(['embedded', 'redis'] as const)('on the %s log', (log) => {
  let redis: TestRedis | undefined;
  let gateway: Gateway;
  beforeAll(async () => {
    if (log === 'redis') redis = await startRedis();
    gateway = await startGateway({
      FANFARE_HISTORY_SIZE: '700',
      FANFARE_RECENT_BYTES: '1048576',
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    });
  });
  afterAll(async () => {
    await gateway?.kill();
    await redis?.stop();
  });

  test('a channel that nobody has published to is empty, and its cursor leads to its first message', async () => {
    const { messages, cursor, gap } = await read(gateway, 'empty');
    expect([messages, gap]).toEqual([[], false]);
    await publish(gateway.url, 'empty', 'first');
    await until(async () => (await read(gateway, 'empty', `?after=${cursor}`)).messages.length === 1, 'the message');
  });

  test('pages of any size, one cursor after the other, are every message once and in order', async () => {
    const ids = await publishMany(gateway, 'pages', 650);
    await until(async () => (await read(gateway, 'pages', `?after=${ids[648]}`)).messages.length === 1, 'the last one');
    for (const limit of [1000, 300, 256, 7].filter((size) => size > 1)) {
      const seen: unknown[] = [];
      let cursor = '';
      for (;;) {
        const page = await read(gateway, 'pages', `?limit=${limit}${cursor === '' ? '' : `&after=${cursor}`}`);
        expect(page.gap).toBe(false);
        expect(page.messages.length).toBeLessThanOrEqual(limit);
        if (page.messages.length === 0) break;
        expect(page.cursor).toBe(page.messages.at(-1)?.id);
        seen.push(...dataOf(page));
        cursor = page.cursor;
      }
      expect(seen).toEqual(Array.from({ length: 650 }, (_, i) => i));
    }
    expect(dataOf(await read(gateway, 'pages'))).toHaveLength(100);
    expect(dataOf(await read(gateway, 'pages', `?after=${ids[9]}&limit=1`))).toEqual([10]);
  });

  test('what memory no longer holds comes from the history, and joins what it does hold', async () => {
    const big = 'x'.repeat(60_000);
    for (let i = 0; i < 25; i++) await publish(gateway.url, 'long', `${i} ${big}`);
    const first = await read(gateway, 'long', '?limit=3');
    expect(dataOf(first).map((data) => String(data).split(' ')[0])).toEqual(['0', '1', '2']);
    await until(async () => {
      const more = await read(gateway, 'long', `?after=${first.cursor}&limit=1000`);
      const rest = await read(gateway, 'long', `?after=${more.cursor}&limit=1000`);
      expect([more.gap, rest.gap]).toEqual([false, false]);
      return more.messages.length + rest.messages.length === 22;
    }, 'all that follows');
  });

  test('an answer ends with the message that brings it to 1 MiB, and its cursor leads on', async () => {
    const big = 'x'.repeat(60_000);
    for (let i = 0; i < 40; i++) await publish(gateway.url, 'large', `${i} ${big}`);
    const seen: number[] = [];
    let cursor = '';
    await until(async () => {
      const page = await read(gateway, 'large', `?limit=1000${cursor === '' ? '' : `&after=${cursor}`}`);
      const bytes = page.messages.map(({ data }) => JSON.stringify(data).length);
      expect(bytes.slice(0, -1).reduce((sum, each) => sum + each, 0)).toBeLessThan(1024 * 1024);
      seen.push(...dataOf(page).map((data) => Number.parseInt(String(data), 10)));
      cursor = page.cursor;
      return seen.length === 40;
    }, 'all of them');
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test('messages that are trimmed are a gap, told once; from the start there is none to tell', async () => {
    const [first] = await publishMany(gateway, 'trimmed', 900);
    await until(async () => dataOf(await read(gateway, 'trimmed', '?limit=1000')).at(-1) === 899, 'the last one');
    const fill = 'x'.repeat(60_000);
    for (let i = 0; i < 25; i++) await publish(gateway.url, 'filler', fill);
    await until(async () => (await read(gateway, 'filler', '?limit=1000')).messages.length >= 15, 'the filler');
    const resumed = await read(gateway, 'trimmed', `?after=${first}&limit=1000`);
    expect(resumed.gap).toBe(true);
    expect(dataOf(resumed)).toEqual(Array.from({ length: 700 }, (_, i) => i + 200));
    expect((await read(gateway, 'trimmed', `?after=${resumed.cursor}`)).gap).toBe(false);
    const fresh = await read(gateway, 'trimmed', '?limit=1000');
    expect([fresh.gap, fresh.messages.length]).toEqual([false, 700]);
  });

  test.for(['nonsense', '0:1-0,1:2-0', '-', '1', '99999999999999999999-0', '%00', encodeURIComponent('🎺')])(
    'a cursor that makes no sense is a gap, and hands back one that does: %s',
    async (after) => {
      const { gap, cursor, messages } = await read(gateway, 'garbage', `?after=${after}`);
      expect([gap, messages]).toEqual([true, []]);
      expect((await read(gateway, 'garbage', `?after=${cursor}`)).gap).toBe(false);
    },
  );

  test('a wait ends with the first message, and with that one only', async () => {
    const { cursor } = await read(gateway, 'wait');
    const waiting = read(gateway, 'wait', `?after=${cursor}&wait=60`);
    await until(async () => (await metric(gateway, 'fanfare_channels')) > 0, 'the request to wait');
    const id = await publish(gateway.url, 'wait', 'now');
    expect(await waiting).toEqual({ messages: [{ id, channel: 'wait', data: 'now' }], cursor: id, gap: false });
    await until(async () => (await metric(gateway, 'fanfare_subscriptions')) === 0, 'nobody to wait any more');
  });

  test('a wait is over at once where there is something already, or a gap', async () => {
    const id = await publish(gateway.url, 'at-once', 1);
    expect((await read(gateway, 'at-once', '?wait=60')).cursor).toBe(id);
    expect((await read(gateway, 'at-once', '?wait=60&after=nonsense')).gap).toBe(true);
  });

  test('a wait that nothing ends is over after its time, with a cursor', async () => {
    const start = (await read(gateway, 'in-vain')).cursor;
    const { messages, cursor, gap } = await read(gateway, 'in-vain', `?wait=1&after=${start}`);
    expect([messages, gap]).toEqual([[], false]);
    expect((await read(gateway, 'in-vain', `?after=${cursor}`)).gap).toBe(false);
  });

  test('who waits from the start of a channel without messages is told of its first one', async () => {
    const waiting = read(gateway, 'from-start', '?wait=60');
    await until(async () => (await metric(gateway, 'fanfare_channels')) > 0, 'the request to wait');
    const id = await publish(gateway.url, 'from-start', 'first');
    expect(await waiting).toMatchObject({ messages: [{ id }], cursor: id, gap: false });
  });

  test('whoever asks from the start has not come back with a cursor, and is told of no gap: neither is counted', async () => {
    const figures = async () => [
      await metric(gateway, 'fanfare_resumes_total'),
      await metric(gateway, 'fanfare_gaps_total'),
    ];
    const before = await figures();
    expect((await read(gateway, 'uncounted')).gap).toBe(false);
    expect(await figures()).toEqual(before);
  });
});

describe('requests', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ FANFARE_MAX_CONNECTIONS: '2' });
  });
  afterAll(() => gateway?.kill());

  test.for<[string, string]>([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['wait=61', 'wait'],
    ['wait=x', 'wait'],
    ['wait=1e1', 'wait'],
    ['after=1-0&after=2-0', 'after'],
    ['last=5', 'last'],
    ['__proto__=1', '__proto__'],
  ])('what a query must not say is refused by name: %s', async ([query, name]) => {
    expect(expectProblem(await ask(gateway, 'query', `?${query}`), 'invalid_request')).toContain(name);
  });

  test('HEAD is answered with the head alone', async () => {
    const answer = await exchange(gateway.url, '/v1/channels/head/messages', { method: 'HEAD' });
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  test('a client that leaves while it waits is forgotten; more than the limit are told that the node is full', async () => {
    const { cursor } = await read(gateway, 'leaver');
    const waiting = Array.from({ length: 2 }, () =>
      new RawSocket(gateway.port).send(head(`GET /v1/channels/leaver/messages?wait=60&after=${cursor}`)),
    );
    await until(async () => (await metric(gateway, 'fanfare_subscriptions')) === 2, 'both to wait');
    expectProblem(await ask(gateway, 'leaver', '?wait=1'), 'full');
    for (const socket of waiting) socket.close();
    await until(async () => (await metric(gateway, 'fanfare_subscriptions')) === 0, 'both to be forgotten');
    expect((await ask(gateway, 'leaver')).status).toBe(200);
  });

  test('long polls count as deliveries by http', async () => {
    const before = await metric(gateway, 'fanfare_deliveries_total', 'transport="http"');
    await publish(gateway.url, 'delivered', 1);
    await publish(gateway.url, 'delivered', 2);
    expect((await read(gateway, 'delivered')).messages).toHaveLength(2);
    expect((await metric(gateway, 'fanfare_deliveries_total', 'transport="http"')) - before).toBe(2);
  });
});

test('no wait outlasts the beginning of a drain, whether it began before or after', async () => {
  const gateway = await startGateway({ FANFARE_DRAIN_SECONDS: '600' });
  try {
    const streams = await Promise.all([0, 1, 2].map(() => new SseClient(`${gateway.url}/v1/sse?channel=a`).open()));
    const wait = head(`GET /v1/channels/drain/messages?wait=60&after=${(await read(gateway, 'drain')).cursor}`);
    const kept = await new RawSocket(gateway.port).send(head('GET /v1/channels/drain/messages')).hears('"gap":false}');
    const waiting = new RawSocket(gateway.port).send(wait);
    await until(async () => (await metric(gateway, 'fanfare_channels')) === 2, 'the request to wait');
    gateway.process.kill('SIGTERM');
    await waiting.hears('"gap":false}');
    expect(waiting.text).toMatch(/^HTTP\/1\.1 200 /);
    kept.send(wait);
    await until(() => kept.ended, 'the later one to be answered, and its connection closed');
    expect(kept.text.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['200', '200']);
    await hurry(gateway, 'SIGTERM', () => streams.every(({ ended }) => ended));
    expect(await exitOf(gateway)).toBe(0);
  } finally {
    await gateway.kill();
  }
});

test('a node that has not read its log yet does not say that there is nothing', async () => {
  const gateway = await startGateway({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` }, 'listening');
  try {
    expectProblem(await ask(gateway, 'starting'), 'starting');
  } finally {
    await gateway.kill();
  }
});
