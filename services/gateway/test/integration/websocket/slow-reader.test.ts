import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

/** More than the kernel's buffers of a connection on one machine take. */
const MESSAGES = 300;
const FILLER = 'x'.repeat(60_000);

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

test('a reader that falls behind is closed with 4408, comes back, and has lost nothing; nobody else is disturbed', async () => {
  const path = '/v1/ws?channel=slow';
  const other = await new WebSocketClient(gateway.url + path).open();
  const slow = (await new RawWebSocket(gateway.port, path).hears('"subscribed"')) as RawWebSocket;
  slow.socket.pause();
  for (let next = 0; next < MESSAGES; next += 20) {
    const messages = Array.from({ length: 20 }, (_, i) => ({ channel: 'slow', data: [next + i, FILLER] }));
    expect((await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }))).status).toBe(200);
  }
  await until(() => other.of('message').length === MESSAGES, 'the other one to have all');
  await until(
    async () => (await metric(gateway, 'fanfare_slow_consumers_total', 'transport="websocket"')) === 1,
    'the slow one to be found out',
  );
  expect(other.closeCode).toBeUndefined();

  slow.socket.resume();
  expect(await slow.closeFrame()).toEqual({ code: 4408, reason: 'too_slow' });
  const heard = slow.frames
    .filter(({ opcode }) => opcode === 0x1)
    .map(({ payload }) => JSON.parse(payload.toString()) as { type: string; id: string; data: [number, string] })
    .filter(({ type }) => type === 'message');
  expect(heard.length).toBeLessThan(MESSAGES);
  slow.close();

  const back = await new WebSocketClient(`${gateway.url}${path}&after=${heard.at(-1)?.id}`).open();
  await until(() => back.of('caught-up').length === 1, 'the replay to end');
  const numbers = [...heard.map(({ data }) => data[0]), ...back.of('message').map(({ data }) => (data as [number])[0])];
  expect(numbers).toEqual(Array.from({ length: MESSAGES }, (_, i) => i));
  expect(back.of('gap')).toEqual([]);
  other.close();
  back.close();
});

test('a replay goes at the pace of its reader: however much of it waits, it is not too slow', async () => {
  const mebibytes = 4 * 1024 * 1024;
  const roomy = await startGateway({
    FANFARE_MAX_MESSAGE_BYTES: String(mebibytes),
    FANFARE_MAX_BACKLOG_BYTES: String(64 * 1024),
  });
  try {
    const start = await publish(roomy.url, 'large', 'start');
    // The first is as much as a chunk and fits into the kernel's buffers; the second waits for its reader.
    for (const length of [40 * 1024, mebibytes - 2]) await publish(roomy.url, 'large', 'x'.repeat(length));
    const reader = new RawWebSocket(roomy.port, `/v1/ws?channel=large&after=${start}`);
    reader.socket.pause();
    await until(
      async () => (await metric(roomy, 'fanfare_deliveries_total', 'transport="websocket"')) === 2,
      'the messages to be handed over',
    );
    reader.socket.resume();
    await until(() => reader.frames.length >= 5 || reader.ended, 'the end of the replay');
    expect(reader.frames.map(({ payload }) => /^\{"type":"([^"]+)"/.exec(payload.toString())?.[1])).toEqual([
      'welcome',
      'subscribed',
      'message',
      'message',
      'caught-up',
    ]);
    expect(await metric(roomy, 'fanfare_slow_consumers_total', 'transport="websocket"')).toBe(0);
    reader.close();
  } finally {
    await roomy.kill();
  }
});
