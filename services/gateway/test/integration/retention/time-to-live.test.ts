import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

interface CaughtUp {
  readonly messages: readonly { readonly data: unknown }[];
  readonly gap: boolean;
}

describe.for(['embedded', 'redis'] as const)('a message with a time to live, on the %s log', (log) => {
  let redis: TestRedis | undefined;
  let gateway: Gateway;
  beforeAll(async () => {
    if (log === 'redis') redis = await startRedis();
    gateway = await startGateway(redis === undefined ? {} : { REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await gateway?.kill();
    await redis?.stop();
  });

  const post = (path: string, body: object) =>
    fetch(gateway.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const read = async (channel: string, query: string) =>
    (await exchange(gateway.url, `/v1/channels/${channel}/messages?${query}`)).json as unknown as CaughtUp;

  test('reaches whoever is there, and is a gap for whoever comes back too late', async () => {
    const first = await publish(gateway.url, 'calls', 'before');
    const live = await new SseClient(`${gateway.url}/v1/sse?channel=calls&format=envelope`).open();
    expect((await post('/v1/channels/calls/messages', { data: 'ringing', ttl: 1 })).status).toBe(201);
    await until(() => live.messages.length === 1, 'the message');
    expect(Object.keys(JSON.parse(live.messages[0]?.data ?? ''))).toEqual(['id', 'channel', 'data']);
    live.close();

    await until(async () => (await read('calls', `after=${first}`)).messages.length === 0, 'the message to end');
    await publish(gateway.url, 'calls', 'after');
    const late = new SseClient(`${gateway.url}/v1/sse?channel=calls`, { 'last-event-id': first });
    await until(() => late.messages.length === 1, 'what came later');
    expect(late.messages.map(({ data }) => data)).toEqual(['"after"']);
    expect(late.of('fanfare:gap').map(({ data }) => JSON.parse(data))).toEqual([
      { channel: 'calls', after: first, reason: 'expired' },
    ]);
    expect(late.events.map(({ type }) => type)).toEqual(['fanfare:gap', 'message', 'fanfare:caught-up']);
    late.close();
  });

  test('is no gap for whoever had it', async () => {
    let id = '';
    // A busy machine may take longer to ask than a message lasts: then for another one.
    await until(async () => {
      const answer = await post('/v1/channels/seen/messages', { data: 'ringing', ttl: 1 });
      ({ id } = (await answer.json()) as { id: string });
      const start = new SseClient(`${gateway.url}/v1/sse?channel=seen&last=1`);
      await until(() => start.of('fanfare:caught-up').length === 1, 'the start');
      start.close();
      return start.messages.at(-1)?.lastEventId === id;
    }, 'the message, while it lasts');
    await until(async () => (await read('seen', 'limit=5')).messages.length === 0, 'the message to end');
    expect(await read('seen', `after=${id}`)).toMatchObject({ messages: [], gap: false });
    const newest = new SseClient(`${gateway.url}/v1/sse?channel=seen&last=1`);
    await until(() => newest.of('fanfare:caught-up').length === 1, 'the start');
    expect(newest.events.map(({ type }) => type)).toEqual(['fanfare:caught-up']);
    newest.close();
  });

  test('may be published in a batch and over a WebSocket', async () => {
    const first = await publish(gateway.url, 'ways', 'before');
    const batch = await post('/v1/messages', { messages: [{ channel: 'ways', data: 'batch', ttl: 1 }] });
    expect(await batch.json()).toMatchObject({ results: [{ channel: 'ways' }] });
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/ws`);
    const published = new Promise((resolve) => {
      socket.on('message', (data) => {
        const message = JSON.parse(data.toString());
        if (message.type === 'welcome')
          socket.send(JSON.stringify({ type: 'publish', channel: 'ways', data: 'socket', ttl: 1 }));
        else resolve(message);
      });
    });
    expect(await published).toMatchObject({ type: 'published' });
    socket.close();
    await until(async () => (await read('ways', `after=${first}`)).messages.length === 0, 'both to end');
    expect(await read('ways', `after=${first}`)).toMatchObject({ messages: [], gap: true });
  });

  test('must be a number of seconds', async () => {
    const answer = await post('/v1/channels/calls/messages', { data: 1, ttl: '1m' });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'invalid_request', detail: expect.stringContaining('"ttl"') });
  });
});
