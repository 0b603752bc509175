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
  TEXT,
} from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

/** Text of every length of character, and of the characters at the borders of each. */
const TEXTS = [
  '',
  'x',
  'κόσμε',
  'Größe 🎺 \u0000 \ufeff \ufffd',
  '\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}',
  '\ufdd0\ufffe\uffff\u{1fffe}\u{10fffe}',
];

/** Bytes that are not UTF-8 (RFC 3629, 3 and 4). */
const NOT_UTF8: Readonly<Record<string, readonly number[]>> = {
  'a byte that never stands in it': [0xff],
  'another one': [0xf5],
  'a continuation byte by itself': [0x80],
  'a continuation byte too many': [0xc3, 0xa9, 0xa9],
  'a first byte with no other': [0xc3, 0x28],
  'a character of three bytes that breaks off': [0xe2, 0x82, 0x28],
  'a character of four bytes that breaks off': [0xf0, 0x9f, 0x8e, 0x28],
  'an overlong form of two bytes': [0xc0, 0xaf],
  'an overlong form of three bytes': [0xe0, 0x80, 0xaf],
  'an overlong form of four bytes': [0xf0, 0x80, 0x80, 0xaf],
  'half of a surrogate pair': [0xed, 0xa0, 0x80],
  'both halves of a surrogate pair': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'a code point above U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'a form of five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80],
  'a form of six bytes': [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
};

const echo = new Echo();

test('5.6: a text message is UTF-8 as a whole, however its frames cut its characters', async () => {
  const socket = await echo.open();
  for (const text of TEXTS) {
    socket.send(clientFrame(TEXT, text));
    const bytes = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
    if (bytes.length > 0) socket.send(Buffer.concat(clientFragments(TEXT, bytes)));
    const cut = bytes.flatMap((byte) => [byte, Buffer.alloc(0)]);
    if (bytes.length > 0) socket.send(Buffer.concat(clientFragments(TEXT, cut)));
  }
  const expected = TEXTS.flatMap((text) => (text === '' ? [text] : [text, text, text]));
  const echoes = await socket.hear(TEXT, expected.length);
  expect(echoes.map(({ payload }) => payload.toString('hex'))).toEqual(
    expected.map((text) => Buffer.from(text).toString('hex')),
  );
  socket.close();
});

test('5.6: what a binary message is made of is of no concern', async () => {
  const socket = await echo.open();
  const payloads = [
    ...Object.values(NOT_UTF8).map((bytes) => Buffer.from(bytes)),
    Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  ];
  for (const payload of payloads) socket.send(clientFrame(BINARY, payload));
  expect((await socket.hear(BINARY, payloads.length)).map(({ payload }) => payload)).toEqual(payloads);
  socket.close();
});

test('8.1: a text message that is not UTF-8 fails the connection', async () => {
  for (const [what, bytes] of Object.entries(NOT_UTF8)) {
    const long = Buffer.concat([Buffer.alloc(1000, 'x'), Buffer.from(bytes), Buffer.alloc(1000, 'x')]);
    await echo.fails(1007, what, clientFrame(TEXT, Buffer.from(bytes)));
    await echo.fails(1007, `${what}, in the middle`, clientFrame(TEXT, long));
    const single = bytes.map((byte) => Buffer.from([byte]));
    await echo.fails(1007, `${what}, each byte a fragment`, clientFragments(TEXT, ['a', ...single, 'b']));
  }
});

test('8.1: a text message that ends inside a character fails the connection', async () => {
  for (const bytes of [[0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x8e], [0x78, 0xe2]]) {
    await echo.fails(1007, `${bytes}`, clientFrame(TEXT, Buffer.from(bytes)));
    await echo.fails(1007, `${bytes}, in two`, clientFragments(TEXT, ['abc', Buffer.from(bytes)]));
    await echo.fails(1007, `${bytes}, with an empty end`, clientFragments(TEXT, [Buffer.from(bytes), '']));
  }
});

test('8.1: the connection is failed as soon as a byte cannot be, before the message or its frame has ended', async () => {
  for (const [what, bytes] of Object.entries(NOT_UTF8)) {
    // The fragment has come, the message has not.
    const fragment = await echo.open({}, clientFrame(TEXT, Buffer.from(bytes), { fin: false }));
    expect((await fragment.closeFrame()).code, what).toBe(1007);
    await fragment.end();
    // Not even the frame has come: much of what its head announces never does.
    const frame = clientFrame(TEXT, Buffer.concat([Buffer.from(bytes), Buffer.alloc(100)]));
    const piece = await echo.open({}, frame.subarray(0, -50));
    expect((await piece.closeFrame()).code, what).toBe(1007);
    await piece.end();
  }
});

test('8.1: a control frame inside a character does not disturb it', async () => {
  const [first, last] = clientFragments(TEXT, [Buffer.from([0xf0, 0x9f]), Buffer.from([0x8e, 0xba])]) as [
    Buffer,
    Buffer,
  ];
  const socket = await echo.open({}, Buffer.concat([first, clientFrame(PING, Buffer.from([0x8e, 0xff])), last]));
  expect(String((await socket.hear(TEXT))[0]?.payload)).toBe('🎺');
  expect(socket.frames[0]?.opcode).toBe(PONG);
  socket.close();
});

test('8.1: a close reason that is not UTF-8 fails the connection', async () => {
  for (const [what, bytes] of Object.entries(NOT_UTF8))
    await echo.fails(1007, what, clientFrame(CLOSE, closePayload(1000, Buffer.from(bytes))));
  await echo.fails(1007, 'it breaks off', clientFrame(CLOSE, closePayload(1000, Buffer.from([0xe2, 0x82]))));
});

test('8.1: what a server sends as text is UTF-8, whatever it was sent', async () => {
  const half = Buffer.from([0xf0, 0x9f]);
  const rest = Buffer.from([0x8e, 0xba]);
  const socket = await echo.open({}, Buffer.concat(clientFragments(TEXT, ['a', half, rest, 'b'])));
  socket.send(clientFrame(CONTINUATION, 'fails'));
  await socket.end();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (const { opcode, payload } of socket.frames)
    expect(() => decoder.decode(opcode === CLOSE ? payload.subarray(2) : payload)).not.toThrow();
  expect(socket.frames.map(({ opcode }) => opcode)).toEqual([TEXT, CLOSE]);
});
