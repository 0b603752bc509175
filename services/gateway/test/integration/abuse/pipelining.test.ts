import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';
import { GARBAGE, MiB, peakMemory } from '../../support/memory.ts';
import { publish } from '../../support/publish.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { until } from '../../support/until.ts';

const publishOf = (channel: string, headers: Record<string, string> = {}): string =>
  `${head(`POST /v1/channels/${channel}/messages`, { 'Content-Type': 'application/json', 'Content-Length': '10', ...headers })}{"data":1}`;
const waitFor = (channel: string): string => head(`GET /v1/channels/${channel}/messages?wait=60`);

let gateway: Gateway;
let bystanders: Bystanders;
beforeAll(async () => {
  gateway = await startGateway();
  bystanders = await Bystanders.watch(gateway);
});
afterAll(async () => {
  await bystanders?.leave();
  await gateway?.kill();
});

test.for<[string, string, string]>([
  ['bytes that are no request', publishOf('garbage'), 'GARBAGE\r\n\r\n'],
  [
    'a request behind the one that said it was the last',
    publishOf('garbage', { Connection: 'close' }),
    publishOf('garbage'),
  ],
])('a publish is answered as it went, whatever comes behind it: %s', async ([, first, second]) => {
  const socket = await new RawSocket(gateway.port).send(first + second).end();
  expect(socket.text).toMatch(/^HTTP\/1\.1 201 [\s\S]*connection: close[\s\S]*"channel":"garbage"\}$/i);
});

test('a request that is still waited for is answered as it is, and not with what is wrong behind it', async () => {
  const socket = new RawSocket(gateway.port).send(`${waitFor('patience')}GARBAGE\r\n\r\n`);
  await bystanders.areServed();
  await publish(gateway.url, 'patience', 1);
  await socket.end();
  expect(socket.text).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close[\s\S]*"gap":false\}$/i);
});

test('a hundred requests may wait for their answers', async () => {
  const socket = new RawSocket(gateway.port).send(waitFor('hundred').repeat(100));
  const waiting = (): Promise<number> => metric(gateway, 'fanfare_subscriptions');
  await until(async () => (await waiting()) === 102, 'all to wait');
  await publish(gateway.url, 'hundred', 1);
  await until(() => socket.ended || socket.text.split('"gap":false}').length === 101, 'all answers');
  expect(socket.ended).toBe(false);
  socket.close();
});

test('whoever sends requests without end and takes no answer is cut off', async () => {
  const before = await peakMemory(gateway);
  const requests = waitFor('crowd').repeat(10_000);
  const sockets = Array.from({ length: 10 }, () => new RawSocket(gateway.port).send(requests));
  for (const socket of sockets) await socket.end();
  await bystanders.areServed();
  // Of the 10,000 requests of each, a hundred are carried out.
  expect((await peakMemory(gateway)) - before).toBeLessThan(GARBAGE + 64 * MiB);
  await until(async () => (await metric(gateway, 'fanfare_subscriptions')) === 2, 'nobody to wait any more');
  expect((await exchange(gateway.url, '/v1/channels/crowd/messages')).status).toBe(200);
});

const BAD_EXPECT = head('GET /v1/openapi.json', { Expect: 'x' });
const STREAM = head('GET /v1/sse?channel=expect');
test.for<[string, string]>([
  ['before a stream', BAD_EXPECT + STREAM],
  ['behind a stream', STREAM + BAD_EXPECT],
  ['between two', STREAM + BAD_EXPECT + STREAM],
  ['before a WebSocket', BAD_EXPECT + head('GET /v1/ws', WEBSOCKET_HEADERS)],
])('an Expect that nobody knows is ignored, and ends nothing but its own connection: %s', async ([, requests]) => {
  const sockets = Array.from({ length: 20 }, () => new RawSocket(gateway.port).send(requests));
  await bystanders.areServed();
  expect((await exchange(gateway.url, '/v1/openapi.json', { headers: { Expect: 'x' } })).status).toBe(200);
  for (const socket of sockets) socket.close();
  expect(gateway.process.exitCode).toBeNull();
});

test('a body that breaks off, and a method that nobody knows, are no errors of the node', async () => {
  const post = head('POST /v1/messages', { 'Content-Type': 'application/json', 'Content-Length': '9' });
  const left = new RawSocket(gateway.port).send(`${post}{`);
  await bystanders.areServed();
  left.close();
  await new RawSocket(gateway.port).send('PRI /v1\r\n\r\n').end();
  await bystanders.areServed();
  expect(gateway.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

test('requests behind the last answer are not carried out, and count all the same: too many are cut off', async () => {
  const last = 'GET /v1/openapi.json HTTP/1.1\r\n\r\n';
  const requests = waitFor('behind') + last + head('GET /v1/openapi.json').repeat(1000);
  await new RawSocket(gateway.port).send(requests).end();
  await bystanders.areServed();
});

test('garbage behind an answer that waits for its turn ends the connection when that is out', async () => {
  const requests = `${waitFor('turn')}${head('GET /v1/openapi.json')}GARBAGE\r\n\r\n`;
  const socket = new RawSocket(gateway.port).send(requests);
  await bystanders.areServed();
  await publish(gateway.url, 'turn', 1);
  await socket.end();
  expect(socket.text.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
});
