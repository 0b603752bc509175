import { randomBytes } from 'node:crypto';
import { constants, inflateRawSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { postJson } from '../../support/http-exchange.ts';
import { MiB, peakMemory } from '../../support/memory.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { type Frame, RawWebSocket, RSV1, TEXT } from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

const BACKLOG = 256 * 1024;
const GZIP = { 'Accept-Encoding': 'gzip' };
const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };

let gateway: Gateway;
afterEach(() => gateway?.kill());

/** 60,000 characters of which no more than half can be saved. */
const FILLER = randomBytes(30_000).toString('hex');

/** Publishes `[0, FILLER]`, `[1, FILLER]` and so on, as `data`. */
async function publishMany(channel: string, count: number): Promise<void> {
  for (let next = 0; next < count; next += 20) {
    const messages = Array.from({ length: 20 }, (_, i) => ({ channel, data: [next + i, FILLER] }));
    expect((await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }))).status).toBe(200);
  }
}

const tooSlow = (transport: string): Promise<number> =>
  metric(gateway, 'fanfare_connections_closed_total', `transport="${transport}",reason="too_slow"`);

/** The text of a frame, which may be compressed (RFC 7692, 7.2.2). */
function textOf({ payload, reserved }: Frame): string {
  if (reserved !== RSV1) return payload.toString();
  const stream = Buffer.concat([payload, Buffer.from('0000ffff', 'hex')]);
  return inflateRawSync(stream, { finishFlush: constants.Z_SYNC_FLUSH }).toString();
}

test('a compressed WebSocket whose reader falls behind is closed with 4408, and is resumed with nothing lost', async () => {
  gateway = await startGateway({ FANFARE_MAX_BACKLOG_BYTES: String(BACKLOG) });
  const bystanders = await Bystanders.watch(gateway);
  const slow = new RawWebSocket(gateway.port, '/v1/ws?channel=slow', undefined, DEFLATE);
  await slow.hears('"subscribed"');
  slow.socket.pause();
  // More than the kernel's buffers of a connection on one machine take, compressed.
  const count = 400;
  await publishMany('slow', count);
  await until(async () => (await tooSlow('websocket')) === 1, 'the reader to be found out');
  expect(await metric(gateway, 'fanfare_slow_consumers_total', 'transport="websocket"')).toBe(1);

  slow.socket.resume();
  expect(await slow.closeFrame()).toEqual({ code: 4408, reason: 'too_slow' });
  const messages = slow.frames
    .filter(({ opcode }) => opcode === TEXT)
    .map((frame) => JSON.parse(textOf(frame)) as { type: string; id: string; data: [number] })
    .filter(({ type }) => type === 'message');
  expect(messages.length).toBeLessThan(count);
  const back = await new WebSocketClient(`${gateway.url}/v1/ws?channel=slow&after=${messages.at(-1)?.id}`).open();
  await until(() => back.of('caught-up').length === 1, 'the replay to end');
  expect(back.of('gap')).toEqual([]);
  const numbers = [...messages, ...back.of('message')].map(({ data }) => (data as [number])[0]);
  expect(numbers).toEqual(Array.from({ length: count }, (_, i) => i));
  await bystanders.leave();
  slow.close();
  back.close();
});

test('however much is published, what waits for readers that take nothing is bounded', async () => {
  gateway = await startGateway({
    FANFARE_MAX_BACKLOG_BYTES: String(BACKLOG),
    FANFARE_RECENT_BYTES: String(MiB),
    FANFARE_HISTORY_SIZE: '10',
  });
  // As much as the embedded log itself holds.
  await publishMany('before', 2400);
  const before = await peakMemory(gateway);
  const bystanders = await Bystanders.watch(gateway);
  const readers = [
    new RawSocket(gateway.port).send(head('GET /v1/sse?channel=flood')),
    new RawSocket(gateway.port).send(head('GET /v1/sse?channel=flood', GZIP)),
    new RawWebSocket(gateway.port, '/v1/ws?channel=flood'),
    new RawWebSocket(gateway.port, '/v1/ws?channel=flood', undefined, DEFLATE),
  ];
  for (const reader of readers) {
    await reader.hears('\r\n\r\n');
    reader.socket.pause();
  }
  await publishMany('flood', 2400);
  await until(async () => (await tooSlow('sse')) + (await tooSlow('websocket')) === 4, 'all four to be found out');
  // 140 MiB went by for two of them, and half of that for the two who want it compressed.
  expect((await peakMemory(gateway)) - before).toBeLessThan(96 * MiB);
  await bystanders.leave();
  for (const reader of readers) reader.close();
});
