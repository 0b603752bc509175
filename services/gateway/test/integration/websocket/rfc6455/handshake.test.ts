import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import { type Headers, head, RawSocket, readAnswer, WEBSOCKET_HEADERS } from '../../../support/raw-socket.ts';
import { clientFrame, TEXT } from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const KEY = WEBSOCKET_HEADERS['Sec-WebSocket-Key'];

const echo = new Echo();

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

const handshake = (headers: Headers = {}, line = 'GET /'): string => head(line, { ...WEBSOCKET_HEADERS, ...headers });

/** What both servers, each with its own way to the handshake, answer to it. */
async function answers(headers: Headers = {}): Promise<ReturnType<typeof readAnswer>[]> {
  const node = await new RawSocket(gateway.port).send(handshake(headers, 'GET /v1/ws')).hears('\r\n\r\n');
  const { socket, ...answer } = await echo.ask(handshake(headers));
  for (const each of [node, socket]) each.close();
  return [readAnswer(node.text), answer];
}

/** Expects a handshake to be refused by both with one of these codes, and the connection to end without a WebSocket. */
async function expectRefused(what: string, headers: Headers, ...codes: readonly number[]): Promise<void> {
  for (const { status } of await answers(headers)) expect(codes, `${what}: ${status}`).toContain(status);
}

async function expectTaken(what: string, headers: Headers): Promise<void> {
  for (const { status } of await answers(headers)) expect(status, what).toBe(101);
}

test('4.2.1: a handshake that is wrong is answered with an HTTP error code and is not processed any further', async () => {
  const request = handshake({ 'Sec-WebSocket-Key': 'short' });
  for (const [port, bytes] of [
    [echo.port, request],
    [gateway.port, request.replace('GET /', 'GET /v1/ws')],
  ] as const) {
    const socket = await new RawSocket(port).send(bytes).send(clientFrame(TEXT, '{"type":"ping"}')).end();
    expect(readAnswer(socket.text).status).toBe(400);
    expect(socket.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(socket.text).not.toContain('pong');
  }
});

test('4.2.1: the request is a GET', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
    const { status, socket } = await echo.ask(handshake({}, `${method} /`));
    expect(status, method).toBe(405);
    socket.close();
  }
});

test('4.2.1: the HTTP version of the request is at least 1.1', async () => {
  for (const version of ['HTTP/1.0', 'HTTP/0.9', 'HTTP/3.7', 'HTTQ/1.1', 'HTTP/1']) {
    const { status, socket } = await echo.ask(handshake().replace('HTTP/1.1', version));
    expect(status, version).toBe(400);
    socket.close();
  }
});

test('4.2.1: the target of the request may be an absolute URI', async () => {
  const request = handshake({}, `GET http://127.0.0.1:${gateway.port}/v1/ws?channel=a`);
  const socket = await new RawSocket(gateway.port).send(request).hears('"subscribed"');
  expect(readAnswer(socket.text).status).toBe(101);
  socket.close();
});

test('4.2.1: a request without a Host is refused, and one with several', async () => {
  await expectRefused('none', { Host: [] }, 400);
  await expectRefused('an empty one', { Host: '' }, 400);
  await expectRefused('two', { Host: ['a.example', 'b.example'] }, 400);
  await expectRefused('one that is no authority', { Host: 'a b' }, 400);
  await expectTaken('an address with a port', { Host: '[::1]:8080' });
});

test('4.2.1: the Upgrade header names websocket, in any case', async () => {
  await expectRefused('none', { Upgrade: [] }, 400, 426);
  await expectRefused('an empty one', { Upgrade: '' }, 400, 426);
  await expectRefused('another', { Upgrade: 'h2c' }, 400, 426);
  await expectRefused('a longer name', { Upgrade: 'websockets' }, 400, 426);
  await expectRefused('a part of a name', { Upgrade: 'my-websocket' }, 400, 426);
  for (const value of ['websocket', 'WebSocket', 'WEBSOCKET', 'h2c, websocket', 'websocket ,h2c'])
    await expectTaken(value, { Upgrade: value });
  await expectTaken('on several lines', { Upgrade: ['h2c', 'websocket'] });
});

test('4.2.1: the Connection header has the token Upgrade, in any case', async () => {
  await expectRefused('none', { Connection: [] }, 400, 426);
  await expectRefused('another', { Connection: 'keep-alive' }, 400, 426);
  await expectRefused('longer and shorter ones', { Connection: 'upgraded, up, no-upgrade' }, 400, 426);
  for (const value of [
    'Upgrade',
    'upgrade',
    'UPGRADE',
    'keep-alive, Upgrade',
    'upgrade,keep-alive',
    'close ,\tUpgrade',
  ])
    await expectTaken(value, { Connection: value });
  await expectTaken('on several lines', { Connection: ['keep-alive', 'Upgrade'] });
});

test('4.2.1: the key is 16 bytes in base64', async () => {
  const refused = {
    none: [],
    'an empty one': '',
    '15 bytes': Buffer.alloc(15).toString('base64'),
    '17 bytes': Buffer.alloc(17).toString('base64'),
    '24 bytes': Buffer.alloc(24).toString('base64'),
    'no padding': KEY.slice(0, -2),
    'one padding character': KEY.slice(0, -1),
    'a character that is none of base64': KEY.replace('G', '-'),
    'a space inside': KEY.replace('G', ' '),
  };
  for (const [what, key] of Object.entries(refused)) await expectRefused(what, { 'Sec-WebSocket-Key': key }, 400);
  for (const bytes of [Buffer.alloc(16), Buffer.alloc(16, 0xff), randomBytes(16)])
    await expectTaken(bytes.toString('base64'), { 'Sec-WebSocket-Key': bytes.toString('base64') });
  await expectTaken('with space around it', { 'Sec-WebSocket-Key': `  ${KEY}\t ` });
});

test('4.2.1: the version is 13', async () => {
  for (const version of ['', '0', '7', '8', '12', '14', '25', '113', '13.0', 'thirteen'])
    await expectRefused(version, { 'Sec-WebSocket-Version': version }, 400, 426);
  await expectRefused('none', { 'Sec-WebSocket-Version': [] }, 400, 426);
});

test('4.2.1: the order of the header fields, the case of their names and fields that are not known do not matter', async () => {
  const fields = {
    ...WEBSOCKET_HEADERS,
    Cookie: 'a=b',
    Authorization: 'Basic YTpi',
    'X-Unknown': '\u00e9',
    Pragma: '',
  };
  const backwards = Object.fromEntries(Object.entries(fields).reverse());
  for (const [what, change] of Object.entries({
    lower: (name: string) => name.toLowerCase(),
    upper: (name: string) => name.toUpperCase(),
  })) {
    const lines = Object.entries(backwards).map(([name, value]) => `${change(name)}:${value}\r\n`);
    const { status, socket } = await echo.ask(`GET / HTTP/1.1\r\n${lines.join('')}hOST: localhost\r\n\r\n`);
    expect(status, what).toBe(101);
    socket.close();
  }
});

test('4.2.2: a page of an origin that may not is answered with an HTTP error code, and there is no WebSocket', async () => {
  for (const origin of ['https://evil.example', 'null', 'nonsense', `http://127.0.0.1:${gateway.port + 1}`]) {
    const socket = await new RawSocket(gateway.port).send(handshake({ Origin: origin }, 'GET /v1/ws')).end();
    expect(readAnswer(socket.text).status, origin).toBe(403);
  }
  const both = { Origin: ['http://localhost', 'https://evil.example'] };
  const socket = await new RawSocket(gateway.port).send(handshake(both, 'GET /v1/ws')).end();
  expect(readAnswer(socket.text).status).toBe(403);
});

test('4.2.2: another version than 13 is answered with an HTTP error code and the versions that are spoken', async () => {
  for (const { status, headers } of await answers({ 'Sec-WebSocket-Version': '8' })) {
    expect(status).toBe(426);
    expect(headers.get('sec-websocket-version')).toEqual(['13']);
    expect(headers.get('upgrade')).toEqual(['websocket']);
  }
});

test('4.2.2: a service that is not there is answered with an HTTP error code', async () => {
  for (const path of ['/v1', '/v1/ws/', '/v1/websocket', '/V1/WS', '/v1/ws%20', '//v1/ws']) {
    const socket = await new RawSocket(gateway.port).send(handshake({}, `GET ${path}`)).hears('\r\n\r\n');
    expect(readAnswer(socket.text).status, path).toBe(404);
    socket.close();
  }
});

test('4.2.2: the subprotocol is one of those that the client named, and else there is none', async () => {
  const answered = async (...offers: string[]): Promise<unknown> => {
    const socket = await echo.open({ 'Sec-WebSocket-Protocol': offers });
    socket.close();
    return readAnswer(socket.text).headers.get('sec-websocket-protocol');
  };
  expect(await answered('echo')).toEqual(['echo']);
  expect(await answered('chat, echo, superchat')).toEqual(['echo']);
  expect(await answered('chat', 'echo')).toEqual(['echo']);
  expect(await answered('chat')).toBe(undefined);
  expect(await answered('Echo')).toBe(undefined);
  expect(await answered()).toBe(undefined);
});

test('4.2.2: no extension is answered that the client did not list', async () => {
  const answered = async (...offers: string[]): Promise<unknown> => {
    const socket = await echo.open({ 'Sec-WebSocket-Extensions': offers });
    socket.close();
    return readAnswer(socket.text).headers.get('sec-websocket-extensions');
  };
  expect(await answered()).toBe(undefined);
  expect(await answered('x-unknown')).toBe(undefined);
  expect(await answered('x-webkit-deflate-frame, mux; max-channels=4')).toBe(undefined);
  expect(await answered('x-unknown', 'permessage-deflate')).toEqual([
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  ]);
});

test('4.2.2: a handshake that is taken is answered with 101, Upgrade, Connection and Sec-WebSocket-Accept', async () => {
  for (const { status, headers } of await answers())
    expect([status, ...headers]).toEqual([
      101,
      ['upgrade', ['websocket']],
      ['connection', ['Upgrade']],
      ['sec-websocket-accept', ['s3pPLMBiTxaQ9kYGzzhZRbK+xOo=']],
    ]);
});

test('4.2.2: Sec-WebSocket-Accept is the SHA-1 of the key as it was sent, joined with the GUID', async () => {
  for (let i = 0; i < 20; i++) {
    const key = randomBytes(16).toString('base64');
    const hash = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    for (const { headers } of await answers({ 'Sec-WebSocket-Key': key }))
      expect(headers.get('sec-websocket-accept')).toEqual([hash]);
  }
});

test('4.2.2: what is sent before the handshake is over is its answer and nothing else', async () => {
  const socket = new RawSocket(echo.port).send(clientFrame(TEXT, 'no handshake at all'));
  await socket.end();
  expect(socket.text).toMatch(/^HTTP\/1\.1 400 /);
  const opened = await echo.open({}, clientFrame(TEXT, 'right behind the head'));
  expect(String((await opened.hear(TEXT))[0]?.payload)).toBe('right behind the head');
  expect(opened.text).toMatch(/^HTTP\/1\.1 101 /);
  opened.close();
});

test('4.3: a list of subprotocols that breaks its grammar is refused', async () => {
  for (const value of ['', ',', ' , ', 'a b', 'a;b', '"echo"', 'echo/1', 'echo, (x)', 'ech\u00f6', 'echo, a, echo'])
    await expectRefused(JSON.stringify(value), { 'Sec-WebSocket-Protocol': value }, 400);
  await expectRefused('twice on two lines', { 'Sec-WebSocket-Protocol': ['echo', 'echo'] }, 400);
  for (const value of ['echo,', ',echo', ' ,, echo ,\t,', 'echo,a!#$%&*+-.^_`|~'])
    await expectTaken(JSON.stringify(value), { 'Sec-WebSocket-Protocol': value });
});

test('4.3: a version with leading zeros, a sign or a list of versions is refused', async () => {
  for (const value of ['013', '+13', '13,', '13, 8', '8, 13', '0x0d', '13 13'])
    await expectRefused(value, { 'Sec-WebSocket-Version': value }, 400, 426);
});

test('4.4: a version that is not spoken is answered with all that are', async () => {
  for (const version of ['7', '8', '25', '255']) {
    for (const { status, headers } of await answers({ 'Sec-WebSocket-Version': version })) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(headers.get('sec-websocket-version')).toEqual(['13']);
    }
  }
});

test('7.2.2: a handshake that is refused ends with the connection', async () => {
  for (const headers of [{ Upgrade: 'h2c' }, { 'Sec-WebSocket-Key': '' }, { 'Sec-WebSocket-Version': '8' }]) {
    await new RawSocket(echo.port).send(handshake(headers)).end();
    await new RawSocket(gateway.port).send(handshake(headers, 'GET /v1/ws')).end();
  }
});

test('8.1: what is to be read as UTF-8 in the handshake must be', async () => {
  for (const query of ['channel=%ff', 'channel=a%c3', 'channel=%ed%a0%80']) {
    const socket = await new RawSocket(gateway.port).send(handshake({}, `GET /v1/ws?${query}`)).end();
    expect(readAnswer(socket.text).status, query).toBe(400);
  }
});

test('11.3.1: a request with more than one Sec-WebSocket-Key is refused', async () => {
  await expectRefused('the same twice', { 'Sec-WebSocket-Key': [KEY, KEY] }, 400);
  await expectRefused('two in one line', { 'Sec-WebSocket-Key': `${KEY}, ${KEY}` }, 400);
  await expectRefused('a bad one and a good one', { 'Sec-WebSocket-Key': ['', KEY] }, 400);
});

test('11.3.2: Sec-WebSocket-Extensions stands in an answer once, however many lines offered', async () => {
  const offers = ['permessage-deflate; server_max_window_bits=12', 'permessage-deflate', 'x-unknown'];
  for (const { status, headers } of await answers({ 'Sec-WebSocket-Extensions': offers })) {
    expect(status).toBe(101);
    expect(headers.get('sec-websocket-extensions')).toHaveLength(1);
  }
});

test('11.3.3: Sec-WebSocket-Accept stands in an answer once', async () => {
  for (const { headers } of await answers({ 'Sec-WebSocket-Accept': 'from the client' }))
    expect(headers.get('sec-websocket-accept')).toHaveLength(1);
});

test('11.3.4: Sec-WebSocket-Protocol stands in an answer once, however many lines offered', async () => {
  const [node, other] = await answers({ 'Sec-WebSocket-Protocol': ['fanfare.v1', 'echo', 'chat'] });
  expect(node?.headers.get('sec-websocket-protocol')).toEqual(['fanfare.v1']);
  expect(other?.headers.get('sec-websocket-protocol')).toEqual(['echo']);
});

test('11.3.5: a request with more than one Sec-WebSocket-Version is refused', async () => {
  await expectRefused('the same twice', { 'Sec-WebSocket-Version': ['13', '13'] }, 400, 426);
  await expectRefused('two', { 'Sec-WebSocket-Version': ['13', '8'] }, 400, 426);
});
