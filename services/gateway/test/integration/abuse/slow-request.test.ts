import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { until } from '../../support/until.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
/** Far more than any of this takes; what is waited for here is that a node gives up. */
const PATIENCE_SECONDS = 50;

const end = (sockets: readonly RawSocket[], what: string): Promise<void> =>
  until(() => sockets.every(({ ended }) => ended), `${what} to be closed`, PATIENCE_SECONDS);

let gateway: Gateway;
let bystanders: Bystanders;
beforeAll(async () => {
  gateway = await startGateway({ FANFARE_HANDSHAKE_TIMEOUT: '1' });
  bystanders = await Bystanders.watch(gateway);
});
afterAll(async () => {
  await bystanders?.leave();
  await gateway?.kill();
});

/** Sends `start` at once, and `byte` again and again for as long as the node listens. */
function drip(start: string, byte: string): { socket: RawSocket; stop: () => void } {
  const socket = new RawSocket(gateway.port).send(start);
  const timer = setInterval(() => socket.send(byte), 50);
  return { socket, stop: () => clearInterval(timer) };
}

const expectTimeout = ({ text }: RawSocket): void => {
  expect(text).toMatch(/^HTTP\/1\.1 408 [\s\S]*connection: close[\s\S]*"code":"request_timeout"/);
  expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
};

test.concurrent.for<[string, string]>([
  ['says nothing', ''],
  ['has one byte', 'G'],
  ['stops in its first line', 'GET /v1/sse?chan'],
  ['stops between two header lines', 'GET /v1/sse?channel=a HTTP/1.1\r\nHost: localhost\r\n'],
  ['stops in a header', 'GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Key: dGhl'],
  ['stops before the last line feed', head('GET /v1/ws', WEBSOCKET_HEADERS).slice(0, -1)],
])('a slow request is answered with 408 and closed: a head that %s', async ([, bytes]) => {
  const socket = new RawSocket(gateway.port).send(bytes);
  await end([socket], 'the connection');
  expectTimeout(socket);
});

test.concurrent.for<[string, string]>([
  ['in its target', 'GET /v1/sse?channel='],
  ['in its headers', 'GET /v1/sse?channel=a HTTP/1.1\r\nX-Long: '],
  ['in its headers, of a WebSocket', `${head('GET /v1/ws', WEBSOCKET_HEADERS).slice(0, -2)}X-Long: `],
])('a slow request is answered with 408 and closed: a head that drips %s', async ([, start]) => {
  const { socket, stop } = drip(start, 'a');
  try {
    await end([socket], 'the connection');
    expectTimeout(socket);
  } finally {
    stop();
  }
});

test.concurrent('a slow request is closed also behind one that came in time', async () => {
  const socket = await new RawSocket(gateway.port).send(head('GET /v1/openapi.json')).hears('"openapi"');
  const { length } = socket.text;
  socket.send('GET /v1/openapi.json HTTP/1.1\r\nHos');
  await end([socket], 'the connection');
  expect(socket.text.slice(length)).toContain('408');
});

test.concurrent.for<[string, string, string]>([
  ['that stops', 'POST /v1/channels/slow/messages', ''],
  ['that drips', 'POST /v1/channels/slow/messages', ' '],
  ['of a batch that drips', 'POST /v1/messages', ' '],
])('a slow request is answered with 408 and closed: a body %s, of a length or in chunks', async ([, line, byte]) => {
  const starts = [
    `${head(line, { ...JSON_TYPE, 'Content-Length': '10000' })}{"data":`,
    `${head(line, { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' })}2710\r\n{"data":`,
  ];
  const dripping = starts.map((start) => drip(start, byte));
  const sockets = dripping.map(({ socket }) => socket);
  try {
    await end(sockets, 'both connections');
    for (const socket of sockets) expectTimeout(socket);
  } finally {
    for (const { stop } of dripping) stop();
  }
});
