import { afterEach, expect, test } from 'vitest';
import { maxSockets } from '../../../src/config.ts';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { MiB, peakMemory } from '../../support/memory.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { until } from '../../support/until.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

let gateway: Gateway;
const crowd: RawSocket[] = [];
afterEach(async () => {
  for (const socket of crowd.splice(0)) socket.close();
  await gateway?.kill();
});

const KINDS = [
  '',
  'GET /v1/sse?channel=a HTTP/1.1\r\nHost: ',
  `${head('GET /v1/ws', WEBSOCKET_HEADERS).slice(0, -2)}X-Long: ${'a'.repeat(30_000)}`,
  `${head('POST /v1/messages', { ...JSON_TYPE, 'Content-Length': '4000000' })}{"messages":[`,
];

function crowdOf(count: number): void {
  for (let i = 0; i < count; i++) crowd.push(new RawSocket(gateway.port).send(KINDS[i % KINDS.length] ?? ''));
}

test('a crowd that does not get on with its requests holds up nobody else, and its memory comes to little', async () => {
  gateway = await startGateway({ FANFARE_HANDSHAKE_TIMEOUT: '2' });
  const bystanders = await Bystanders.watch(gateway);
  await bystanders.areServed();
  const before = await peakMemory(gateway);
  crowdOf(800);
  await until(() => crowd.every(({ socket }) => !socket.connecting), 'everyone to be connected');
  await bystanders.areServed();
  const dying = crowd.filter((_, i) => i % KINDS.length !== KINDS.length - 1);
  await until(() => dying.every(({ ended }) => ended), 'those whose heads did not come to be closed');
  for (const { text } of dying) expect(text).toContain('"code":"request_timeout"');
  // 200 heads of 30 KB, and what a socket and a parser take.
  expect((await peakMemory(gateway)) - before).toBeLessThan(64 * MiB);
  expect(await metric(gateway, 'fanfare_connections', '')).toBe(2);
  await bystanders.leave();
});

test('a crowd that takes all sockets keeps new ones out until it is thrown out itself; who was there is served as ever', async () => {
  const maxConnections = 200;
  gateway = await startGateway({
    FANFARE_HANDSHAKE_TIMEOUT: '2',
    FANFARE_MAX_CONNECTIONS: String(maxConnections),
  });
  const bystanders = await Bystanders.watch(gateway);
  const limit = maxSockets(maxConnections);
  crowdOf(2 * limit);
  await until(
    () => crowd.filter(({ ended, text }) => ended && text === '').length >= limit,
    'those over the limit to be dropped without an answer',
  );
  expect(await metric(gateway, 'fanfare_connections_refused_total', 'reason="full"')).toBeGreaterThanOrEqual(limit);
  await bystanders.areServed();
  await until(async () => {
    const late = new RawSocket(gateway.port).send(head('GET /v1/sse?channel=a'));
    await until(() => late.ended || late.text.includes('\n\n'), 'the stream, or its end');
    late.close();
    return late.text.includes(': fanfare\n');
  }, 'room for others again');
  await bystanders.leave();
});
