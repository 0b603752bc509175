import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';

const PUBLISH = '/v1/channels/smuggled/messages';
const JSON_TYPE = { 'Content-Type': 'application/json' };
/** The request that must never be carried out. */
const SMUGGLED = `${head(`POST ${PUBLISH}`, { ...JSON_TYPE, 'Content-Length': '10' })}{"data":1}`;
const EVIL = { Origin: 'https://evil.example' };

let gateway: Gateway;
let bystanders: Bystanders;
beforeAll(async () => {
  gateway = await startGateway();
  bystanders = await Bystanders.watch(gateway);
});
afterAll(async () => {
  await bystanders?.leave();
  await gateway?.kill();
});

/** Sends bytes with the smuggled request right behind them; what is answered until the node closes. */
async function answersTo(bytes: string): Promise<string[]> {
  const socket = await new RawSocket(gateway.port).send(bytes + SMUGGLED).end();
  return socket.text.match(/HTTP\/1\.1 \d{3}/g) ?? [];
}

async function expectNothingSmuggled(): Promise<void> {
  // Whatever was to be carried out has been by now: a publish takes less than this one and its answer.
  await exchange(gateway.url, '/v1/channels/other/messages', {
    method: 'POST',
    headers: JSON_TYPE,
    body: '{"data":1}',
  });
  expect((await exchange(gateway.url, PUBLISH)).json.messages).toEqual([]);
}

/** A publish with these lines in its head. */
const withLines = (lines: string, body: string): string =>
  `POST /v1/channels/front/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines}\r\n${body}`;
const withLength = (lines: string): string => withLines(lines, '{"data":1}');
const chunked = (body: string, lines = ''): string => withLines(`Transfer-Encoding: chunked\r\n${lines}`, body);
const CHUNK = 'a\r\n{"data":1}\r\n';

describe('what another server might read in another way is refused, the connection is closed, and nothing behind it is done', () => {
  test.for<[string, string]>([
    ['a length and chunks', withLines('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['chunks and a length', withLines('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n')],
    ['two lengths', withLength('Content-Length: 10\r\nContent-Length: 11\r\n')],
    ['the same length twice', withLength('Content-Length: 10\r\nContent-Length: 10\r\n')],
    ['a list of lengths', withLength('Content-Length: 10, 10\r\n')],
    ['a length with a sign', withLength('Content-Length: +10\r\n')],
    ['a negative length', withLength('Content-Length: -1\r\n')],
    ['a length in hexadecimal', withLength('Content-Length: 0xa\r\n')],
    ['a length with a space in it', withLength('Content-Length: 1 0\r\n')],
    ['a length past all numbers', withLength('Content-Length: 99999999999999999999\r\n')],
    ['an empty length', withLength('Content-Length: \r\n')],
    ['a length with a space before its colon', withLength('Content-Length : 10\r\n')],
    ['chunks with a space before the colon', withLines('Transfer-Encoding : chunked\r\n', '0\r\n\r\n')],
    ['a coding that is not known', withLines('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
    ['a coding behind a vertical tab', withLines('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')],
    ['a coding behind chunked', withLines('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n')],
    ['chunked twice', withLines('Transfer-Encoding: chunked, chunked\r\n', `${CHUNK}0\r\n\r\n`)],
    ['chunked in two lines', chunked(`${CHUNK}0\r\n\r\n`, 'Transfer-Encoding: chunked\r\n')],
    ['no chunks at all', withLength('Transfer-Encoding: identity\r\n')],
    ['a line that goes on in the next', withLength('X-A: a\r\n b\r\nContent-Length: 10\r\n')],
    ['a coding that stands in the next line', withLines('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n')],
    ['a first header that goes on from nothing', 'GET / HTTP/1.1\r\n X: x\r\nHost: localhost\r\n\r\n'],
    ['a bare CR in a value', withLength('X-A: a\rContent-Length: 0\r\nContent-Length: 10\r\n')],
    ['a bare LF behind a value', withLength('X-A: a\nContent-Length: 10\r\n')],
    ['bare LFs behind all lines', 'GET /v1/openapi.json HTTP/1.1\nHost: localhost\n\n'],
    ['a NUL in a value', withLength('X-A: a\0b\r\nContent-Length: 10\r\n')],
    ['a space in a name', withLength('Content Length: 0\r\nContent-Length: 10\r\n')],
    ['no name', withLength(': 0\r\nContent-Length: 10\r\n')],
    ['a chunk of a size with a prefix', chunked('0xa\r\n{"data":1}\r\n0\r\n\r\n')],
    ['a chunk of a size past all numbers', chunked('10000000000000000a\r\n{"data":1}\r\n0\r\n\r\n')],
    ['a chunk of a negative size', chunked('-a\r\n{"data":1}\r\n0\r\n\r\n')],
    ['a chunk size that ends with a bare LF', chunked('a\n{"data":1}\r\n0\r\n\r\n')],
    ['a bare CR in what follows a chunk size', chunked('a;\rx\r\n{"data":1}\r\n0\r\n\r\n')],
    ['a bare LF in what follows a chunk size', chunked('a;\nx\r\n{"data":1}\r\n0\r\n\r\n')],
    ['a chunk longer than it says', chunked('9\r\n{"data":1}\r\n0\r\n\r\n')],
    ['a chunk that does not end with a line break', chunked('a\r\n{"data":1}0\r\n\r\n')],
    ['a length behind the chunks', chunked(`${CHUNK}0\r\nContent-Length: 99\r\n\r\n`)],
    ['a coding behind the chunks', chunked(`${CHUNK}0\r\nTransfer-Encoding: chunked\r\n\r\n`)],
    ['another version', 'GET /v1/openapi.json HTTP/1.2\r\nHost: localhost\r\n\r\n'],
    ['no version', 'GET /v1/openapi.json\r\n'],
    ['a line feed in the target', 'GET /v1/openapi.json\n HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['no Host', 'GET /v1/openapi.json HTTP/1.1\r\n\r\n'],
    ['two Hosts', head('GET /v1/openapi.json', { Host: ['localhost', 'localhost'] })],
    ['a Host that is none', head('GET /v1/openapi.json', { Host: 'localhost/v1' })],
    ['two Hosts, for a stream', head('GET /v1/sse?channel=a', { Host: ['localhost', 'other'] })],
    ['two Hosts, for a WebSocket', head('GET /v1/ws', { ...WEBSOCKET_HEADERS, Host: ['localhost', 'other'] })],
  ])('%s', async ([, bytes]) => {
    expect(await answersTo(bytes)).toEqual(['HTTP/1.1 400']);
    await expectNothingSmuggled();
  });

  test.for<[string, string]>([
    ['with more than 32 KiB', head('GET /v1/sse?channel=a', { 'X-Long': 'x'.repeat(32 * 1024) })],
    ['with a thousand fields', head('GET /v1/sse?channel=a', { 'X-Many': Array<string>(1000).fill('x') })],
    [
      'whose second Host comes behind a thousand fields',
      `${head('GET /', { X: Array<string>(1000).fill('x') }).slice(0, -2)}Host: b\r\n\r\n`,
    ],
  ])('a head %s (431)', async ([, bytes]) => {
    expect(await answersTo(bytes)).toEqual(['HTTP/1.1 431']);
    await expectNothingSmuggled();
  });
});

test.for<[string, string, string[]]>([
  ['an event stream', head('GET /v1/sse?channel=a'), []],
  ['an event stream of HTTP/1.0', 'GET /v1/sse?channel=a HTTP/1.0\r\n\r\n', ['400']],
  ['the head of an event stream', head('HEAD /v1/sse?channel=a'), ['200']],
  [
    'an event stream that was asked for with a body',
    `${head('GET /v1/sse?channel=a', { 'Content-Length': '4' })}body`,
    ['400'],
  ],
  ['an event stream for a page that may not', head('GET /v1/sse?channel=a', EVIL), ['403']],
  ['a request of a page that may not', head('GET /v1/openapi.json', EVIL), ['403']],
  ['a WebSocket', head('GET /v1/ws', WEBSOCKET_HEADERS), ['101']],
  [
    'a WebSocket of another version',
    head('GET /v1/ws', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Version': '8' }),
    ['426'],
  ],
  ['a WebSocket without a key', head('GET /v1/ws', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Key': [] }), ['400']],
  ['a WebSocket that was asked for with POST', head('POST /v1/ws', WEBSOCKET_HEADERS), ['405']],
  [
    'a WebSocket with a body',
    head('GET /v1/ws', { ...WEBSOCKET_HEADERS, 'Content-Length': String(SMUGGLED.length) }),
    ['400'],
  ],
  ['a WebSocket for a page that may not', head('GET /v1/ws', { ...WEBSOCKET_HEADERS, ...EVIL }), ['403']],
  ['a tunnel', head('CONNECT localhost:80'), []],
  ['a request that says that it is the last', head('GET /v1/openapi.json', { Connection: 'close' }), ['200']],
])('a request that is hidden behind %s is not carried out', async ([, bytes, answers]) => {
  expect(await answersTo(bytes)).toEqual(answers.map((status) => `HTTP/1.1 ${status}`));
  await expectNothingSmuggled();
});

test('a target with a scheme and another host is served as if it had none, and is no way around the origin check', async () => {
  for (const [path, headers] of [
    ['/v1/ws', WEBSOCKET_HEADERS],
    ['/v1/sse?channel=a', {}],
  ] as const) {
    const plain = await new RawSocket(gateway.port)
      .send(head(`GET http://other.example${path}`, headers))
      .hears('\r\n\r\n');
    expect(plain.text).toMatch(/^HTTP\/1\.1 (101|200) /);
    plain.close();
    const page = head(`GET http://other.example${path}`, { ...headers, Origin: 'http://other.example' });
    expect((await new RawSocket(gateway.port).send(page).end()).text).toMatch(/^HTTP\/1\.1 403 /);
  }
});
