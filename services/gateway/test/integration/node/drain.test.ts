import { connect } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { encodeClose } from '../../../src/wire/websocket/frame.ts';
import { exitOf, hurry } from '../../support/drain.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { freePort } from '../../support/redis-local.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

const nodes: Gateway[] = [];
afterAll(async () => {
  for (const gateway of nodes) await gateway.kill();
});

async function start(env: Record<string, string>, state: 'ready' | 'listening' = 'ready'): Promise<Gateway> {
  const gateway = await startGateway(env, state);
  nodes.push(gateway);
  return gateway;
}

const readiness = async (gateway: Gateway): Promise<string> => (await fetch(`${gateway.adminUrl}/readyz`)).text();

/** What the operating system says to a new connection. */
const connecting = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve('connected');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });

test.concurrent('everyone is told to come back, a few at a time, and then the node ends', async () => {
  // As long as a busy machine takes to ask what is asked meanwhile, and to see some of the steps.
  const gateway = await start({ FANFARE_DRAIN_SECONDS: '6' });
  const sse = await Promise.all(
    Array.from({ length: 15 }, () => new SseClient(`${gateway.url}/v1/sse?channel=a`).open()),
  );
  const websockets = await Promise.all(
    Array.from({ length: 15 }, () => new WebSocketClient(`${gateway.url}/v1/ws?channel=a`).open()),
  );
  const gone = (): number =>
    sse.filter(({ ended }) => ended).length + websockets.filter(({ closeCode }) => closeCode !== undefined).length;
  const steps = new Set<number>();
  const everyone = until(() => {
    steps.add(gone());
    return gone() === 30;
  }, 'everyone to be gone');
  gateway.process.kill('SIGTERM');
  await until(async () => (await readiness(gateway)) === 'draining\n', 'the node to be draining');
  expect(await connecting(gateway.port)).toBe('ECONNREFUSED');
  expect((await fetch(`${gateway.adminUrl}/healthz`)).status).toBe(200);

  await everyone;
  expect(steps.size).toBeGreaterThan(5);
  for (const client of sse)
    expect(client.text.endsWith('event: fanfare:bye\ndata: {"reason":"draining"}\n\n')).toBe(true);
  for (const { closeCode, closeReason } of websockets) expect([closeCode, closeReason]).toEqual([1012, 'draining']);
  expect(await exitOf(gateway)).toBe(0);
  expect(gateway.logs.map(({ msg }) => msg)).toContain('stopped');
});

test.concurrent('who has not been told yet is served as ever', async () => {
  const gateway = await start({ FANFARE_DRAIN_SECONDS: '60' });
  const clients = await Promise.all(
    Array.from({ length: 4 }, () => new WebSocketClient(`${gateway.url}/v1/ws?channel=a`).open()),
  );
  gateway.process.kill('SIGTERM');
  await until(() => clients.some(({ closeCode }) => closeCode !== undefined), 'the first one to be told');
  const [one, other] = clients.filter(({ closeCode }) => closeCode === undefined);
  const published = await one?.ask({ type: 'publish', channel: 'a', data: 'still served' });
  expect(published?.type).toBe('published');
  await until(() => other?.of('message')[0]?.id === published?.id, 'the message');
});

test.concurrent('connections that were there before are answered, told to close, and given no stream', async () => {
  const gateway = await start({ FANFARE_DRAIN_SECONDS: '60' });
  const stream = await Promise.all([0, 1, 2].map(() => new SseClient(`${gateway.url}/v1/sse?channel=a`).open()));
  const ask = head('GET /v1/openapi.json');
  const kept = await Promise.all([0, 1, 2, 3].map(() => new RawSocket(gateway.port).send(ask).hears('"openapi"')));
  await until(() => kept.every(({ text }) => text.endsWith('}')), 'all answers');
  gateway.process.kill('SIGTERM');
  await until(() => stream.some(({ ended }) => ended), 'the drain to begin');
  const [publishing, streaming, socket, sitting] = kept as [RawSocket, RawSocket, RawSocket, RawSocket];

  const body = '{"data":1}';
  const headers = { 'Content-Type': 'application/json', 'Content-Length': String(body.length) };
  await publishing.send(head('POST /v1/channels/a/messages', headers) + body).end();
  expect(publishing.text).toMatch(/HTTP\/1\.1 201 [\s\S]*connection: close/i);
  await streaming.send(head('GET /v1/sse?channel=a')).end();
  expect(streaming.text).toMatch(
    /HTTP\/1\.1 200 [\s\S]*retry: \d{4,5}\n\nevent: fanfare:bye\ndata: \{"reason":"draining"\}\n\n/,
  );
  await socket.send(head('GET /v1/ws', WEBSOCKET_HEADERS)).end();
  expect(socket.text).toMatch(/HTTP\/1\.1 101 [\s\S]*"code":"draining"/i);
  expect(socket.bytes.includes(encodeClose(1012, 'draining'))).toBe(true);

  await hurry(gateway, 'SIGTERM', () => stream.every(({ ended }) => ended));
  expect(await exitOf(gateway)).toBe(0);
  await sitting.end();
});

test.concurrent('a second signal tells everyone at once', async () => {
  const gateway = await start({ FANFARE_DRAIN_SECONDS: '600' });
  const clients = await Promise.all(
    Array.from({ length: 10 }, () => new WebSocketClient(`${gateway.url}/v1/ws?channel=a`).open()),
  );
  gateway.process.kill('SIGTERM');
  await until(() => clients.some(({ closeCode }) => closeCode !== undefined), 'the first one to be told');
  expect(clients.filter(({ closeCode }) => closeCode !== undefined).length).toBeLessThan(10);
  await hurry(gateway, 'SIGINT', () => clients.every(({ closeCode }) => closeCode === 1012));
  expect(await exitOf(gateway)).toBe(0);
});

test.concurrent('a node with nobody on it ends at once, also while it is still starting, on SIGTERM or SIGINT', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const gateway = await start({ FANFARE_DRAIN_SECONDS: '600' });
    gateway.process.kill(signal);
    expect(await exitOf(gateway)).toBe(0);
  }
  const starting = await start(
    { FANFARE_DRAIN_SECONDS: '600', REDIS_URL: `redis://127.0.0.1:${await freePort()}` },
    'listening',
  );
  expect(await readiness(starting)).toMatch(/^starting: .+\n$/);
  starting.process.kill('SIGTERM');
  expect(await exitOf(starting)).toBe(0);
  expect(starting.logs.map(({ msg }) => msg)).not.toContain('ready');
});

test.concurrent('clients that do not answer the close, and readers that take nothing, do not hold the node', async () => {
  const gateway = await start({ FANFARE_DRAIN_SECONDS: '0' });
  const mute = await new RawWebSocket(gateway.port, '/v1/ws').hears('"welcome"');
  const reader = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=a')).hears('\n\n');
  reader.socket.pause();
  gateway.process.kill('SIGTERM');
  expect(await exitOf(gateway)).toBe(0);
  await mute.end();
  reader.close();
});

test.concurrent('peers that will not leave do not keep the node', async () => {
  const gateway = await start({ FANFARE_DRAIN_SECONDS: '0' });
  const websocket = new RawSocket(gateway.port).send(head('GET /v1/ws', WEBSOCKET_HEADERS));
  const stream = new RawSocket(gateway.port).send(head('GET /v1/sse?channel=a'));
  await websocket.hears('welcome');
  await stream.hears('retry');
  // Neither closes its side, and both go on talking.
  const chatter = setInterval(() => {
    websocket.send('\x8a\x80\0\0\0\0');
    stream.send('x');
  }, 200);
  try {
    gateway.process.kill('SIGTERM');
    expect(await exitOf(gateway)).toBe(0);
  } finally {
    clearInterval(chatter);
    websocket.close();
    stream.close();
  }
});
