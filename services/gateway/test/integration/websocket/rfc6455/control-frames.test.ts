import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import {
  BINARY,
  CLOSE,
  clientFrame,
  closePayload,
  PING,
  PONG,
  RawWebSocket,
  TEXT,
} from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const echo = new Echo();

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

test('5.5: a control frame of more than 125 bytes fails the connection', async () => {
  for (const opcode of [CLOSE, PING, PONG]) {
    const payload = closePayload(1000, 'x'.repeat(124));
    await echo.fails(1002, `126 bytes of opcode ${opcode}`, clientFrame(opcode, payload));
    await echo.fails(
      1002,
      `5 bytes in 16 bits of opcode ${opcode}`,
      clientFrame(opcode, 'x'.repeat(5), { lengthBits: 16 }),
    );
    await echo.fails(1002, `70,000 bytes of opcode ${opcode}`, clientFrame(opcode, Buffer.alloc(70_000)));
  }
});

test('5.5.2: a ping is answered with a pong', async () => {
  const socket = await echo.open();
  for (let i = 0; i < 50; i++) socket.send(clientFrame(PING, `${i}`));
  const pongs = await socket.hear(PONG, 50);
  expect(pongs.map(({ payload }) => Number(String(payload)))).toEqual(Array.from({ length: 50 }, (_, i) => i));
  socket.close();
});

test('5.5.2: a ping is answered after the close frame of the server too, until that of the client has come', async () => {
  const socket = await new RawWebSocket(gateway.port).hears('"heartbeatSeconds"');
  // A conversation takes no binary frames: the node begins the closing handshake.
  socket.send(clientFrame(BINARY, 'x'));
  expect((await socket.closeFrame()).code).toBe(1003);
  socket.send(clientFrame(PING, 'still there?'));
  const [pong] = await socket.hear(PONG);
  expect(String(pong?.payload)).toBe('still there?');
  socket.send(clientFrame(CLOSE, closePayload(1003)));
  await socket.end();
});

test('5.5.2: a ping behind a close frame is not answered', async () => {
  const { frames } = await echo.ending([clientFrame(CLOSE, closePayload(1000)), clientFrame(PING, 'late')]);
  expect(frames.map(({ opcode }) => opcode)).toEqual([CLOSE]);
});

test('5.5.3: a pong has the payload of its ping', async () => {
  const payloads = [
    Buffer.alloc(0),
    Buffer.from([0]),
    Buffer.from('ping'),
    Buffer.from([0x00, 0xff, 0xfe, 0xc3, 0x28, 0x80]),
    Buffer.alloc(125, 0xa5),
  ];
  const socket = await echo.open({}, Buffer.concat(payloads.map((payload) => clientFrame(PING, payload))));
  expect((await socket.hear(PONG, payloads.length)).map(({ payload }) => payload)).toEqual(payloads);
  // The same when each byte comes by itself.
  socket.socket.setNoDelay(true);
  for (const byte of clientFrame(PING, payloads[3])) {
    socket.send(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  expect((await socket.hear(PONG, payloads.length + 1)).at(-1)?.payload).toEqual(payloads[3]);
  socket.close();
});

test('5.5.3: a pong that nobody asked for is not answered, and harms nothing', async () => {
  const unasked = [clientFrame(PONG), clientFrame(PONG, 'x'), clientFrame(PONG, Buffer.alloc(125))];
  const socket = await echo.open({}, Buffer.concat([...unasked, clientFrame(TEXT, 'next'), clientFrame(PING)]));
  await socket.hear(PONG);
  expect(socket.frames.map(({ opcode }) => opcode)).toEqual([TEXT, PONG]);
  socket.close();
});

test('6.2: a control frame between messages is handled as one', async () => {
  const frames = [clientFrame(TEXT, 'a'), clientFrame(PING, 'b'), clientFrame(TEXT, 'c'), clientFrame(PONG, 'd')];
  const { frames: sent } = await echo.ending([...frames, clientFrame(CLOSE, closePayload(1000))]);
  expect(sent.map(({ opcode, payload }) => [opcode, String(payload)])).toEqual([
    [TEXT, 'a'],
    [PONG, 'b'],
    [TEXT, 'c'],
    [CLOSE, String(closePayload(1000))],
  ]);
});
