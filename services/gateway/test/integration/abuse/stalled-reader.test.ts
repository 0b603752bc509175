import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { postJson } from '../../support/http-exchange.ts';
import { MiB } from '../../support/memory.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { type SlowLink, startSlowLink } from '../../support/slow-link.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

let gateway: Gateway;
let link: SlowLink | undefined;
afterEach(async () => {
  link?.close();
  await gateway?.kill();
});

test('a WebSocket client that takes nothing is found dead by that, and not by the pong that it could not send', async () => {
  gateway = await startGateway({
    FANFARE_HEARTBEAT_INTERVAL: '2',
    FANFARE_HEARTBEAT_TIMEOUT: '1.5',
    FANFARE_MAX_BACKLOG_BYTES: String(64 * MiB),
  });
  const bystanders = await Bystanders.watch(gateway);
  const socket = await new RawWebSocket(gateway.port, '/v1/ws?channel=stalled').hears('"subscribed"');
  socket.socket.pause();
  // More than the kernel takes, and less than would make it too slow.
  const messages = Array.from({ length: 200 }, () => ({ channel: 'stalled', data: 'x'.repeat(60_000) }));
  for (let i = 0; i < messages.length; i += 50)
    await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages: messages.slice(i, i + 50) }));
  const connections = (): Promise<number> => metric(gateway, 'fanfare_connections', 'transport="websocket"');
  await until(async () => (await connections()) === 1, 'the connection to be found dead');
  for (const name of ['fanfare_heartbeat_failures_total', 'fanfare_connections_closed_total'])
    expect(await metric(gateway, name, 'transport="websocket",reason="write_stalled"')).toBe(1);
  await bystanders.leave();
  socket.close();
});

test('whoever reads slowly but steadily lives, in the middle of a write that outlasts the heartbeats', async () => {
  gateway = await startGateway({
    FANFARE_HEARTBEAT_INTERVAL: '8',
    FANFARE_HEARTBEAT_TIMEOUT: '4',
    FANFARE_MAX_MESSAGE_BYTES: String(4 * MiB),
    FANFARE_COMPRESSION: 'off',
  });
  // Eleven seconds for what is written at once; one for what the kernel takes of it, behind which a ping waits.
  link = await startSlowLink(gateway.port, 4.5 * MiB);
  // The first to come is the first to be asked. Its pong is due while much still waits before the ping.
  const websocket = await new WebSocketClient(`${link.url}/v1/ws?channel=large`).open();
  await until(() => websocket.of('subscribed').length === 1, 'the subscription');
  const sse = await new SseClient(`${link.url}/v1/sse?channel=large`).open();
  const beats = (): Promise<number> => metric(gateway, 'fanfare_heartbeats_sent_total');

  const data = randomBytes(2 * MiB - 1).toString('hex');
  const messages = Array.from({ length: 12 }, () => ({ channel: 'large', data }));
  const before = await beats();
  expect((await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }))).status).toBe(200);
  const all = (count: number): boolean => sse.messages.length >= count && websocket.of('message').length >= count;
  const gone = (): boolean => sse.ended || websocket.closeCode !== undefined;
  await until(() => all(11) || gone(), 'nearly everything', 50);
  // Both were asked in the middle of it.
  expect((await beats()) - before).toBeGreaterThanOrEqual(2);
  await until(() => all(12) || gone(), 'everything');
  expect(gone()).toBe(false);
  expect(await metric(gateway, 'fanfare_connections_closed_total')).toBe(0);
  sse.close();
  websocket.close();
});
