import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from '../../../src/errors.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem } from '../../support/http-exchange.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { freePort } from '../../support/redis-local.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

/** What is answered to a handshake that is refused. */
async function refusal(gateway: Gateway, request: string): Promise<{ status: number; head: string; body: string }> {
  const socket = await new RawSocket(gateway.port).send(request).hears('"}');
  const [top = '', body = ''] = socket.text.split('\r\n\r\n', 2);
  return { status: Number(top.split(' ')[1]), head: top.toLowerCase(), body };
}

function expectRefusal(answer: { status: number; head: string; body: string }, code: ErrorCode): void {
  const { status, title } = ERRORS[code];
  expect(answer.status).toBe(status);
  expect(answer.head).toContain('content-type: application/problem+json');
  expect(answer.head).toContain('connection: ');
  const { detail, ...rest } = JSON.parse(answer.body) as Record<string, unknown>;
  expect(rest).toEqual({ type: 'about:blank', title, status, code });
  expect(detail).toMatch(/\S/);
}

describe('a handshake', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ FANFARE_MAX_CHANNELS_PER_CONNECTION: '2' });
  });
  afterAll(() => gateway?.kill());

  test('a plain GET is told to upgrade, and to what', async () => {
    const answer = await exchange(gateway.url, '/v1/ws');
    expectProblem(answer, 'upgrade_required');
    expect(answer.headers.upgrade).toBe('websocket');
  });

  test.for<[string, string]>([
    ['another version', head('GET /v1/ws', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Version': '8' })],
    ['another protocol', head('GET /v1/ws', { ...WEBSOCKET_HEADERS, Upgrade: 'h2c' })],
  ])('with %s is told what this address speaks', async ([, request]) => {
    const answer = await refusal(gateway, request as string);
    expectRefusal(answer, 'upgrade_required');
    expect(answer.head).toContain('upgrade: websocket');
    expect(answer.head).toContain('sec-websocket-version: 13');
  });

  test.for<[string, ErrorCode, string]>([
    ['no key', 'invalid_request', head('GET /v1/ws', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Key': '' })],
    [
      'a key that is too short',
      'invalid_request',
      head('GET /v1/ws', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Key': 'AAAA' }),
    ],
    ['a body', 'invalid_request', `${head('GET /v1/ws', { ...WEBSOCKET_HEADERS, 'Content-Length': '4' })}body`],
    ['POST', 'method_not_allowed', head('POST /v1/ws', WEBSOCKET_HEADERS)],
    ['an unknown parameter', 'invalid_request', head('GET /v1/ws?chanel=a', WEBSOCKET_HEADERS)],
    ['a format', 'invalid_request', head('GET /v1/ws?channel=a&format=raw', WEBSOCKET_HEADERS)],
    ['a bad channel', 'invalid_channel', head('GET /v1/ws?channel=a%2Fb', WEBSOCKET_HEADERS)],
    ['too many channels', 'too_many_channels', head('GET /v1/ws?channel=a&channel=b&channel=c', WEBSOCKET_HEADERS)],
    ['after and last', 'invalid_request', head('GET /v1/ws?channel=a&after=1-0&last=1', WEBSOCKET_HEADERS)],
    ['another path', 'not_found', head('GET /v1/websocket', WEBSOCKET_HEADERS)],
  ])('that is wrong is refused and says why: %s', async ([, code, request]) => {
    expectRefusal(await refusal(gateway, request), code);
  });

  test('of a page of another origin is refused, one of its own is taken', async () => {
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${gateway.port + 1}`])
      expectRefusal(await refusal(gateway, head('GET /v1/ws', { ...WEBSOCKET_HEADERS, Origin: origin })), 'forbidden');
    const [, host = ''] = /Host: (\S+)/i.exec(head('GET /v1/ws', WEBSOCKET_HEADERS)) ?? [];
    const own = head('GET /v1/ws', { ...WEBSOCKET_HEADERS, Origin: `http://${host}` });
    (await new RawSocket(gateway.port).send(own).hears('"welcome"')).close();
  });

  test('may offer subprotocols and extensions that are not known, of which none is taken', async () => {
    const offers = { 'Sec-WebSocket-Protocol': 'chat', 'Sec-WebSocket-Extensions': 'x-unknown; a=1' };
    const socket = await new RawSocket(gateway.port)
      .send(head('GET /v1/ws', { ...WEBSOCKET_HEADERS, ...offers }))
      .hears('"welcome"');
    expect(socket.text.toLowerCase()).not.toMatch(/sec-websocket-(protocol|extensions)/);
    socket.close();
  });

  test('may offer fanfare.v1 and permessage-deflate, which are taken', async () => {
    const offers = { 'Sec-WebSocket-Protocol': 'chat, fanfare.v1', 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    const socket = await new RawSocket(gateway.port)
      .send(head('GET /v1/ws', { ...WEBSOCKET_HEADERS, ...offers }))
      .hears('"welcome"');
    expect(socket.text).toContain('\r\nSec-WebSocket-Protocol: fanfare.v1\r\n');
    expect(socket.text).toMatch(
      /\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n/,
    );
    socket.close();
  });

  test('may write its header values in any case, in lists', async () => {
    const headers = { ...WEBSOCKET_HEADERS, Upgrade: 'WebSocket', Connection: 'keep-alive, UPGRADE' };
    const socket = await new RawSocket(gateway.port).send(head('GET /v1/ws', headers)).hears('"welcome"');
    socket.close();
  });

  test('that comes in pieces is a handshake', async () => {
    const socket = new RawSocket(gateway.port);
    for (const piece of head('GET /v1/ws', WEBSOCKET_HEADERS).match(/[\s\S]{1,9}/g) ?? []) socket.send(piece);
    await socket.hears('"welcome"');
    socket.close();
  });

  test('that is refused is counted by its code', async () => {
    const count = () => metric(gateway, 'fanfare_connections_refused_total', 'reason="invalid_channel"');
    const before = await count();
    await refusal(gateway, head('GET /v1/ws?channel=a%2Fb', WEBSOCKET_HEADERS));
    expect((await count()) - before).toBe(1);
  });
});

test('a full node closes with 1013, and says why and when to come back', async () => {
  const gateway = await startGateway({ FANFARE_MAX_CONNECTIONS: '1' });
  try {
    const first = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
    const refused = new RawWebSocket(gateway.port);
    expect(await refused.closeFrame()).toEqual({ code: 1013, reason: 'full' });
    expect(refused.text).toMatch(/"type":"error","code":"full","detail":"[^"]*come back after/);
    await refused.end();
    expect(await metric(gateway, 'fanfare_connections_refused_total', 'reason="full"')).toBe(1);
    first.close();
    await until(async () => (await metric(gateway, 'fanfare_connections', 'transport="websocket"')) === 0, 'room');
    const next = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
    expect(next.of('welcome')).toHaveLength(1);
    next.close();
  } finally {
    await gateway.kill();
  }
});

test('a node that has not read its log yet closes with 1013, and says why and when to come back', async () => {
  const gateway = await startGateway({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` }, 'listening');
  try {
    const refused = new RawWebSocket(gateway.port);
    expect(await refused.closeFrame()).toEqual({ code: 1013, reason: 'starting' });
    expect(refused.text).toMatch(/"type":"error","code":"starting","detail":"[^"]*come back after/);
    refused.close();
  } finally {
    await gateway.kill();
  }
});
