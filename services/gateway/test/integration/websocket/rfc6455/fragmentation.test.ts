import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientFragments,
  clientFrame,
  closePayload,
  PING,
  PONG,
  type RawWebSocket,
  TEXT,
} from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const echo = new Echo();

const open = (...frames: readonly Buffer[]): Promise<RawWebSocket> => echo.open({}, Buffer.concat(frames));

test('5.4: a control frame in the middle of a fragmented message is handled', async () => {
  const [first, second, last] = clientFragments(TEXT, ['one ', 'two ', 'three']) as [Buffer, Buffer, Buffer];
  const socket = await open(first, clientFrame(PING, 'a'));
  // The answer does not wait for the message to end.
  expect(String((await socket.hear(PONG))[0]?.payload)).toBe('a');
  socket.send(Buffer.concat([second, clientFrame(PONG, 'b'), clientFrame(PING), clientFrame(PING, 'c'), last]));
  expect(String((await socket.hear(TEXT))[0]?.payload)).toBe('one two three');
  expect(socket.frames.map(({ opcode, payload }) => [opcode, String(payload)])).toEqual([
    [PONG, 'a'],
    [PONG, ''],
    [PONG, 'c'],
    [TEXT, 'one two three'],
  ]);
  socket.close();
});

test('5.4: a close frame in the middle of a fragmented message is handled, and the message is not', async () => {
  const [first, last] = clientFragments(TEXT, ['one ', 'two']) as [Buffer, Buffer];
  const { code, frames } = await echo.ending([first, clientFrame(CLOSE, closePayload(1000)), last]);
  expect(code).toBe(1000);
  expect(frames.map(({ opcode }) => opcode)).toEqual([CLOSE]);
});

test('5.4: fragments make one message, in the order in which they were sent', async () => {
  const bytes = randomBytes(256);
  for (const size of [1, 2, 3, 7, 100, 255, 256]) {
    const pieces = Array.from({ length: Math.ceil(256 / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    const socket = await open(...clientFragments(BINARY, pieces), clientFrame(PING));
    await socket.hear(PONG);
    expect(socket.frames.map(({ opcode, payload }) => [opcode, payload])).toEqual([
      [BINARY, bytes],
      [PONG, Buffer.alloc(0)],
    ]);
    socket.close();
  }
});

test('5.4: messages are received in fragments and in one frame', async () => {
  const socket = await open(
    clientFrame(TEXT, 'whole'),
    ...clientFragments(TEXT, ['in ', 'two']),
    clientFrame(BINARY, 'whole again'),
    ...clientFragments(BINARY, ['in', ' ', 'three']),
    clientFrame(TEXT, 'the end'),
  );
  await socket.hear(TEXT, 3);
  expect(socket.frames.map(({ opcode, payload }) => [opcode, String(payload)])).toEqual([
    [TEXT, 'whole'],
    [TEXT, 'in two'],
    [BINARY, 'whole again'],
    [BINARY, 'in three'],
    [TEXT, 'the end'],
  ]);
  socket.close();
});

test('5.4: fragments may be empty, first, last or all of them', async () => {
  const messages = [['', ''], ['', 'a'], ['a', ''], ['', '', 'a', '', ''], ['', '', ''], ['']];
  const socket = await open(...messages.flatMap((pieces) => clientFragments(TEXT, pieces)));
  const echoes = await socket.hear(TEXT, messages.length);
  expect(echoes.map(({ payload }) => String(payload))).toEqual(messages.map((pieces) => pieces.join('')));
  socket.close();
});

test('5.4: frames of one message in between those of another fail the connection', async () => {
  for (const first of [TEXT, BINARY])
    for (const second of [TEXT, BINARY]) {
      const begun = clientFrame(first, 'a', { fin: false });
      await echo.fails(1002, `${first} ${second}`, [begun, clientFrame(second, 'b', { fin: false })]);
      await echo.fails(1002, `${first} ${second} whole`, [begun, clientFrame(second, 'b')]);
    }
});

test('5.4: a continuation that continues nothing fails the connection', async () => {
  for (const fin of [true, false]) {
    await echo.fails(1002, `first, FIN ${fin}`, clientFrame(CONTINUATION, 'a', { fin }));
    await echo.fails(1002, `empty, FIN ${fin}`, clientFrame(CONTINUATION, '', { fin }));
    const socket = await open(...clientFragments(TEXT, ['a', 'b']), clientFrame(CONTINUATION, 'c', { fin }));
    expect((await socket.closeFrame()).code).toBe(1002);
    expect(socket.frames.map(({ opcode }) => opcode)).toEqual([TEXT, CLOSE]);
    await socket.end();
  }
});

test('5.4: all fragments have the type of the first', async () => {
  const bad = Buffer.from([0xff, 0xfe]);
  const socket = await open(...clientFragments(BINARY, [bad, bad]), ...clientFragments(TEXT, ['é', 'é']));
  await socket.hear(TEXT);
  expect(socket.frames.map(({ opcode }) => opcode)).toEqual([BINARY, TEXT]);
  socket.close();
});

test('5.5: a control frame in fragments fails the connection', async () => {
  for (const opcode of [CLOSE, PING, PONG]) {
    await echo.fails(1002, `opcode ${opcode}`, clientFrame(opcode, '', { fin: false }));
    const inside = [clientFrame(TEXT, 'a', { fin: false }), clientFrame(opcode, '', { fin: false })];
    await echo.fails(1002, `opcode ${opcode} inside a message`, inside);
  }
});

test('6.2: a message has the type of its first frame and the data of all, and the next frame begins another', async () => {
  const binary = randomBytes(500);
  const socket = await open(
    ...clientFragments(BINARY, [binary.subarray(0, 200), binary.subarray(200)]),
    clientFrame(TEXT, 'next'),
    ...clientFragments(TEXT, ['and ', 'another']),
  );
  await socket.hear(TEXT, 2);
  expect(socket.frames.map(({ opcode, payload }) => [opcode, payload])).toEqual([
    [BINARY, binary],
    [TEXT, Buffer.from('next')],
    [TEXT, Buffer.from('and another')],
  ]);
  socket.close();
});
