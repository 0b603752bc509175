import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';
import { METRIC_TYPES } from '../../support/metric-types.ts';
import { publish } from '../../support/publish.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ FANFARE_NODE_NAME: 'measured' });
});
afterAll(() => gateway?.kill());

test('the admin port tells who lives and who is ready, to GET and HEAD', async () => {
  for (const [path, body] of [
    ['/healthz', 'ok\n'],
    ['/readyz', 'ready\n'],
  ] as const) {
    const answer = await exchange(gateway.adminUrl, path);
    expect([answer.status, answer.text, answer.headers['cache-control']]).toEqual([200, body, 'no-store']);
    const headOnly = await exchange(gateway.adminUrl, path, { method: 'HEAD' });
    expect([headOnly.status, headOnly.text]).toEqual([200, '']);
  }
  expect((await exchange(gateway.adminUrl, '/')).status).toBe(404);
  expect((await exchange(gateway.adminUrl, '/metrics', { method: 'POST' })).status).toBe(405);
});

test('the public port tells nothing of it', async () => {
  for (const path of ['/metrics', '/healthz', '/readyz']) expect((await exchange(gateway.url, path)).status).toBe(404);
});

test('every metric of the protocol is there, with a type, beside those of Node', async () => {
  const answer = await exchange(gateway.adminUrl, '/metrics');
  expect(answer.headers['content-type']).toContain('text/plain');
  const types = new Map([...answer.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => [name, type]));
  const expected = {
    ...METRIC_TYPES,
    process_resident_memory_bytes: 'gauge',
    nodejs_eventloop_lag_seconds: 'gauge',
  };
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, types.get(name)]))).toEqual(expected);
  expect(answer.text).toMatch(
    /^fanfare_build_info\{version="\d+\.\d+\.\d+",node="measured",runtime="v\d+\.\d+\.\d+"\} 1$/m,
  );
});

test('connections and deliveries are counted as they happen, for each transport', async () => {
  const sse = await new SseClient(`${gateway.url}/v1/sse?channel=counted`).open();
  const websocket = await new WebSocketClient(`${gateway.url}/v1/ws?channel=counted`).open();
  for (const transport of ['sse', 'websocket']) {
    expect(await metric(gateway, 'fanfare_connections', `transport="${transport}"`)).toBe(1);
    expect(await metric(gateway, 'fanfare_connections_opened_total', `transport="${transport}"`)).toBe(1);
  }
  expect([await metric(gateway, 'fanfare_subscriptions'), await metric(gateway, 'fanfare_channels')]).toEqual([2, 1]);

  for (let i = 0; i < 3; i++) await publish(gateway.url, 'counted', i);
  await publish(gateway.url, 'unheard', 1);
  await until(() => sse.messages.length === 3 && websocket.of('message').length === 3, 'all messages');
  for (const transport of ['sse', 'websocket'])
    expect(await metric(gateway, 'fanfare_deliveries_total', `transport="${transport}"`)).toBe(3);
  const bytes = Buffer.byteLength(sse.text.slice(sse.text.indexOf('\n\n') + 2));
  expect(await metric(gateway, 'fanfare_delivered_bytes_total', 'transport="sse"')).toBe(bytes);
  expect(await metric(gateway, 'fanfare_messages_published_total', 'result="accepted"')).toBe(4);
  expect(await metric(gateway, 'fanfare_publish_duration_seconds_count')).toBe(4);
  expect(await metric(gateway, 'fanfare_delivery_lag_seconds_count')).toBeGreaterThan(0);

  sse.close();
  websocket.close();
  await until(async () => (await metric(gateway, 'fanfare_connections')) === 0, 'both to be gone');
  const closed = (labels: string) => metric(gateway, 'fanfare_connections_closed_total', labels);
  expect(await closed('transport="sse",reason="client_gone"')).toBe(1);
  expect(await closed('transport="websocket",reason="client_closed"')).toBe(1);
  expect([await metric(gateway, 'fanfare_subscriptions'), await metric(gateway, 'fanfare_channels')]).toEqual([0, 0]);
});

test('a connection that is refused or asked for by HEAD is not counted as opened', async () => {
  const opened = () => metric(gateway, 'fanfare_connections_opened_total');
  const before = await opened();
  await exchange(gateway.url, '/v1/sse?channel=a', { method: 'HEAD' });
  await exchange(gateway.url, '/v1/sse');
  await exchange(gateway.url, '/v1/ws');
  expect(await opened()).toBe(before);
});
