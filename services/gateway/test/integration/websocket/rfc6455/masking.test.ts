import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { BINARY, CLOSE, CONTINUATION, clientFrame, PING, PONG, TEXT } from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const echo = new Echo();

test('5.1: a server closes the connection upon receiving a frame that is not masked', async () => {
  for (const opcode of [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
    await echo.fails(1002, `opcode ${opcode}`, clientFrame(opcode, '', { masked: false }));
  await echo.fails(1002, 'a long one', clientFrame(TEXT, 'x'.repeat(70_000), { masked: false }));
  const behind = [clientFrame(TEXT, 'a', { fin: false }), clientFrame(CONTINUATION, 'b', { masked: false })];
  await echo.fails(1002, 'a fragment', behind);
});

test('5.3: a payload is unmasked with the key of its own frame, byte i with byte i modulo 4 of the key', async () => {
  const payload = randomBytes(1000);
  const keys = ['00000000', 'ffffffff', '00000001', '80000000', '37fa213d', randomBytes(4).toString('hex')];
  const socket = await echo.open();
  for (const key of keys)
    for (const length of [1, 2, 3, 4, 5, 127, 128, 129, 1000])
      socket.send(clientFrame(BINARY, payload.subarray(0, length), { mask: Buffer.from(key, 'hex') }));
  const echoes = await socket.hear(BINARY, 9 * keys.length);
  for (const { payload: echoed } of echoes) expect(echoed).toEqual(payload.subarray(0, echoed.length));
  const pieces = [...payload.subarray(0, 300)].map((byte) => Buffer.from([byte]));
  for (const [i, piece] of pieces.entries())
    socket.send(clientFrame(i === 0 ? BINARY : CONTINUATION, piece, { fin: i === pieces.length - 1 }));
  expect((await socket.hear(BINARY, 9 * keys.length + 1)).at(-1)?.payload).toEqual(payload.subarray(0, 300));
  socket.close();
});

test('5.3: a mask goes on over all of a payload, however the bytes of the frame are cut', async () => {
  const payload = randomBytes(300);
  const socket = await echo.open();
  socket.socket.setNoDelay(true);
  for (const byte of clientFrame(BINARY, payload)) {
    socket.send(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  expect((await socket.hear(BINARY))[0]?.payload).toEqual(payload);
  socket.close();
});

test('6.2: a server removes the mask from what it receives, in every frame of a message', async () => {
  const socket = await echo.open();
  for (const [i, word] of ['every ', 'fragment ', 'has ', 'its own'].entries())
    socket.send(
      clientFrame(i === 0 ? TEXT : CONTINUATION, word, { fin: i === 3, mask: Buffer.alloc(4, 17 * (i + 1)) }),
    );
  expect(String((await socket.hear(TEXT))[0]?.payload)).toBe('every fragment has its own');
  socket.close();
});
