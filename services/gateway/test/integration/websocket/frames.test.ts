import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { clientFrame, RawWebSocket } from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';

const TEXT = 0x1;
const BINARY = 0x2;
const CONTINUATION = 0x0;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

const closing = (code: number, reason = ''): Buffer => {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code);
  return payload;
};

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

const open = (path?: string, first?: Buffer): Promise<RawWebSocket> =>
  new RawWebSocket(gateway.port, path, first).hears('"heartbeatSeconds"') as Promise<RawWebSocket>;

const textsOf = (socket: RawWebSocket): string[] =>
  socket.frames.filter(({ opcode }) => opcode === TEXT).map(({ payload }) => payload.toString());

test('the handshake is answered to the letter (RFC 6455, 1.3)', async () => {
  const socket = await open();
  expect(socket.text.split('\r\n\r\n')[0]?.split('\r\n')).toEqual([
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  ]);
  socket.close();
});

test('frames that come together with the handshake are not lost', async () => {
  const socket = await open('/v1/ws', clientFrame(TEXT, '{"type":"ping","ref":"early"}'));
  await socket.hears('"ref":"early"');
  socket.close();
});

test('a message may come in one-byte fragments in one-byte packets, with pings in between', async () => {
  const socket = await open();
  const bytes = Buffer.from('{"type":"ping","ref":"é🎺"}');
  for (const [i, byte] of bytes.entries()) {
    const fin = i === bytes.length - 1;
    socket.send(clientFrame(i === 0 ? TEXT : CONTINUATION, Buffer.from([byte]), { fin }));
    if (i === 20) for (const one of clientFrame(PING, 'between')) socket.send(Buffer.from([one]));
  }
  await socket.hears('"ref":"é🎺"');
  expect(socket.frames.find(({ opcode }) => opcode === PONG)?.payload.toString()).toBe('between');
  socket.close();
});

test('what the node sends is whole frames that are not masked, with lengths in their shortest form', async () => {
  const socket = await open('/v1/ws?channel=lengths');
  for (const size of [1, 40, 41, 42, 43, 44, 45, 46, 47, 200, 60_000, 65_500])
    await publish(gateway.url, 'lengths', 'x'.repeat(size));
  await until(() => textsOf(socket).length === 1 + 1 + 12, 'all messages');
  for (const { fin, opcode } of socket.frames) expect([fin, opcode]).toEqual([true, TEXT]);
  for (const text of textsOf(socket)) expect(() => JSON.parse(text)).not.toThrow();
  socket.close();
});

test.for<[string, Buffer]>([
  ['a frame that is not masked', clientFrame(TEXT, '{"type":"ping"}', { masked: false })],
  ['reserved bit 1', clientFrame(TEXT, '{"type":"ping"}', { reserved: 0x40 })],
  ['reserved bit 3', clientFrame(TEXT, '{"type":"ping"}', { reserved: 0x10 })],
  ['a reserved opcode', clientFrame(0x3, 'x')],
  ['a reserved control opcode', clientFrame(0xb, '')],
  ['a fragmented ping', clientFrame(PING, 'x', { fin: false })],
  ['a ping of 126 bytes', clientFrame(PING, 'x'.repeat(126))],
  ['a continuation of nothing', clientFrame(CONTINUATION, 'x')],
  ['a message inside of another', Buffer.concat([clientFrame(TEXT, 'a', { fin: false }), clientFrame(TEXT, 'b')])],
  ['half a close code', clientFrame(CLOSE, 'x')],
  ['the close code 1005', clientFrame(CLOSE, closing(1005))],
  ['the close code 999', clientFrame(CLOSE, closing(999))],
  ['the close code 2000', clientFrame(CLOSE, closing(2000))],
  ['a length that is not in its shortest form', Buffer.from([0x81, 0xfe, 0x00, 0x01, 0, 0, 0, 0, 0x78])],
])('a client that breaks the protocol is closed with 1002: %s', async ([, bytes]) => {
  const count = () => metric(gateway, 'fanfare_connections_closed_total', 'reason="protocol_error"');
  const before = await count();
  const socket = (await open()).send(bytes).send(clientFrame(TEXT, '{"type":"ping","ref":"after"}'));
  expect((await socket.closeFrame()).code).toBe(1002);
  await socket.end();
  expect(socket.text).not.toContain('"ref":"after"');
  expect((await count()) - before).toBe(1);
});

test('a binary frame is closed with 1003', async () => {
  const socket = (await open()).send(clientFrame(BINARY, '{"type":"ping"}'));
  expect(await socket.closeFrame()).toEqual({ code: 1003, reason: 'unsupported_data' });
  socket.send(clientFrame(CLOSE, closing(1003)));
  await socket.end();
});

test.for<[string, Buffer]>([
  ['in one frame', clientFrame(TEXT, Buffer.from([0x22, 0xff, 0x22]))],
  ['an encoded surrogate', clientFrame(TEXT, Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))],
  [
    'over two frames, before the end of the message',
    Buffer.concat([
      clientFrame(TEXT, Buffer.from([0xe2]), { fin: false }),
      clientFrame(CONTINUATION, 'x', { fin: false }),
    ]),
  ],
  ['a character cut off at the end', clientFrame(TEXT, Buffer.from([0xe2, 0x82]))],
  ['a close reason', clientFrame(CLOSE, Buffer.concat([closing(1000), Buffer.from([0xff])]))],
])('text that is not UTF-8 is closed with 1007: %s', async ([, bytes]) => {
  const socket = (await open()).send(bytes);
  expect((await socket.closeFrame()).code).toBe(1007);
  await socket.end();
});

test('a message over the limit is closed with 1009, as soon as its head announces it', async () => {
  const announced = Buffer.alloc(10);
  announced[0] = 0x81;
  announced[1] = 0xff;
  announced.writeBigUInt64BE(2n ** 40n, 2);
  const part = clientFrame(TEXT, 'x'.repeat(60_000), { fin: false });
  const rest = clientFrame(CONTINUATION, 'x'.repeat(20_000));
  for (const bytes of [announced, clientFrame(TEXT, 'x'.repeat(80_000)), Buffer.concat([part, rest])]) {
    const socket = (await open()).send(bytes);
    expect((await socket.closeFrame()).code).toBe(1009);
    await socket.end();
  }
});

test('a ping is answered with its payload, empty or full', async () => {
  const socket = await open();
  for (const payload of ['', 'x'.repeat(125), '\u0000ÿ']) socket.send(clientFrame(PING, payload));
  await until(() => socket.frames.filter(({ opcode }) => opcode === PONG).length === 3, 'three pongs');
  const pongs = socket.frames.filter(({ opcode }) => opcode === PONG).map(({ payload }) => payload.toString());
  expect(pongs).toEqual(['', 'x'.repeat(125), '\u0000ÿ']);
  socket.close();
});

test('a pong that nobody asked for is taken', async () => {
  const socket = (await open()).send(clientFrame(PONG, 'x')).send(clientFrame(TEXT, '{"type":"ping","ref":1}'));
  await socket.hears('"ref":1');
  socket.close();
});

test.for<[string, Buffer, number]>([
  ['1000', closing(1000), 1000],
  ['with a reason', closing(1001, 'leaving'), 1001],
  ['a private code', closing(4999), 4999],
  ['without a code', Buffer.alloc(0), 1005],
])('a close is answered with the same code, and the connection ends: %s', async ([, payload, code]) => {
  const count = () => metric(gateway, 'fanfare_connections_closed_total', 'reason="client_closed"');
  const before = await count();
  const socket = (await open('/v1/ws?channel=closing')).send(clientFrame(CLOSE, payload));
  expect((await socket.closeFrame()).code).toBe(code);
  await socket.end();
  expect(socket.frames.filter(({ opcode }) => opcode === CLOSE)).toHaveLength(1);
  expect((await count()) - before).toBe(1);
});

test('nothing is delivered after a close, and what the client still says is not obeyed', async () => {
  const socket = (await open('/v1/ws?channel=done')).send(
    Buffer.concat([
      clientFrame(CLOSE, closing(1000)),
      clientFrame(TEXT, '{"type":"publish","channel":"done","data":"late"}'),
    ]),
  );
  await socket.end();
  expect(socket.frames.at(-1)?.opcode).toBe(CLOSE);
  const { messages } = (await (await fetch(`${gateway.url}/v1/channels/done/messages`)).json()) as {
    messages: object[];
  };
  expect(messages).toEqual([]);
});

test('a client that vanishes without a word is gone', async () => {
  const count = () => metric(gateway, 'fanfare_connections', 'transport="websocket"');
  const before = await count();
  const socket = await open('/v1/ws?channel=gone');
  expect(await count()).toBe(before + 1);
  socket.socket.resetAndDestroy();
  await until(async () => (await count()) === before, 'the connection to be gone');
});
