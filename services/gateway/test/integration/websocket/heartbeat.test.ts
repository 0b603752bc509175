import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { clientFrame, RawWebSocket } from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

const PING = 0x9;
const PONG = 0xa;

let gateway: Gateway;
beforeAll(async () => {
  // A time-out that a busy machine does not miss by itself.
  gateway = await startGateway({ FANFARE_HEARTBEAT_INTERVAL: '1', FANFARE_HEARTBEAT_TIMEOUT: '0.8' });
});
afterAll(() => gateway?.kill());

const closed = (reason: string): Promise<number> =>
  metric(gateway, 'fanfare_connections_closed_total', `transport="websocket",reason="${reason}"`);

test.concurrent('a heartbeat is a ping and the cursor, good for every channel of the connection', async () => {
  const client = await new WebSocketClient(`${gateway.url}/v1/ws?channel=a&channel=b`).open();
  const ids = [await publish(gateway.url, 'a', 1), await publish(gateway.url, 'elsewhere', 2)];
  await until(() => client.of('cursor').some(({ id }) => id === ids[1]), 'the cursor to move on');
  expect(client.of('message')).toHaveLength(1);
  expect(Object.keys(client.of('cursor')[0] ?? {})).toEqual(['type', 'id']);
  const back = await new WebSocketClient(`${gateway.url}/v1/ws?channel=a&channel=b&after=${ids[1]}`).open();
  await until(() => back.of('caught-up').length === 2, 'the replay to end');
  expect([back.of('message'), back.of('gap')]).toEqual([[], []]);
  client.close();
  back.close();
});

test.concurrent('a connection that follows nothing gets pings alone', async () => {
  const client = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
  let pings = 0;
  client.socket.on('ping', () => pings++);
  await until(() => pings >= 2, 'two pings');
  expect(client.of('cursor')).toEqual([]);
  client.close();
});

test.concurrent('an idle connection that answers lives on over many heartbeats', async () => {
  const sent = () => metric(gateway, 'fanfare_heartbeats_sent_total', 'transport="websocket"');
  const before = await sent();
  const client = await new WebSocketClient(`${gateway.url}/v1/ws?channel=idle`).open();
  await until(() => client.of('cursor').length >= 4, 'four heartbeats');
  expect(client.closeCode).toBeUndefined();
  expect((await sent()) - before).toBeGreaterThanOrEqual(4);
  client.close();
});

test.concurrent('a client that does not answer pings is closed with 4409, and counted', async () => {
  const before = await closed('missed_pong');
  const socket = new RawWebSocket(gateway.port, '/v1/ws?channel=mute');
  expect(await socket.closeFrame()).toEqual({ code: 4409, reason: 'missed_pong' });
  expect(socket.frames.some(({ opcode }) => opcode === PING)).toBe(true);
  expect((await closed('missed_pong')) - before).toBe(1);
  expect(
    await metric(gateway, 'fanfare_heartbeat_failures_total', 'transport="websocket",reason="missed_pong"'),
  ).toBeGreaterThanOrEqual(1);
  socket.close();
});

test.concurrent('anything that a client says counts as a sign of life', async () => {
  const socket = new RawWebSocket(gateway.port, '/v1/ws?channel=talker');
  const talking = setInterval(() => socket.send(clientFrame(PONG)), 100);
  try {
    await until(() => socket.frames.filter(({ opcode }) => opcode === PING).length >= 3, 'three pings');
    expect(socket.ended).toBe(false);
  } finally {
    clearInterval(talking);
    socket.close();
  }
});
