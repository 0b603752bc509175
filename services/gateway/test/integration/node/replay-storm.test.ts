import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
let gateway: Gateway;
const clients: SseClient[] = [];
beforeAll(async () => {
  redis = await startRedis();
  // The least: little is enough to have the history read.
  gateway = await startGateway({ REDIS_URL: redis.url, FANFARE_RECENT_BYTES: String(1024 * 1024) });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(async () => {
  await gateway?.kill();
  await redis?.stop();
});

async function publishMany(channel: string, data: readonly unknown[]): Promise<string[]> {
  const messages = data.map((each) => ({ channel, data: each }));
  const { json } = await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }));
  return (json.results as { id: string }[]).map(({ id }) => id);
}

/** How often Redis was asked for a stretch of a stream since it started. */
async function ranges(): Promise<number> {
  const calls = /^cmdstat_xrange:calls=(\d+)/m.exec(await redis.client.info('commandstats'))?.[1];
  return Number(calls ?? 0);
}

test('500 clients with one cursor, older than what the node remembers, are replayed from a handful of reads', async () => {
  const [cursor = '', ...missed] = await publishMany(
    'storm',
    Array.from({ length: 300 }, (_, i) => i),
  );
  const filler = await publishMany(
    'filler',
    Array.from({ length: 25 }, () => 'x'.repeat(50_000)),
  );
  // Answered when the node's tail has come so far.
  await exchange(gateway.url, `/v1/channels/filler/messages?after=${filler.at(-1)}`);

  const before = await ranges();
  for (let burst = 0; burst < 5; burst++) {
    const some = Array.from(
      { length: 100 },
      () => new SseClient(`${gateway.url}/v1/sse?channel=storm`, { 'last-event-id': cursor }),
    );
    clients.push(...some);
    await until(() => some.every((client) => client.of('fanfare:caught-up').length > 0), 'the burst to be live');
  }
  const asked = (await ranges()) - before;

  const next = await publish(gateway.url, 'storm', 'live');
  await until(() => clients.every(({ lastEventId }) => lastEventId === next), 'the next message');
  for (const client of clients) {
    expect(client.messages.map(({ lastEventId }) => lastEventId)).toEqual([...missed, next]);
    expect(client.of('fanfare:gap')).toEqual([]);
  }
  expect(await metric(gateway, 'fanfare_resumes_total', 'source="redis",outcome="complete"')).toBe(500);
  // Two pages; again for bursts that come later than answers are kept.
  expect(asked).toBeGreaterThanOrEqual(2);
  expect(asked).toBeLessThanOrEqual(10);
});
