import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

test("Node's own WebSocket talks, listens and closes", async () => {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/ws?channel=native`);
  const heard: Record<string, unknown>[] = [];
  socket.onmessage = ({ data }) => heard.push(JSON.parse(String(data)) as Record<string, unknown>);
  let closed: { code: number; wasClean: boolean } | undefined;
  socket.onclose = ({ code, wasClean }) => {
    closed = { code, wasClean };
  };
  await until(() => heard.length === 2, 'the welcome and the subscription');
  socket.send(
    JSON.stringify({ type: 'publish', channel: 'native', data: { text: 'é🎺'.repeat(20_000 / 6) }, ref: 'p' }),
  );
  await until(() => heard.length === 4, 'the answer and the message');
  expect(heard.map(({ type }) => type)).toEqual(['welcome', 'subscribed', 'published', 'message']);
  expect(heard[3]?.id).toBe(heard[2]?.id);
  expect(socket.extensions).toMatch(/^permessage-deflate; server_no_context_takeover; client_no_context_takeover/);
  expect(socket.protocol).toBe('');
  socket.close(1000, 'done');
  await until(() => closed !== undefined, 'the close');
  expect(closed).toEqual({ code: 1000, wasClean: true });
});

test('the ws package talks, listens and closes', async () => {
  const client = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
  await client.ask({ type: 'subscribe', channel: 'ws' });
  const id = await publish(gateway.url, 'ws', 'x'.repeat(60_000));
  await until(() => client.of('message').length === 1, 'the message');
  expect(client.of('message')[0]).toMatchObject({ id, channel: 'ws' });
  client.socket.close(4000, 'done');
  await until(() => client.closeCode !== undefined, 'the close');
  expect(client.closeCode).toBe(4000);
});
