import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import { publish } from '../../../support/publish.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientFragments,
  clientFrame,
  closePayload,
  type Frame,
  PING,
  PONG,
  RawWebSocket,
  RSV1,
  RSV2,
  TEXT,
} from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const MAX_BYTES = 100_000;
const LONG = JSON.stringify({ orders: Array.from({ length: 300 }, (_, i) => ({ orderId: i * 7919, state: 'paid' })) });

const echo = new Echo({ maxBytes: MAX_BYTES });

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

/** A message as a client compresses it (RFC 7692, 7.2.1). */
function deflate(plain: string | Buffer, options: Parameters<typeof deflateRawSync>[1] = {}): Buffer {
  return deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH, ...options }).subarray(0, -TAIL.length);
}

/** A compressed message as a server sent it (RFC 7692, 7.2.2), with nothing before it to refer to. */
function inflate({ payload }: Frame): string {
  return String(inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH }));
}

const compressed = (plain: string | Buffer, opcode = TEXT): Buffer =>
  clientFrame(opcode, deflate(plain), { reserved: RSV1 });

/** What the echoes of messages are, inflated where they are compressed. */
async function echoed(count: number, ...frames: readonly (Buffer | readonly Buffer[])[]): Promise<string[]> {
  const socket = await echo.open(DEFLATE, Buffer.concat(frames.flat()));
  const echoes = await socket.hear(TEXT, count);
  socket.close();
  return echoes.map((frame) => (frame.reserved === RSV1 ? inflate(frame) : String(frame.payload)));
}

const fails = (code: number, what: string, bytes: Buffer | readonly Buffer[]): Promise<void> =>
  echo.fails(code, what, bytes, DEFLATE);

/** The messages of a channel as a node sends them to a client that compresses. */
async function delivered(extension: string, texts: readonly string[]): Promise<Frame[]> {
  const channel = `c${randomBytes(4).toString('hex')}`;
  const socket = new RawWebSocket(gateway.port, `/v1/ws?channel=${channel}`, undefined, {
    'Sec-WebSocket-Extensions': extension,
  });
  await socket.hears('"subscribed"');
  for (const text of texts) await publish(gateway.url, channel, text);
  await socket.hear(TEXT, 2 + texts.length);
  socket.send(clientFrame(PING, 'x')).send(clientFrame(CLOSE, closePayload(1000)));
  await socket.end();
  return socket.frames;
}

test('6: RSV1 of the first frame tells whether a message is compressed', async () => {
  const plain = clientFrame(TEXT, LONG);
  const fragments = clientFragments(TEXT, [LONG.slice(0, 99), LONG.slice(99)]);
  expect(await echoed(4, plain, compressed(LONG), fragments, compressed('x'))).toEqual([LONG, LONG, LONG, 'x']);
});

test('6: RSV1 has no meaning beside RSV2 and RSV3, which no extension defines', async () => {
  for (const reserved of [RSV2, 0x10, RSV1 | RSV2, 0x70])
    await fails(1002, `${reserved}`, clientFrame(TEXT, deflate('x'), { reserved }));
});

test('6.1: a server sends a compressed message with RSV1 in its first frame, and another without', async () => {
  const frames = await delivered('permessage-deflate', ['small', LONG]);
  const [small, long] = frames.filter(({ opcode }) => opcode === TEXT).slice(-2) as [Frame, Frame];
  expect([small.reserved, long.reserved]).toEqual([0, RSV1]);
  expect(JSON.parse(String(small.payload))).toMatchObject({ type: 'message', data: 'small' });
  expect(JSON.parse(inflate(long))).toMatchObject({ type: 'message', data: LONG });
  expect(long.payload.length).toBeLessThan(LONG.length / 2);
});

test('6.1: a server sets RSV1 in no control frame and in no frame but the first of a message', async () => {
  const frames = await delivered('permessage-deflate', [LONG]);
  expect(new Set(frames.map(({ opcode }) => opcode))).toEqual(new Set([TEXT, PONG, CLOSE]));
  const others = frames.filter(({ opcode }) => opcode === CONTINUATION || opcode >= CLOSE);
  expect(others.filter(({ reserved }) => reserved !== 0)).toEqual([]);
});

test('6.1: the opcode of a compressed message is that of what it was', async () => {
  const socket = await echo.open(DEFLATE, Buffer.concat([compressed(LONG), compressed(LONG, BINARY)]));
  await socket.hear(BINARY);
  expect(socket.frames.map((frame) => [frame.opcode, frame.reserved, inflate(frame)])).toEqual([
    [TEXT, RSV1, LONG],
    [BINARY, RSV1, LONG],
  ]);
  socket.close();
});

test('6.1: a control frame with RSV1 fails the connection', async () => {
  for (const opcode of [CLOSE, PING, PONG])
    await fails(1002, `opcode ${opcode}`, clientFrame(opcode, '', { reserved: RSV1 }));
});

test('6.1: a frame with RSV1 that is not the first of its message fails the connection', async () => {
  const payload = deflate(LONG);
  for (const reserved of [0, RSV1]) {
    const first = clientFrame(BINARY, payload.subarray(0, 50), { fin: false, reserved });
    const next = clientFrame(CONTINUATION, payload.subarray(50), { reserved: RSV1 });
    await fails(1002, `the first with ${reserved}`, [first, next]);
  }
});

test('6.2: a compressed message in fragments is joined before it is inflated', async () => {
  const payload = deflate(LONG);
  const sizes = [1, 2, 100, payload.length - 1];
  const messages = sizes.map((size) => {
    const count = Math.ceil(payload.length / size);
    const pieces = Array.from({ length: count }, (_, i) => payload.subarray(i * size, (i + 1) * size));
    return clientFragments(TEXT, ['', ...pieces, ''], { reserved: RSV1 });
  });
  expect(await echoed(sizes.length, ...messages)).toEqual(sizes.map(() => LONG));
});

test('6.2: a control frame in the middle of a compressed message is handled, and is no part of it', async () => {
  const payload = deflate(LONG);
  const [first, last] = clientFragments(TEXT, [payload.subarray(0, 20), payload.subarray(20)], { reserved: RSV1 });
  const socket = await echo.open(DEFLATE, Buffer.concat([first as Buffer, clientFrame(PING, 'plain'), last as Buffer]));
  const [echoes] = await socket.hear(TEXT);
  expect(inflate(echoes as Frame)).toBe(LONG);
  expect(String((await socket.hear(PONG))[0]?.payload)).toBe('plain');
  socket.close();
});

test('6.2: text is UTF-8 when it is inflated, and need not be before', async () => {
  const text = 'é🎺'.repeat(5);
  expect(await echoed(1, compressed(text))).toEqual([text]);
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x78, 0xc0, 0xaf]])
    await fails(1007, `${bytes}`, compressed(Buffer.from(bytes)));
  const payload = deflate(Buffer.from([0x78, 0xe2, 0x82]));
  await fails(1007, 'in fragments', clientFragments(TEXT, [payload, ''], { reserved: RSV1 }));
});

test('7.1.1.1: a message of a server refers to none before it', async () => {
  const frames = await delivered('permessage-deflate; server_no_context_takeover', [LONG, LONG, LONG]);
  const messages = frames.filter(({ reserved }) => reserved === RSV1);
  expect(messages).toHaveLength(3);
  for (const message of messages.toReversed()) expect(JSON.parse(inflate(message))).toMatchObject({ data: LONG });
});

test('7.1.2.1: a server compresses with no larger window than it agreed on', async () => {
  // Small pieces, so that what a message refers to must be in the window.
  const inflateWithin = (payload: Buffer, windowBits: number): string =>
    String(inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH, windowBits, chunkSize: 64 }));
  // What repeats does so after 5,000 bytes: a larger window would find it.
  const noise = randomBytes(2500).toString('hex');
  expect(() => inflateWithin(deflateRawSync(noise + noise), 12)).toThrow('too far back');
  for (const bits of [12, 13, 15]) {
    const offer = `permessage-deflate; server_max_window_bits=${bits}`;
    const frames = await delivered(offer, [LONG, noise + noise, noise + LONG + noise]);
    const messages = frames.filter(({ reserved }) => reserved === RSV1);
    expect(messages).toHaveLength(3);
    for (const { payload } of messages)
      expect(() => JSON.parse(inflateWithin(Buffer.concat([payload, TAIL]), 12))).not.toThrow();
  }
});

test('7.2.1: a compressed message of a server ends with the header of an empty block, its four octets taken off', async () => {
  const socket = await echo.open(DEFLATE);
  const texts = [LONG, LONG.repeat(3), 'a'.repeat(5000), 'é🎺'.repeat(500)];
  for (const text of texts) socket.send(clientFrame(TEXT, text));
  const echoes = await socket.hear(TEXT, texts.length);
  for (const [i, { reserved, payload }] of echoes.entries()) {
    expect(reserved).toBe(RSV1);
    expect(payload.subarray(-TAIL.length)).not.toEqual(TAIL);
    // With them the end of the data is the end of a block, and that on the border of a byte: another block may follow.
    const ended = Buffer.concat([payload, TAIL, Buffer.from([0x03, 0x00])]);
    expect(String(inflateRawSync(ended))).toBe(texts[i]);
  }
  socket.close();
});

test('7.2.2: a message is inflated whatever compressed it', async () => {
  const messages = [
    ...[0, 1, 6, 9].map((level) => deflate(LONG, { level })),
    ...[8, 9, 12, 15].map((windowBits) => deflate(LONG, { windowBits })),
    deflate(LONG, { strategy: constants.Z_FIXED }),
    deflate(LONG, { strategy: constants.Z_HUFFMAN_ONLY }),
    deflate(LONG, { strategy: constants.Z_RLE, memLevel: 1 }),
  ];
  const frames = messages.map((payload) => clientFrame(TEXT, payload, { reserved: RSV1 }));
  expect(await echoed(frames.length, frames)).toEqual(frames.map(() => LONG));
});

test('7.2.2: a message may refer back over 32,768 bytes', async () => {
  const noise = randomBytes(16_000).toString('hex');
  const far = noise + noise.slice(0, 500);
  const payload = deflate(far);
  expect(payload.length).toBeLessThan(deflate(far, { windowBits: 14 }).length);
  expect(await echoed(1, clientFrame(TEXT, payload, { reserved: RSV1 }))).toEqual([far]);
});

test('7.2.2: a message that refers to one before it, against the agreement, fails the connection', async () => {
  const dictionary = Buffer.from(LONG);
  const second = deflate(LONG, { dictionary });
  expect(second.length).toBeLessThan(deflate(LONG).length / 4);
  const socket = await echo.open(DEFLATE, compressed(LONG));
  await socket.hear(TEXT);
  socket.send(clientFrame(TEXT, second, { reserved: RSV1 }));
  expect((await socket.closeFrame()).code).toBe(1007);
  await socket.end();
});

test('7.2.2: what is not deflated data fails the connection', async () => {
  for (const [what, payload] of [
    ['a block of the reserved type', Buffer.from([0x06])],
    ['text', Buffer.from('this is no deflated data')],
    ['a distance behind the beginning', Buffer.from('020200', 'hex')],
    ['a stored block whose lengths disagree', Buffer.from('000500faf1', 'hex')],
    ['a message that breaks off', deflate(LONG).subarray(0, 100)],
    ['zlib instead of raw deflate', Buffer.concat([Buffer.from([0x78, 0x9c]), deflate(LONG)])],
  ] as const) {
    await fails(1007, what, clientFrame(TEXT, payload, { reserved: RSV1 }));
    const pieces = [payload.subarray(0, 1), payload.subarray(1)];
    await fails(1007, `${what}, in fragments`, clientFragments(BINARY, pieces, { reserved: RSV1 }));
  }
});

test('7.2.2: a message inflates to the limit and no further', async () => {
  const most = Buffer.alloc(MAX_BYTES, 'x');
  expect(await echoed(1, compressed(most))).toEqual([String(most)]);
  for (const bytes of [MAX_BYTES + 1, 10 * MAX_BYTES, 50_000_000])
    await fails(1009, `${bytes} bytes`, compressed(Buffer.alloc(bytes)));
});

test('7.2.3.1: the example of one block is read', async () => {
  const payload = Buffer.from('f248cdc9c90700', 'hex');
  const fragments = clientFragments(TEXT, [payload.subarray(0, 3), payload.subarray(3)], { reserved: RSV1 });
  expect(await echoed(2, clientFrame(TEXT, payload, { reserved: RSV1 }), fragments)).toEqual(['Hello', 'Hello']);
});

test('7.2.3.3: the example of a block that is not compressed is read', async () => {
  const payload = Buffer.from('000500faff48656c6c6f00', 'hex');
  expect(await echoed(1, clientFrame(TEXT, payload, { reserved: RSV1 }))).toEqual(['Hello']);
});

test('7.2.3.4: the example of a last block, behind which an empty one comes, is read', async () => {
  const payload = Buffer.from('f348cdc9c9070000', 'hex');
  expect(await echoed(1, clientFrame(TEXT, payload, { reserved: RSV1 }))).toEqual(['Hello']);
  const twice = Buffer.concat([payload.subarray(0, -1), payload.subarray(0, -1), Buffer.from([0x00])]);
  expect(await echoed(1, clientFrame(TEXT, twice, { reserved: RSV1 }))).toEqual(['HelloHello']);
});

test('7.2.3.5: the example of two blocks in one message is read', async () => {
  const payload = Buffer.from('f248050000' + '00ffff' + 'cac9c90700', 'hex');
  expect(await echoed(1, clientFrame(TEXT, payload, { reserved: RSV1 }))).toEqual(['Hello']);
});

test('7.2.3.6: the example of an empty fragment is read, and an empty message', async () => {
  const empty = Buffer.from([0x00]);
  const hello = Buffer.from('f248cdc9c907000000ffff', 'hex');
  const fragments = clientFragments(TEXT, [hello, empty], { reserved: RSV1 });
  expect(await echoed(3, clientFrame(TEXT, empty, { reserved: RSV1 }), fragments, clientFrame(TEXT, ''))).toEqual([
    '',
    'Hello',
    '',
  ]);
});
