import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import { head, RawSocket, readAnswer, WEBSOCKET_HEADERS } from '../../../support/raw-socket.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientFragments,
  clientFrame,
  PING,
  PONG,
  TEXT,
} from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const MAX_BYTES = 10_000;

const echo = new Echo({ maxBytes: MAX_BYTES });

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ FANFARE_ALLOWED_ORIGINS: 'https://friend.example' });
});
afterAll(() => gateway?.kill());

/** The head of a frame whose payload never comes. */
function announcing(opcode: number, bytes: bigint, fin = true): Buffer {
  const frame = clientFrame(opcode, '', { lengthBits: 64, fin });
  frame.writeBigUInt64BE(bytes, 2);
  return frame;
}

test('10.2: a page of an origin that is not expected is refused with 403, and one that is, is taken', async () => {
  const status = async (origin: string | readonly string[]): Promise<number> => {
    const request = head('GET /v1/ws', { ...WEBSOCKET_HEADERS, Origin: origin });
    const socket = await new RawSocket(gateway.port).send(request).hears('\r\n\r\n');
    socket.close();
    return readAnswer(socket.text).status;
  };
  for (const origin of [
    'https://enemy.example',
    'http://friend.example',
    'https://friend.example.enemy.example',
    'null',
  ])
    expect(await status(origin), origin).toBe(403);
  for (const origin of ['https://friend.example', 'HTTPS://FRIEND.EXAMPLE', 'http://localhost', []])
    expect(await status(origin), String(origin)).toBe(101);
});

test('10.4: a frame over the limit fails the connection as soon as its head has come', async () => {
  for (const opcode of [TEXT, BINARY])
    for (const bytes of [BigInt(2 ** 20), 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 60n, 2n ** 63n - 1n]) {
      const socket = await echo.open({}, announcing(opcode, bytes));
      expect((await socket.closeFrame()).code, `${bytes} bytes`).toBe(1009);
      await socket.end();
    }
});

test('10.4: a message over the limit fails the connection, however small its fragments are', async () => {
  for (const size of [10, 999, 5000, MAX_BYTES]) {
    const pieces = Array.from({ length: MAX_BYTES / size + 1 }, () => Buffer.alloc(size));
    await echo.fails(1009, `fragments of ${size} bytes`, clientFragments(BINARY, pieces));
  }
  const begun = clientFrame(BINARY, Buffer.alloc(MAX_BYTES), { fin: false });
  await echo.fails(1009, 'the last byte is too many', [begun, clientFrame(CONTINUATION, 'x')]);
  const socket = await echo.open({}, Buffer.concat([begun, announcing(CONTINUATION, 2n ** 60n, false)]));
  expect((await socket.closeFrame()).code).toBe(1009);
  await socket.end();
});

test('10.4: a message at the limit is received', async () => {
  const socket = await echo.open();
  const most = Buffer.alloc(MAX_BYTES, 'x');
  socket.send(clientFrame(TEXT, most)).send(Buffer.concat(clientFragments(TEXT, [most, '', ''])));
  const byTens = Array.from({ length: MAX_BYTES / 10 }, (_, i) => most.subarray(10 * i, 10 * (i + 1)));
  socket.send(Buffer.concat(clientFragments(TEXT, byTens)));
  for (const { payload } of await socket.hear(TEXT, 3)) expect(payload).toEqual(most);
  socket.close();
});

test('10.7: what comes in is checked to its end: bytes that are no frames fail the connection', async () => {
  for (const [what, bytes] of [
    ['a request', Buffer.from(head('GET /', WEBSOCKET_HEADERS))],
    ['zeros', Buffer.alloc(100)],
    ['ones', Buffer.alloc(100, 0xff)],
    ['text', Buffer.from('hello, is anyone there?')],
    ['a TLS hello', Buffer.from('16030102000100', 'hex')],
  ] as const) {
    const socket = await echo.open();
    socket.send(clientFrame(TEXT, 'good')).send(bytes);
    expect((await socket.closeFrame()).code, what).toBe(1002);
    await socket.end();
    expect(
      socket.frames.map(({ opcode }) => opcode),
      what,
    ).toEqual([TEXT, CLOSE]);
  }
});

test('10.7: bytes that are no handshake are answered with an HTTP error code', async () => {
  for (const bytes of ['hello\r\n\r\n', '\x81\x85....', '\0\0\0\0', 'GET\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00']) {
    const socket = await new RawSocket(gateway.port).send(bytes).end();
    expect(readAnswer(socket.text).status, JSON.stringify(bytes)).toBe(400);
  }
});

test('10.7: a connection that is failed does not disturb another', async () => {
  const other = await echo.open({}, clientFrame(TEXT, 'begun ', { fin: false }));
  await echo.fails(1002, 'a bad one', clientFrame(0x3));
  await echo.fails(1009, 'a large one', clientFrame(TEXT, Buffer.alloc(MAX_BYTES + 1)));
  other.send(clientFrame(PING, 'a')).send(clientFrame(CONTINUATION, 'and ended'));
  expect(String((await other.hear(TEXT))[0]?.payload)).toBe('begun and ended');
  expect(String((await other.hear(PONG))[0]?.payload)).toBe('a');
  other.close();
});
