import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { GARBAGE, MiB, peakMemory } from '../../support/memory.ts';
import { publish } from '../../support/publish.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { CONTINUATION, clientFrame, PING, PONG, RawWebSocket, TEXT } from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';

/** Frames that a client may send at once: ten seconds' worth of its rate. */
const BURST = 200;

let gateway: Gateway;
let bystanders: Bystanders;
beforeAll(async () => {
  gateway = await startGateway({ FANFARE_MAX_CLIENT_RATE: String(BURST / 10) });
  bystanders = await Bystanders.watch(gateway);
});
afterAll(async () => {
  await bystanders?.leave();
  await gateway?.kill();
});

const flooding = (): Promise<number> =>
  metric(gateway, 'fanfare_connections_closed_total', 'transport="websocket",reason="flooding"');

test.for<[string, Buffer, Buffer]>([
  ['pings', Buffer.alloc(0), clientFrame(PING, 'x')],
  ['pongs', Buffer.alloc(0), clientFrame(PONG)],
  ['messages', Buffer.alloc(0), clientFrame(TEXT, '{"type":"ping"}')],
  ['messages that are none', Buffer.alloc(0), clientFrame(TEXT)],
  ['fragments of nothing', clientFrame(TEXT, '', { fin: false }), clientFrame(CONTINUATION, '', { fin: false })],
  ['fragments of one byte', clientFrame(TEXT, '"', { fin: false }), clientFrame(CONTINUATION, 'x', { fin: false })],
  ['pings inside of a message', clientFrame(TEXT, '{', { fin: false }), clientFrame(PING)],
])('a client that sends more frames than it may is closed with 1008, and counted: %s', async ([, first, frame]) => {
  const [closed, memory] = [await flooding(), await peakMemory(gateway)];
  const flood = Buffer.concat([first, Buffer.alloc(200_000 * frame.length, frame)]);
  const sockets = Array.from({ length: 10 }, () => new RawWebSocket(gateway.port, '/v1/ws?channel=flood', flood));
  await bystanders.areServed();
  for (const socket of sockets) {
    expect(await socket.closeFrame()).toEqual({ code: 1008, reason: 'flooding' });
    expect(socket.frames.length).toBeLessThanOrEqual(2 + 2 * BURST + 1);
  }
  for (const socket of sockets) await socket.end();
  expect((await flooding()) - closed).toBe(sockets.length);
  // Of the ten times 1.2 to 4.2 MB, nothing need be kept; two million frames would be hundreds of MiB.
  expect((await peakMemory(gateway)) - memory).toBeLessThan(GARBAGE + 48 * MiB);
});

test.for([true, false])(
  'a long message counts for each KiB of it, as it is read (compressed: %s)',
  async (perMessageDeflate) => {
    const closed = await flooding();
    const client = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/ws`, { perMessageDeflate });
    const long = JSON.stringify({ type: 'ping', x: Array.from({ length: 32_000 }, () => 0) });
    client.on('open', () => {
      for (let i = 0; i < 10; i++) client.send(long, { compress: perMessageDeflate });
    });
    const [code] = (await once(client, 'close')) as [number];
    expect(code).toBe(1008);
    await until(async () => (await flooding()) === closed + 1, 'the count');
  },
);

test('a client that sends as many frames at once as it may is left alone', async () => {
  const before = await flooding();
  const all = Array.from({ length: BURST - 1 }, (_, i) => clientFrame(PING, String(i)));
  const socket = await new RawWebSocket(gateway.port, '/v1/ws?channel=burst').hears('"subscribed"');
  await (socket as RawWebSocket).send(Buffer.concat(all)).hears(`"subscribed"`);
  const pongs = await (socket as RawWebSocket).hear(PONG, all.length);
  expect(pongs.map(({ payload }) => Number(payload))).toEqual(all.map((_, i) => i));
  await publish(gateway.url, 'burst', 'still there');
  await socket.hears('still there');
  expect(await flooding()).toBe(before);
  socket.close();
});

test('what a client sends on an event stream is dropped, however much, and the stream goes on', async () => {
  const reader = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=junk')).hears('\n\n');
  const before = await peakMemory(gateway);
  const junk = Buffer.alloc(MiB, 'GET /v1/sse?channel=junk HTTP/1.1\r\nHost: localhost\r\n\r\n');
  for (let i = 0; i < 256; i++) await new Promise((sent) => reader.socket.write(junk, sent));
  await bystanders.areServed();
  await publish(gateway.url, 'junk', 'still there');
  await reader.hears('data: "still there"\n\n');
  expect(reader.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect((await peakMemory(gateway)) - before).toBeLessThan(GARBAGE + 64 * MiB);
  await until(async () => (await metric(gateway, 'fanfare_connections', 'transport="sse"')) === 2, 'no other stream');
  reader.close();
});
