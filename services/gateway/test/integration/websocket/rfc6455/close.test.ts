import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { constants, deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import { publish } from '../../../support/publish.ts';
import { head, WEBSOCKET_HEADERS } from '../../../support/raw-socket.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientFrame,
  closePayload,
  PING,
  PONG,
  RawWebSocket,
  RSV1,
  TEXT,
} from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

/** Codes that a close frame may hold: defined in RFC 6455 or registered since, for libraries, and private. */
const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
/** Codes that none may hold: too small, reserved, not defined, too large. */
const INVALID = [0, 1, 125, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 10_000, 65_535];
const RESERVED = [1005, 1006, 1015];

const echo = new Echo({ maxBytes: 1_000_000 });
/** One that keeps much for a client that does not read. */
const patientEcho = new Echo();

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

const close = (code: number, reason: string | Buffer = ''): Buffer => clientFrame(CLOSE, closePayload(code, reason));

/** A conversation with a node that has begun the closing handshake: it takes no binary frames. */
async function closedByServer(): Promise<RawWebSocket> {
  const socket = new RawWebSocket(gateway.port, '/v1/ws?channel=closing');
  await socket.hears('"subscribed"');
  socket.send(clientFrame(BINARY, 'x'));
  expect(await socket.closeFrame()).toEqual({ code: 1003, reason: 'unsupported_data' });
  return socket;
}

test('5.5.1: a close frame of one byte, which is no code, fails the connection', async () => {
  for (const byte of [0x00, 0x03, 0xff]) await echo.fails(1002, `${byte}`, clientFrame(CLOSE, Buffer.from([byte])));
});

test('5.5.1: a close frame of a server that has a body begins with a code', async () => {
  for (const bytes of [
    close(1000),
    close(1000, 'bye'),
    clientFrame(CLOSE),
    clientFrame(TEXT, '', { masked: false }),
    clientFrame(TEXT, Buffer.from([0xff])),
    clientFrame(BINARY, Buffer.alloc(1_000_001)),
  ]) {
    const { frames } = await echo.ending(bytes);
    const [{ payload } = { payload: Buffer.alloc(1) }] = frames.filter(({ opcode }) => opcode === CLOSE);
    if (payload.length > 0) expect(VALID).toContain(payload.readUInt16BE(0));
  }
});

test('5.5.1: a server sends no data frame behind its close frame', async () => {
  const socket = await closedByServer();
  const id = await publish(gateway.url, 'closing', 'nobody listens any more');
  const other = await new RawWebSocket(gateway.port, '/v1/ws?channel=closing&last=1').hears(id);
  socket.send(clientFrame(TEXT, '{"type":"ping"}')).send(close(1003));
  await socket.end();
  expect(socket.frames.map(({ opcode }) => opcode).slice(-2)).toEqual([TEXT, CLOSE]);
  expect(socket.text).not.toContain('nobody listens');
  other.close();
  const { frames } = await echo.ending([clientFrame(TEXT, 'a'), close(1000), clientFrame(TEXT, 'b')]);
  expect(frames.map(({ opcode }) => opcode)).toEqual([TEXT, CLOSE]);
});

test('5.5.1: a close frame is answered with one, once, and with its code', async () => {
  for (const [what, payload] of [
    ['no body', Buffer.alloc(0)],
    ['a code', closePayload(1000)],
    ['a code and a reason', closePayload(1001, 'leaving: é🎺')],
    ['125 bytes', closePayload(4000, 'x'.repeat(123))],
  ] as const) {
    const { frames } = await echo.ending([clientFrame(CLOSE, payload), close(4001)]);
    expect(
      frames.map(({ opcode }) => opcode),
      what,
    ).toEqual([CLOSE]);
    expect(frames[0]?.payload, what).toEqual(payload.subarray(0, 2));
  }
});

test('5.5.1: a close frame is answered behind what was sent before it, also to a client that has closed its side', async () => {
  // What repeats after 20,000 bytes is small from a client with a window of 32,768, and large from a server with a smaller one.
  const message = Buffer.alloc(900_000, randomBytes(20_000));
  const small = deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  const deflate = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
  const socket = connect({ port: patientEcho.port, host: '127.0.0.1', allowHalfOpen: true });
  // It reads nothing yet, so that the server cannot write all that it has to say.
  socket.pause();
  socket.write(head('GET /', { ...WEBSOCKET_HEADERS, ...deflate }));
  for (let i = 0; i < 10; i++) socket.write(clientFrame(BINARY, small, { reserved: RSV1 }));
  socket.end(close(1000));
  await once(socket, 'finish');
  // By the time that another has these answers, the server has seen the first one's end.
  const other = await patientEcho.open();
  for (let i = 1; i <= 20; i++) await other.send(clientFrame(PING)).hear(PONG, i);
  other.close();
  const answer = Buffer.concat(await socket.resume().toArray());
  const start = answer.indexOf('\r\n\r\n') + 4;
  expect(answer.length - start).toBe(10 * (10 + message.length) + 4);
  expect(answer.subarray(-4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xe8]));
});

test('5.5.1: a server closes the TCP connection at once when it has sent and received a close frame', async () => {
  // For this client, which does not answer, the server waits a while; for the others it must not.
  const silent = await closedByServer();
  const answered = await echo.open();
  answered.send(close(1000));
  await answered.end();
  const answering = await closedByServer();
  expect(answering.ended).toBe(false);
  answering.send(close(1003));
  await answering.end();
  expect(answering.frames.filter(({ opcode }) => opcode === CLOSE)).toHaveLength(1);
  expect(silent.ended).toBe(false);
  silent.close();
});

test('5.5.1: close frames that cross each other end the connection', async () => {
  const socket = new RawWebSocket(gateway.port);
  await socket.hears('"heartbeatSeconds"');
  // The node sends its own at the binary frame, before it reads the other.
  socket.send(Buffer.concat([clientFrame(BINARY, 'x'), close(4000)]));
  await socket.end();
  const frames = socket.frames.filter(({ opcode }) => opcode === CLOSE);
  expect(frames.map(({ payload }) => payload.readUInt16BE(0))).toEqual([1003]);
});

test('6.1: a server sends nothing that is no answer to the closing handshake once it has begun', async () => {
  const socket = await new RawWebSocket(gateway.port, '/v1/ws?channel=begun').hears('"subscribed"');
  socket.send(Buffer.concat([close(1000), clientFrame(TEXT, '{"type":"publish","channel":"begun","data":1}')]));
  await socket.end();
  expect(socket.frames.at(-1)?.opcode).toBe(CLOSE);
  const history = await fetch(`${gateway.url}/v1/channels/begun/messages`);
  expect(await history.json()).toMatchObject({ messages: [] });
});

test('7.1.1: a server closes TCP before the client does', async () => {
  for (const bytes of [close(1000), clientFrame(TEXT, '', { masked: false }), clientFrame(0x3)]) {
    const socket = connect({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(Buffer.concat([Buffer.from(head('GET /', WEBSOCKET_HEADERS)), bytes]));
    socket.resume();
    await once(socket, 'end');
    expect(socket.writableEnded).toBe(false);
    socket.end();
    await once(socket, 'close');
  }
});

test('7.1.2: a server begins the closing handshake with a close frame that has its code and its reason', async () => {
  const socket = await closedByServer();
  expect(socket.frames.at(-1)?.payload).toEqual(closePayload(1003, 'unsupported_data'));
  socket.send(close(1003));
  await socket.end();
});

test('7.1.5: what comes behind a close frame is not read', async () => {
  const begun = [clientFrame(TEXT, 'a', { fin: false }), close(1000), clientFrame(CONTINUATION, 'b')];
  const { code, frames } = await echo.ending([...begun, close(4000), clientFrame(0x3), Buffer.alloc(10_000, 0xff)]);
  expect(code).toBe(1000);
  expect(frames.map(({ opcode }) => opcode)).toEqual([CLOSE]);
});

test('7.1.6: the reason in a close frame is UTF-8', async () => {
  for (const reason of ['', 'x', 'é🎺', '\ufeff', '\u0000', 'x'.repeat(123)])
    expect((await echo.ending(close(1000, reason))).code).toBe(1000);
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x78, 0xf0, 0x9f, 0x8e]])
    await echo.fails(1007, `${bytes}`, close(1000, Buffer.from(bytes)));
});

test('7.1.7: to fail a connection a server closes it', async () => {
  // RFC 6455 names these cases and no code for them; the code is the one of 7.4.1 that fits.
  const long = clientFrame(TEXT, 'x'.repeat(1_000_001));
  for (const [code, bytes] of [
    [1002, clientFrame(TEXT, 'x', { masked: false })],
    [1002, clientFrame(0x7)],
    [1007, clientFrame(TEXT, Buffer.from([0xc0]))],
    [1009, long],
  ] as const) {
    const ending = await echo.ending(bytes);
    expect(ending.code).toBe(code);
    expect(ending.reason).toMatch(/\S/);
  }
});

test('7.1.7: a server reads nothing more from a connection that it has failed', async () => {
  const behind = [clientFrame(TEXT, 'a'), clientFrame(PING, 'b'), close(1000), Buffer.alloc(100_000, 0xff)];
  for (const bad of [clientFrame(0x3), clientFrame(TEXT, Buffer.from([0xff])), clientFrame(PING, '', { fin: false })]) {
    const { frames } = await echo.ending([bad, ...behind]);
    expect(frames.map(({ opcode }) => opcode)).toEqual([CLOSE]);
  }
});

test('7.4.1: a server puts none of the reserved codes 1005, 1006 and 1015 into a close frame', async () => {
  const codes = new Set<number>();
  for (const code of [...VALID, ...INVALID]) {
    const { frames } = await echo.ending(close(code));
    codes.add(frames.at(-1)?.payload.readUInt16BE(0) ?? 0);
  }
  const { frames } = await echo.ending(clientFrame(CLOSE));
  expect(frames.map(({ payload }) => payload.length)).toEqual([0]);
  for (const code of RESERVED) expect(codes).not.toContain(code);
});

test('7.4.1: a close frame with one of the reserved codes 1005, 1006 and 1015 fails the connection', async () => {
  for (const code of RESERVED) await echo.fails(1002, `${code}`, close(code));
});

test('7.4.2: a close frame with a code that may stand in one is answered with that code', async () => {
  for (const code of VALID) expect((await echo.ending(close(code))).code).toBe(code);
});

test('7.4.2: a close frame with a code that none may hold fails the connection', async () => {
  for (const code of INVALID) await echo.fails(1002, `${code}`, close(code, 'with a reason'));
});
