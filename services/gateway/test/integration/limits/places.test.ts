import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { postJson } from '../../support/http-exchange.ts';
import { MiB } from '../../support/memory.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientFrame,
  closePayload,
  PONG,
  RawWebSocket,
  TEXT,
} from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';

type Transport = 'sse' | 'websocket';

const LIMITS = {
  FANFARE_MAX_CONNECTIONS: '10',
  FANFARE_MAX_CONNECTIONS_PER_IP: '1',
  FANFARE_TRUSTED_PROXIES: '127.0.0.1',
};

/** One way in which a connection ends: who, on what, the reason that is counted, and how it is brought about. */
type Ending = readonly [
  name: string,
  transport: Transport,
  reason: string,
  end: (socket: RawSocket, gateway: Gateway, channel: string) => unknown,
];

/** Reads no more, and has more published than the kernel takes. */
async function takeNothing({ socket }: RawSocket, gateway: Gateway, channel: string): Promise<void> {
  socket.pause();
  const messages = Array.from({ length: 50 }, () => ({ channel, data: 'x'.repeat(60_000) }));
  for (let i = 0; i < 4; i++) await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }));
}

const nothing = (): void => {};
const send =
  (bytes: Buffer): Ending[3] =>
  (socket) =>
    socket.send(bytes);

/** A connection of the client at this address, as soon as it is open; undefined when it is refused. */
async function connect(gateway: Gateway, transport: Transport, address: string): Promise<RawSocket | undefined> {
  const proxied = { 'X-Forwarded-For': address };
  const socket =
    transport === 'sse'
      ? new RawSocket(gateway.port).send(head(`GET /v1/sse?channel=${address}`, proxied))
      : new RawWebSocket(gateway.port, `/v1/ws?channel=${address}`, undefined, proxied);
  const opened = (): boolean => /: fanfare\n|"subscribed"/.test(socket.text);
  await until(
    () => opened() || socket.ended || socket.text.includes('too_many_connections'),
    'a connection, or its end',
  );
  if (opened()) return socket;
  socket.close();
  return undefined;
}

/** A client opens its one connection, is refused another, and may have one again when the first has ended in this way. */
async function placeIsFreed(gateway: Gateway, address: string, [, transport, reason, end]: Ending): Promise<void> {
  const count = (name: string, labels: string): Promise<number> => metric(gateway, name, labels);
  const closed = (): Promise<number> =>
    count('fanfare_connections_closed_total', `transport="${transport}",reason="${reason}"`);
  const before = await closed();
  const first = await connect(gateway, transport, address);
  expect(first).toBeDefined();
  for (const other of ['sse', 'websocket'] as const) expect(await connect(gateway, other, address)).toBeUndefined();
  if (first !== undefined) await end(first, gateway, address);
  await until(async () => (await closed()) === before + 1, `a connection to be closed as ${reason}`);
  const next = await connect(gateway, transport, address);
  expect(next).toBeDefined();
  next?.close();
  first?.close();
  await until(async () => (await count('fanfare_connections', '')) === 0, 'nobody to be connected');
  expect(await count('fanfare_subscriptions', '')).toBe(0);
}

describe.each<[string, Record<string, string>, Ending[]]>([
  [
    'by itself',
    { FANFARE_MAX_CLIENT_RATE: '10', FANFARE_HEARTBEAT_INTERVAL: '60' },
    [
      ['its client closed its side', 'sse', 'client_gone', ({ socket }) => socket.end()],
      ['its client was killed', 'sse', 'client_gone', ({ socket }) => socket.resetAndDestroy()],
      ['its client closed its side', 'websocket', 'client_gone', ({ socket }) => socket.end()],
      ['its client was killed', 'websocket', 'client_gone', ({ socket }) => socket.resetAndDestroy()],
      ['its client said goodbye', 'websocket', 'client_closed', send(clientFrame(CLOSE, closePayload(1000)))],
      ['its client broke the protocol', 'websocket', 'protocol_error', send(clientFrame(CONTINUATION))],
      ['its client sent binary data', 'websocket', 'unsupported_data', send(clientFrame(BINARY))],
      ['its client sent no UTF-8', 'websocket', 'invalid_payload', send(clientFrame(TEXT, Buffer.from([0xff])))],
      ['its client sent too much', 'websocket', 'too_large', send(clientFrame(TEXT, 'x'.repeat(80_000)))],
      ['its client sent too often', 'websocket', 'flooding', send(Buffer.concat(Array(200).fill(clientFrame(PONG))))],
    ],
  ],
  [
    'for its heartbeat',
    {
      FANFARE_HEARTBEAT_INTERVAL: '1',
      FANFARE_HEARTBEAT_TIMEOUT: '0.5',
      FANFARE_MAX_BACKLOG_BYTES: String(64 * MiB),
    },
    [
      ['its client answered no ping', 'websocket', 'missed_pong', nothing],
      ['its client took nothing', 'sse', 'write_stalled', takeNothing],
    ],
  ],
  [
    'for its backlog',
    { FANFARE_MAX_BACKLOG_BYTES: String(64 * 1024), FANFARE_HEARTBEAT_INTERVAL: '60' },
    [
      ['its client was too slow', 'sse', 'too_slow', takeNothing],
      ['its client was too slow', 'websocket', 'too_slow', takeNothing],
    ],
  ],
  [
    'for its age',
    { FANFARE_MAX_CONNECTION_AGE: '1', FANFARE_HEARTBEAT_INTERVAL: '1' },
    [
      ['it was old', 'sse', 'max_age', nothing],
      ['it was old', 'websocket', 'max_age', nothing],
    ],
  ],
])('a connection that ends %s gives its place back', (_, env, endings) => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ ...LIMITS, ...env });
  });
  afterAll(() => gateway?.kill());

  test.for(endings.map((ending, i) => [...ending, i] as const))(
    '%s (%s: %s)',
    async ([name, transport, reason, end, i]) => {
      await placeIsFreed(gateway, `192.0.2.${i}`, [name, transport, reason, end]);
    },
  );
});
