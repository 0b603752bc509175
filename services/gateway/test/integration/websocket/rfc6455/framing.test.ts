import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import { publish } from '../../../support/publish.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientFrame,
  closePayload,
  type Frame,
  PING,
  PONG,
  RawWebSocket,
  RSV1,
  RSV2,
  RSV3,
  TEXT,
} from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

/** Where a length needs one byte more, and around it. */
const LENGTHS = [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537];
const CONTROL_OPCODES = [CLOSE, PING, PONG];

const echo = new Echo();

let gateway: Gateway;
/** A node that pings at once. */
let restless: Gateway;
/** Frames of every kind that a server sends: echoes of every length, a node's messages, pings, pongs and closes. */
let sent: Frame[];

beforeAll(async () => {
  [gateway, restless] = await Promise.all([startGateway(), startGateway({ FANFARE_HEARTBEAT_INTERVAL: '0.2' })]);
  const echoed = await echo.open();
  for (const length of LENGTHS)
    echoed.send(clientFrame(TEXT, 'x'.repeat(length))).send(clientFrame(BINARY, Buffer.alloc(length)));
  await echoed.hear(BINARY, LENGTHS.length);
  const told = new RawWebSocket(gateway.port, '/v1/ws?channel=a');
  await told.hears('"subscribed"');
  for (const length of LENGTHS.slice(0, -3)) await publish(gateway.url, 'a', 'x'.repeat(length));
  await told.hear(TEXT, 2 + LENGTHS.length - 3);
  const pinged = new RawWebSocket(restless.port);
  await pinged.hear(PING);
  for (const socket of [echoed, told]) {
    for (const length of [0, 1, 125]) socket.send(clientFrame(PING, 'x'.repeat(length)));
    socket.send(clientFrame(CLOSE, closePayload(4999, 'x'.repeat(123))));
    await socket.end();
  }
  const failed = await echo.ending(clientFrame(TEXT, '', { masked: false }));
  sent = [...echoed.frames, ...told.frames, ...pinged.frames, ...failed.frames];
  pinged.close();
});
afterAll(() => Promise.all([gateway?.kill(), restless?.kill()]));

test('5.1: a server masks no frame that it sends', () => {
  expect(new Set(sent.map(({ opcode }) => opcode))).toEqual(new Set([TEXT, BINARY, CLOSE, PING, PONG]));
  expect(sent.filter(({ masked }) => masked)).toEqual([]);
});

test('5.2: a server sets no reserved bit that no extension defines', () => {
  expect(sent.filter(({ reserved }) => reserved !== 0)).toEqual([]);
});

test('5.2: a reserved bit that no extension defines fails the connection', async () => {
  for (const reserved of [RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3])
    for (const opcode of [TEXT, BINARY, CLOSE, PING, PONG])
      await echo.fails(1002, `${reserved} of opcode ${opcode}`, clientFrame(opcode, '', { reserved }));
  const fragment = [clientFrame(TEXT, 'a', { fin: false }), clientFrame(CONTINUATION, 'b', { reserved: RSV2 })];
  await echo.fails(1002, 'of a continuation', fragment);
});

test('5.2: an opcode that is not defined fails the connection', async () => {
  for (const opcode of [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf]) {
    await echo.fails(1002, `opcode ${opcode}`, clientFrame(opcode));
    await echo.fails(1002, `opcode ${opcode} with a payload`, clientFrame(opcode, 'x'));
    const inside = [clientFrame(TEXT, 'a', { fin: false }), clientFrame(opcode), clientFrame(CONTINUATION, 'b')];
    await echo.fails(1002, `opcode ${opcode} inside a message`, inside);
  }
});

test('5.2: a 64-bit length with its topmost bit set fails the connection', async () => {
  for (const opcode of [TEXT, BINARY])
    for (const length of [1n << 63n, (1n << 63n) | 5n, (1n << 64n) - 1n]) {
      const frame = clientFrame(opcode, 'x', { lengthBits: 64 });
      frame.writeBigUInt64BE(length, 2);
      await echo.fails(1002, `a length of ${length}`, frame);
    }
});

test('5.2: a length that is not in the least number of bytes fails the connection', async () => {
  for (const [length, lengthBits] of [
    [0, 16],
    [1, 16],
    [125, 16],
    [0, 64],
    [125, 64],
    [126, 64],
    [65_535, 64],
  ] as const)
    for (const opcode of [TEXT, BINARY])
      await echo.fails(
        1002,
        `${length} in ${lengthBits} bits`,
        clientFrame(opcode, 'x'.repeat(length), { lengthBits }),
      );
});

test('5.2: a server writes a length in the least number of bytes, in network byte order', () => {
  for (const length of LENGTHS) {
    const shortest = length < 126 ? 1 : length < 65_536 ? 3 : 9;
    for (const opcode of [TEXT, BINARY]) {
      const frames = sent.filter((frame) => frame.opcode === opcode && frame.payload.length === length);
      expect(frames.length, `${length} bytes`).toBeGreaterThan(0);
      for (const { lengthBytes } of frames) expect(lengthBytes, `${length} bytes`).toBe(shortest);
    }
  }
});

test('5.2: a length is read in network byte order, in each of its forms', async () => {
  const socket = await echo.open();
  for (const length of LENGTHS) socket.send(clientFrame(BINARY, Buffer.alloc(length, length)));
  const echoes = await socket.hear(BINARY, LENGTHS.length);
  expect(echoes.map(({ payload }) => payload.length)).toEqual(LENGTHS);
  socket.close();
});

test('5.5: the control frames of a server are whole and have at most 125 bytes', () => {
  const control = sent.filter(({ opcode }) => CONTROL_OPCODES.includes(opcode));
  expect(new Set(control.map(({ opcode }) => opcode))).toEqual(new Set(CONTROL_OPCODES));
  expect(control.filter(({ fin, payload }) => !fin || payload.length > 125)).toEqual([]);
});

test('5.7: the frames of the examples are read, and written, byte for byte', async () => {
  const hello = Buffer.from('818537fa213d7f9f4d5158', 'hex');
  const ping = Buffer.from('898537fa213d7f9f4d5158', 'hex');
  const socket = await echo.open();
  const start = socket.bytes.length;
  socket.send(hello).send(ping);
  await socket.hear(PONG);
  expect(socket.bytes.subarray(start).toString('hex')).toBe('810548656c6c6f' + '8a0548656c6c6f');
  const kilobytes = randomBytes(65_536);
  const binary = start + 14;
  socket.send(clientFrame(BINARY, kilobytes.subarray(0, 256))).send(clientFrame(BINARY, kilobytes));
  await socket.hear(BINARY, 2);
  expect(socket.bytes.subarray(binary, binary + 4).toString('hex')).toBe('827e0100');
  expect(socket.bytes.subarray(binary + 4 + 256, binary + 4 + 256 + 10).toString('hex')).toBe('827f0000000000010000');
  socket.close();
});

test('6.1: the frames of a message say whether it is text or binary, and the last one has FIN', () => {
  const data = sent.filter(({ opcode }) => !CONTROL_OPCODES.includes(opcode));
  expect(data.filter(({ opcode }) => opcode === TEXT).length).toBeGreaterThan(LENGTHS.length);
  for (const [i, frame] of data.entries()) {
    expect(frame.opcode === CONTINUATION).toBe(i > 0 && data[i - 1]?.fin === false);
    expect([CONTINUATION, TEXT, BINARY]).toContain(frame.opcode);
  }
  expect(data.at(-1)?.fin).toBe(true);
});

test('6.1: what is to be sent is sent, and comes whole', async () => {
  const text = 'Größe 🎺 '.repeat(1000);
  const binary = randomBytes(70_000);
  const socket = (await echo.open()).send(clientFrame(TEXT, text)).send(clientFrame(BINARY, binary));
  await socket.hear(BINARY);
  expect(socket.frames.map(({ opcode, payload }) => [opcode, payload])).toEqual([
    [TEXT, Buffer.from(text)],
    [BINARY, binary],
  ]);
  socket.close();
});
