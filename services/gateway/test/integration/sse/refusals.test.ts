import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem } from '../../support/http-exchange.ts';
import { freePort } from '../../support/redis-local.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

const FULL = 3;

/** What a client sees that is sent away for now. */
async function sentAway(gateway: Gateway, query = 'channel=a'): Promise<SseClient> {
  const client = new SseClient(`${gateway.url}/v1/sse?${query}`);
  await until(() => client.ended, 'the end of the stream');
  return client;
}

function expectBye(client: SseClient, reason: string): void {
  expect(client.status).toBe(200);
  expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  expect(client.headers['transfer-encoding']).toBe(undefined);
  expect(client.headers['content-length']).toBe(String(client.text.length));
  const wait = client.retryMilliseconds ?? 0;
  expect(wait >= 5000 && wait <= 15_000).toBe(true);
  expect(client.text).toBe(`retry: ${wait}\n\nevent: fanfare:bye\ndata: {"reason":"${reason}"}\n\n`);
}

describe('what passes by itself', () => {
  test('a full node says so in a stream that ends, and takes the next one when there is room', async () => {
    const gateway = await startGateway({ FANFARE_MAX_CONNECTIONS: String(FULL) });
    try {
      const url = `${gateway.url}/v1/sse?channel=a`;
      const open = await Promise.all(Array.from({ length: FULL }, () => new SseClient(url).open()));
      const refused = await Promise.all(Array.from({ length: 5 }, () => sentAway(gateway)));
      for (const client of refused) expectBye(client, 'full');
      expect(new Set(refused.map(({ retryMilliseconds }) => retryMilliseconds)).size).toBeGreaterThan(1);
      expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(503);
      expect(await metric(gateway, 'fanfare_connections_refused_total', 'reason="full"')).toBe(5);
      expect(await metric(gateway, 'fanfare_connections', 'transport="sse"')).toBe(FULL);

      open[0]?.close();
      await until(async () => (await fetch(`${gateway.adminUrl}/readyz`)).status === 200, 'room for one more');
      const next = await new SseClient(url).open();
      expect(next.text).toContain(': fanfare\n');
      expect(open.slice(1).filter((client) => client.ended)).toEqual([]);
    } finally {
      await gateway.kill();
    }
  });

  test('a node that has not read its log yet says that it is starting, and takes no publish', async () => {
    const gateway = await startGateway({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` }, 'listening');
    try {
      expectBye(await sentAway(gateway), 'starting');
      const ready = await fetch(`${gateway.adminUrl}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringMatching(/^starting: .+\n$/)]);
      expect((await fetch(`${gateway.adminUrl}/healthz`)).status).toBe(200);
      const publish = await exchange(gateway.url, '/v1/channels/a/messages', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"data":1}',
      });
      expectProblem(publish, 'log_unavailable');
    } finally {
      await gateway.kill();
    }
  });
});

describe('what does not pass', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ FANFARE_MAX_CHANNELS_PER_CONNECTION: '4' });
  });
  afterAll(() => gateway?.kill());

  test.for<[string, 'invalid_request' | 'invalid_channel' | 'too_many_channels', RegExp]>([
    ['', 'invalid_request', /channel/],
    ['after=1-0', 'invalid_request', /channel/],
    ['channel=', 'invalid_channel', /empty/],
    ['channel=a%2Fb', 'invalid_channel', /A–Z/],
    ['channel=a&channel=b%20c', 'invalid_channel', /A–Z/],
    ['channel=%ff', 'invalid_channel', /A–Z/],
    ['channel=%', 'invalid_channel', /A–Z/],
    ['channel=a,b', 'invalid_channel', /A–Z/],
    [`channel=${'x'.repeat(201)}`, 'invalid_channel', /201/],
    ['channel=a&channel=b&channel=c&channel=d&channel=e', 'too_many_channels', /5.*4/],
    ['channels=a', 'invalid_request', /"channels"/],
    ['channel=a&chanel=b', 'invalid_request', /"chanel"/],
    ['channel=a&Last-Event-ID=1-0', 'invalid_request', /"Last-Event-ID"/],
    ['channel=a&last=0', 'invalid_request', /"last"/],
    ['channel=a&last=1001', 'invalid_request', /"last"/],
    ['channel=a&last=-1', 'invalid_request', /"last"/],
    ['channel=a&last=', 'invalid_request', /"last"/],
    ['channel=a&last=1.5', 'invalid_request', /"last"/],
    ['channel=a&last=1&last=2', 'invalid_request', /"last"/],
    ['channel=a&after=1-0&after=2-0', 'invalid_request', /"after"/],
    ['channel=a&after=1-0&last=2', 'invalid_request', /"after"/],
    ['channel=a&format=xml', 'invalid_request', /"format"/],
    ['channel=a&format=', 'invalid_request', /"format"/],
    ['channel=a&format=raw&format=raw', 'invalid_request', /"format"/],
  ])('is a 4xx problem that says what is wrong: ?%s', async ([query, code, detail]) => {
    expect(expectProblem(await exchange(gateway.url, `/v1/sse?${query}`), code)).toMatch(detail);
  });

  test('channels that are named twice count once', async () => {
    const client = await new SseClient(
      `${gateway.url}/v1/sse?channel=a&channel=b&channel=a&channel=c&channel=d&channel=d`,
    ).open();
    expect(client.text).toContain(': fanfare\n');
    client.close();
  });

  test('a request with a body is refused, with a length or chunked; one with an empty body is not', async () => {
    for (const chunked of [false, true])
      expectProblem(await exchange(gateway.url, '/v1/sse?channel=a', { body: 'body', chunked }), 'invalid_request');
    const client = await new SseClient(`${gateway.url}/v1/sse?channel=a`, { 'content-length': '0' }).open();
    expect(client.status).toBe(200);
    client.close();
  });

  test('refusals are counted by their code', async () => {
    const count = () => metric(gateway, 'fanfare_connections_refused_total', 'reason="invalid_channel"');
    const before = await count();
    await exchange(gateway.url, '/v1/sse?channel=a%2Fb');
    expect((await count()) - before).toBe(1);
  });

  test('as many channels of the longest names as the node takes by default fit into one request', async () => {
    const other = await startGateway();
    const channels = Array.from({ length: 100 }, (_, i) => `channel=${String(i).padStart(200, 'x')}`);
    const client = await new SseClient(`${other.url}/v1/sse?${channels.join('&')}`).open();
    expect(client.text).toContain(': fanfare\n');
    client.close();
    await other.kill();
  });
});
