import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERRORS } from '../../../../src/errors.ts';
import {
  checkHandshake,
  type HandshakeOutcome,
  switchingProtocols,
} from '../../../../src/transports/websocket/handshake.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The header lines of the handshake in RFC 6455, 1.3. */
const GOOD: readonly string[] = [
  'Host: server.example.com',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Key: ${KEY}`,
  'Origin: http://example.com',
  'Sec-WebSocket-Version: 13',
];

let server: Server;
let checked: (outcome: HandshakeOutcome) => void;

beforeAll(async () => {
  const check = (request: IncomingMessage) => {
    checked(checkHandshake(request, { subprotocols: ['chat.v2', 'chat'], deflate: true }));
    request.socket.destroy();
  };
  server = createServer({ requireHostHeader: false }, check);
  server.on('upgrade', check);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(async () => {
  server.close();
  await once(server, 'close');
});

/** What becomes of a request, read by Node's own HTTP parser. */
async function check(
  lines: readonly string[],
  requestLine = 'GET /chat HTTP/1.1',
  body = '',
): Promise<HandshakeOutcome> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  const outcome = new Promise<HandshakeOutcome>((resolve) => {
    checked = resolve;
  });
  socket.write(`${[requestLine, ...lines].join('\r\n')}\r\n\r\n${body}`);
  try {
    return await outcome;
  } finally {
    socket.destroy();
  }
}

/** The good handshake with one header changed: another value, several lines, or none. */
function withHeader(name: string, ...values: string[]): string[] {
  const others = GOOD.filter((line) => !line.startsWith(`${name}:`));
  return [...others, ...values.map((value) => `${name}: ${value}`)];
}

describe('a handshake that is taken (RFC 6455 4.2.1)', () => {
  test('the example of RFC 6455 1.3', async () => {
    expect(await check(GOOD)).toEqual({
      accept: 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      subprotocol: undefined,
      extensions: undefined,
    });
  });

  test('the key of RFC 6455 4.1, whose last digit has bits to spare', async () => {
    expect(await check(withHeader('Sec-WebSocket-Key', 'AQIDBAUGBwgJCgsMDQ4PEC=='))).toHaveProperty('accept');
  });

  test('the accept value is the hash of the key and the protocol’s own id', async () => {
    const key = Buffer.alloc(16, 0xff).toString('base64');
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    expect(await check(withHeader('Sec-WebSocket-Key', key))).toMatchObject({ accept });
  });

  test.each([
    ['Upgrade', ['WebSocket']],
    ['Upgrade', ['h2c, WEBSOCKET']],
    ['Upgrade', ['h2c', 'websocket']],
    ['Connection', ['keep-alive, Upgrade']],
    ['Connection', ['keep-alive,upgrade ,close']],
    ['Connection', ['keep-alive', 'UPGRADE']],
    ['Host', ['[::1]:8080']],
    ['Origin', []],
    ['Content-Length', ['0']],
    ['Sec-WebSocket-Protocol', ['chat, superchat']],
    ['Sec-WebSocket-Extensions', ['permessage-deflate; client_max_window_bits']],
  ])('%s: %j', async (name, values) => {
    expect(await check(withHeader(name, ...values))).toHaveProperty('accept');
  });
});

describe('what is agreed on', () => {
  test.each([
    [['chat'], 'chat'],
    [['soap, chat.v2, chat'], 'chat.v2'],
    [['chat', 'chat.v2'], 'chat'],
    [['soap'], undefined],
    [['Chat'], undefined],
  ])('of the subprotocols %j it is the client’s first that is spoken here: %s', async (lines, subprotocol) => {
    expect(await check(withHeader('Sec-WebSocket-Protocol', ...lines))).toMatchObject({ subprotocol });
  });

  test.each([
    [['permessage-deflate; client_max_window_bits'], /^permessage-deflate; /],
    [['x-webkit-deflate-frame', 'permessage-deflate'], /^permessage-deflate; /],
  ])('of the extensions %j it is permessage-deflate, without context takeover', async (lines, expected) => {
    const outcome = await check(withHeader('Sec-WebSocket-Extensions', ...lines));
    expect(outcome).toMatchObject({ extensions: expect.stringMatching(expected) });
    expect(outcome).toMatchObject({ extensions: expect.stringContaining('server_no_context_takeover') });
    expect(outcome).toMatchObject({ extensions: expect.stringContaining('client_no_context_takeover') });
  });

  test('an extension that is not known is declined, not refused', async () => {
    const outcome = await check(withHeader('Sec-WebSocket-Extensions', 'x-unknown; a=1'));
    expect(outcome).toMatchObject({ accept: expect.any(String), extensions: undefined });
  });
});

describe('a handshake that is refused (RFC 6455 4.2.1)', () => {
  test.each([
    ['an old HTTP', 'GET /chat HTTP/1.0', GOOD],
    ['no Host', undefined, withHeader('Host')],
    ['an empty Host', undefined, withHeader('Host', '')],
    ['two Hosts', undefined, withHeader('Host', 'a.example', 'b.example')],
    ['a Connection that does not name Upgrade', undefined, withHeader('Connection', 'upgraded, xupgrade, upgrade/1')],
    ['no key', undefined, withHeader('Sec-WebSocket-Key')],
    ['an empty key', undefined, withHeader('Sec-WebSocket-Key', '')],
    ['a key of 15 bytes', undefined, withHeader('Sec-WebSocket-Key', Buffer.alloc(15).toString('base64'))],
    ['a key of 17 bytes', undefined, withHeader('Sec-WebSocket-Key', Buffer.alloc(17).toString('base64'))],
    ['a key of 18 bytes', undefined, withHeader('Sec-WebSocket-Key', Buffer.alloc(18).toString('base64'))],
    ['a key without its padding', undefined, withHeader('Sec-WebSocket-Key', KEY.slice(0, -2))],
    ['a key in base64url', undefined, withHeader('Sec-WebSocket-Key', '__________________-_-w==')],
    ['a key that is not base64', undefined, withHeader('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25j*Q==')],
    ['a subprotocol twice', undefined, withHeader('Sec-WebSocket-Protocol', 'chat, chat')],
    ['a subprotocol that is no token', undefined, withHeader('Sec-WebSocket-Protocol', 'chat room')],
    ['extensions that are no list', undefined, withHeader('Sec-WebSocket-Extensions', 'permessage-deflate; =')],
    ['two keys', undefined, withHeader('Sec-WebSocket-Key', KEY, KEY)],
  ] as const)('%s is a 400', async (_what, requestLine, lines) => {
    const { refusal } = await check(lines, requestLine);
    expect(refusal).toEqual({ status: 400, code: 'invalid_request', detail: expect.stringMatching(/./) });
  });

  test.each([
    ['of three bytes', withHeader('Content-Length', '3'), 'abc'],
    ['in chunks', withHeader('Transfer-Encoding', 'chunked'), '3\r\nabc\r\n0\r\n\r\n'],
  ])('a body %s is a 400, since its bytes are no frames', async (_what, lines, body) => {
    expect((await check(lines, undefined, body)).refusal).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  test.each(['POST', 'HEAD', 'OPTIONS'])('%s is a 405 that names GET', async (method) => {
    expect((await check(GOOD, `${method} /chat HTTP/1.1`)).refusal).toEqual({
      status: 405,
      code: 'method_not_allowed',
      detail: `a WebSocket is opened with GET, not ${method}`,
      headers: { Allow: 'GET' },
    });
  });

  test.each([
    ['no Upgrade', withHeader('Upgrade')],
    ['another Upgrade', withHeader('Upgrade', 'h2c, websocket/13, websockets')],
    ['no version', withHeader('Sec-WebSocket-Version')],
    ['version 8', withHeader('Sec-WebSocket-Version', '8')],
    ['version 013', withHeader('Sec-WebSocket-Version', '013')],
    ['two versions', withHeader('Sec-WebSocket-Version', '8', '13')],
  ])('%s is a 426 that names websocket and its version 13 (RFC 6455 4.4)', async (_what, lines) => {
    expect((await check(lines)).refusal).toEqual({
      status: 426,
      code: 'upgrade_required',
      detail: expect.stringMatching(/Upgrade|Sec-WebSocket-Version/),
      headers: { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' },
    });
  });

  test('the status is the one of its code', async () => {
    for (const lines of [withHeader('Host'), withHeader('Upgrade'), withHeader('Sec-WebSocket-Version')]) {
      const { refusal } = await check(lines);
      expect(refusal?.status).toBe(refusal && ERRORS[refusal.code].status);
    }
  });
});

test('the answer that opens the WebSocket names what was agreed on', () => {
  const head = switchingProtocols({ accept: 'x', subprotocol: 'chat', extensions: 'permessage-deflate; a' });
  expect(head).toContain('\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate; a\r\n\r\n');
});

test('the answer that opens the WebSocket is that of RFC 6455 4.2.2', () => {
  const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
  expect(switchingProtocols({ accept, subprotocol: undefined, extensions: undefined })).toBe(
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      '\r\n',
    ].join('\r\n'),
  );
});
