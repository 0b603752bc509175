import type { IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BrowserPage, CLOSED, CONNECTING, OPEN } from '../../../support/browser-page.ts';
import { type Gateway, metric, startGateway } from '../../../support/gateway.ts';
import { exchange } from '../../../support/http-exchange.ts';
import { publish } from '../../../support/publish.ts';
import { head, RawSocket } from '../../../support/raw-socket.ts';
import { SseClient } from '../../../support/sse-client.ts';
import { until } from '../../../support/until.ts';
import { EVENT_STREAM, Readings } from './readings.ts';

const OWN = ['fanfare:gap', 'fanfare:caught-up', 'fanfare:bye'];

let readings: Readings;
/** Takes pages of the origin of `readings`, like the others. */
let gateway: Gateway;
/** Has room for one stream. */
let small: Gateway;
/** Sends its clients away after a second. */
let restless: Gateway;
beforeAll(async () => {
  readings = await Readings.start();
  const env = { FANFARE_ALLOWED_ORIGINS: readings.origin, FANFARE_HEARTBEAT_INTERVAL: '0.3' };
  [gateway, small, restless] = await Promise.all([
    startGateway(env),
    startGateway({ ...env, FANFARE_MAX_CONNECTIONS: '1' }),
    startGateway({ ...env, FANFARE_MAX_CONNECTION_AGE: '1' }),
  ]);
});
afterAll(async () => {
  await readings?.stop();
  for (const node of [gateway, small, restless]) await node?.kill();
});

/** What Chromium asks with. */
async function asked(): Promise<{ method: string | undefined; headers: IncomingHttpHeaders }> {
  let seen: { method: string | undefined; headers: IncomingHttpHeaders } | undefined;
  const url = readings.address(({ method, headers }, response) => {
    seen ??= { method, headers };
    response.writeHead(200, EVENT_STREAM).end();
  });
  const source = await readings.page.source(url);
  await until(() => seen !== undefined, 'the request');
  await source.close();
  return seen as { method: string; headers: IncomingHttpHeaders };
}

test('9.2.2: an EventSource asks with GET and Accept for an event stream, and that is what it gets', async () => {
  const { method, headers } = await asked();
  expect([method, headers.accept]).toEqual(['GET', 'text/event-stream']);
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=a`, { accept: String(headers.accept) }).open();
  client.close();
  expect([client.status, client.headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
});

test('9.2.2: an EventSource asks past every cache, and no cache may keep a stream', async () => {
  expect((await asked()).headers['cache-control']).toBe('no-cache');
  const url = `${gateway.url}/v1/sse?channel=cache`;
  const [one, other] = [await readings.page.source(url), await readings.page.source(url)];
  for (const source of [one, other]) await source.untilOpen();
  await publish(gateway.url, 'cache', 1);
  for (const source of [one, other]) {
    expect((await source.untilEvents(1)).map(({ data }) => data)).toEqual(['1']);
    await source.close();
  }
  const answer = await exchange(gateway.url, '/v1/sse?channel=cache', { method: 'HEAD' });
  expect(answer.headers['cache-control']).toBe('no-cache, no-transform');
  expect(answer.headers.age).toBeUndefined();
  expect(answer.headers.etag).toBeUndefined();
});

test('9.2.2: a stream is open before its first event', async () => {
  const source = await (await readings.page.source(`${gateway.url}/v1/sse?channel=quiet`)).untilOpen();
  expect([await source.readyState(), await source.events()]).toEqual([OPEN, []]);
  await source.close();
});

test('9.2.2: any status but 200 ends an EventSource for good, so none is given for what passes by itself', async () => {
  for (const status of [201, 202, 204, 205, 206, 400, 401, 403, 404, 406, 410, 429, 500, 502, 503, 504]) {
    const url = readings.address((_request, response) => {
      response.writeHead(status, EVENT_STREAM);
      if (status === 204 || status === 205) response.end();
      else response.end('data: 1\n\n');
    });
    const source = await readings.page.source(url);
    expect(await source.untilFailure(), String(status)).toBe(CLOSED);
    expect(await source.events()).toEqual([]);
  }
  for (const bad of ['channel=a%2Fb', 'chanel=a', 'channel=a&last=x']) {
    const source = await readings.page.source(`${gateway.url}/v1/sse?${bad}`);
    expect(await source.untilFailure()).toBe(CLOSED);
  }
  const taken = await new SseClient(`${small.url}/v1/sse?channel=a`).open();
  const source = await readings.page.source(`${small.url}/v1/sse?channel=a`, { names: OWN });
  const [bye] = await source.untilEvents(1);
  expect(bye).toEqual({ type: 'fanfare:bye', data: '{"reason":"full"}', lastEventId: '' });
  expect(await source.untilFailure()).toBe(CONNECTING);
  await source.close();
  taken.close();
});

test('9.2.2: any other content type ends an EventSource for good, so none is given with 200', async () => {
  for (const type of ['text/plain', 'application/json', 'text/event-stream-2', 'text/html']) {
    const url = readings.address((_request, response) =>
      response.writeHead(200, { ...EVENT_STREAM, 'content-type': type }).end('data: 1\n\n'),
    );
    const source = await readings.page.source(url);
    expect(await source.untilFailure(), type).toBe(CLOSED);
  }
  const taken = await new SseClient(`${small.url}/v1/sse?channel=a`).open();
  for (const [node, query] of [
    [gateway, 'channel=a&last=1'],
    [small, 'channel=a'],
  ] as const) {
    const client = await new SseClient(`${node.url}/v1/sse?${query}`).open();
    expect([client.status, client.headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
    client.close();
  }
  taken.close();
});

test('9.2.2: a page of another origin gets a stream by CORS only, with its credentials where it says so', async () => {
  for (const withCredentials of [false, true]) {
    const url = `${gateway.url}/v1/sse?channel=cors`;
    const source = await (await readings.page.source(url, { withCredentials })).untilOpen();
    await publish(gateway.url, 'cors', 1);
    await source.untilEvents(1);
    await source.close();
  }
  // The same server by another name is another origin, which the node does not take.
  const stranger = await BrowserPage.open(readings.browser, readings.origin.replace('127.0.0.1', 'localhost'));
  const source = await stranger.source(`${gateway.url}/v1/sse?channel=cors`);
  expect(await source.untilFailure()).toBe(CLOSED);
  await stranger.close();
});

test('9.2.2: redirects are followed, also to a node of another origin', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    const location = `${gateway.url}/v1/sse?channel=redirected`;
    const url = readings.address((_request, response) => response.writeHead(status, { location }).end());
    const source = await (await readings.page.source(url)).untilOpen();
    await publish(gateway.url, 'redirected', status);
    expect((await source.untilEvents(1)).map(({ data }) => data)).toEqual([String(status)]);
    await source.close();
  }
});

test('9.2.3: a stream that ends, or breaks in the middle, is opened anew', async () => {
  for (const end of ['end', 'destroy'] as const) {
    const url = readings.address((_request, response, count) => {
      response.writeHead(200, EVENT_STREAM).write(`retry: 1\ndata: ${count}\n\n`);
      setImmediate(() => response[end]());
    });
    const source = await readings.page.source(url);
    await source.untilEvents(3);
    await source.close();
    expect((await source.failures()).slice(0, 2)).toEqual([CONNECTING, CONNECTING]);
  }
});

test('9.2.3: a page that comes back by itself has missed nothing', async () => {
  const source = await readings.page.source(`${restless.url}/v1/sse?channel=restless`, { names: OWN });
  await source.untilOpen();
  const first = await publish(restless.url, 'restless', 'first');
  expect(await source.untilFailure()).toBe(CONNECTING);
  const second = await publish(restless.url, 'restless', 'while away');
  await until(async () => (await source.opened()) > 1, 'the page to be back');
  const third = await publish(restless.url, 'restless', 'back');
  const messages = async () => (await source.events()).filter(({ type }) => type === 'message');
  await until(async () => (await messages()).some(({ lastEventId }) => lastEventId === third), 'the last message');
  expect((await messages()).map(({ lastEventId }) => lastEventId)).toEqual([first, second, third]);
  const own = (await source.events()).filter(({ type }) => type !== 'message');
  expect(own[0]).toMatchObject({ type: 'fanfare:bye', data: '{"reason":"max_age"}' });
  expect(own.some(({ type }) => type === 'fanfare:gap')).toBe(false);
  await source.close();
});

test('9.2.3: a client waits for as long as the node says, which is 2 to 5 seconds', async () => {
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=wait`).open();
  client.close();
  const wait = client.retryMilliseconds ?? 0;
  expect(wait >= 2000 && wait <= 5000).toBe(true);
});

test('9.2.3: a page that closes its EventSource is gone from the node', async () => {
  const open = () => metric(gateway, 'fanfare_connections', 'transport="sse"');
  await until(async () => (await open()) === 0, 'the others to be gone');
  const source = await (await readings.page.source(`${gateway.url}/v1/sse?channel=gone`)).untilOpen();
  expect(await open()).toBe(1);
  await source.close();
  await until(async () => (await open()) === 0, 'the connection to be gone');
  expect(await source.failures()).toEqual([]);
});

test('9.2.4: Last-Event-ID says where a stream goes on, whatever its address says; an empty one says nothing', async () => {
  const ids: string[] = [];
  for (const data of [1, 2, 3]) ids.push(await publish(gateway.url, 'resumed', data));
  const replayed = async (query: string, lastEventId: string) => {
    const url = `${gateway.url}/v1/sse?channel=resumed${query}`;
    const client = new SseClient(url, { 'last-event-id': lastEventId });
    await until(() => client.of('fanfare:caught-up').length > 0, 'the replay to end');
    client.close();
    return client.messages.map(({ lastEventId }) => lastEventId);
  };
  const [first = '', second = '', third = ''] = ids;
  expect(await replayed('', first)).toEqual([second, third]);
  expect(await replayed(`&after=${first}`, second)).toEqual([third]);
  expect(await replayed('&last=3', second)).toEqual([third]);
  expect(await replayed(`&after=${first}`, '')).toEqual([second, third]);
  expect(await replayed('&last=1', '')).toEqual([third]);
});

test('9.2.4: Last-Event-ID may be any UTF-8; what is no cursor is answered with a gap', async () => {
  for (const cursor of ['ü🎺\u2028', '"; DROP', '0', '-1', `${'9'.repeat(40)}-0`, 'a, b', 'x'.repeat(8000)]) {
    const request = Buffer.from(head('GET /v1/sse?channel=any', { 'Last-Event-ID': cursor }), 'utf8');
    const socket = await new RawSocket(gateway.port).send(request).hears('fanfare:caught-up');
    socket.close();
    expect(socket.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(socket.text).toMatch(/\nevent: fanfare:gap\ndata: \{"channel":"any",.*"reason":"unknown"\}\n\n/);
  }
});

test('9.2.7: a comment at each heartbeat keeps a quiet stream alive, and fires nothing', async () => {
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=alive`).open();
  const source = await (await readings.page.source(`${gateway.url}/v1/sse?channel=alive`)).untilOpen();
  await until(() => (client.text.match(/^: heartbeat$/gm)?.length ?? 0) >= 3, 'three heartbeats');
  expect([client.ended, client.events]).toEqual([false, []]);
  expect([await source.readyState(), await source.events(), await source.failures()]).toEqual([OPEN, [], []]);
  await source.close();
  client.close();
});

test('9.2.7: a stream is not chunked: each event goes out as it is, and when it is there', async () => {
  const socket = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=chunks')).hears('\n\n');
  expect(socket.text.toLowerCase()).not.toContain('transfer-encoding');
  expect(socket.text.toLowerCase()).not.toContain('content-length');
  expect(socket.text).toContain('\r\n\r\n: fanfare\nretry: ');
  for (const data of [1, 2, 3]) {
    const id = await publish(gateway.url, 'chunks', data);
    await until(
      () => socket.text.replaceAll(/: heartbeat\nid: .*\n\n/g, '').endsWith(`\n\nid: ${id}\ndata: ${data}\n\n`),
      'the event',
    );
  }
  socket.close();
});
