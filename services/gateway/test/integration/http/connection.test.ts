import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { until } from '../../support/until.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const publishOf = (channel: string, headers: Record<string, string> = {}): string =>
  `${head(`POST /v1/channels/${channel}/messages`, { ...JSON_TYPE, 'Content-Length': '10', ...headers })}{"data":1}`;

describe('bytes that are no request', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(() => gateway?.kill());

  /** What is answered to bytes after which the node closes. */
  async function answerTo(bytes: string): Promise<{ status: number; head: string; problem: Record<string, unknown> }> {
    const socket = await new RawSocket(gateway.port).send(bytes).end();
    const [top = '', body = ''] = socket.text.split('\r\n\r\n', 2);
    return { status: Number(top.split(' ')[1]), head: top.toLowerCase(), problem: body === '' ? {} : JSON.parse(body) };
  }

  test.for<[string, string]>([
    ['a word', 'NONSENSE\r\n\r\n'],
    ['a method that does not exist', head('BREW /v1/messages')],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n'],
    ['a header with a NUL', 'GET / HTTP/1.1\r\nHost: x\r\nA: a\0b\r\n\r\n'],
    ['a length that is no number', head('POST /v1/messages', { ...JSON_TYPE, 'Content-Length': 'ten' })],
    [
      'a length and chunks',
      head('POST /v1/messages', { ...JSON_TYPE, 'Content-Length': '1', 'Transfer-Encoding': 'chunked' }),
    ],
    [
      'a chunk whose size is no number',
      `${head('POST /v1/messages', { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' })}zz\r\n`,
    ],
    ['no Host', 'GET /v1/openapi.json HTTP/1.1\r\n\r\n'],
  ])('are answered with a problem, and the connection is closed: %s', async ([, bytes]) => {
    const answer = await answerTo(bytes);
    expect(answer.status).toBe(400);
    expect(answer.head).toContain('content-type: application/problem+json');
    expect(answer.head).toContain('connection: close');
    expect(answer.problem).toMatchObject({ type: 'about:blank', status: 400, code: 'invalid_request' });
    expect(answer.problem.detail).toMatch(/\S/);
  });

  test('a head over 32 KiB is headers_too_large, wherever it goes', async () => {
    for (const path of ['/v1/openapi.json', '/v1/sse?channel=a', '/v1/ws']) {
      const answer = await answerTo(head(`GET ${path}`, { 'X-Filler': 'x'.repeat(32 * 1024) }));
      expect(answer.status).toBe(431);
      expect(answer.problem).toMatchObject({ status: 431, code: 'headers_too_large' });
    }
  });

  test('an upgrade that nobody offers is ignored (RFC 9110, 7.8): curl --http2 and Java ask for h2c at every first request', async () => {
    const h2c = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' };
    const publish = await new RawSocket(gateway.port).send(publishOf('h2c', h2c)).hears('\r\n\r\n{');
    expect(publish.text).toMatch(/^HTTP\/1\.1 201 /);
    const read = await new RawSocket(gateway.port).send(head('GET /v1/channels/h2c/messages', h2c)).hears('\r\n\r\n{');
    expect(read.text).toMatch(/^HTTP\/1\.1 200 /);
    const stream = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=h2c', h2c)).hears('\r\n\r\n');
    expect(stream.text).toMatch(/^HTTP\/1\.1 200 /);
    for (const socket of [publish, read, stream]) socket.close();
  });

  test('a request may name its target with scheme and host (RFC 9112, 3.2.2), for a stream too', async () => {
    for (const path of ['/v1/openapi.json', '/v1/sse?channel=absolute']) {
      const socket = await new RawSocket(gateway.port).send(head(`GET http://localhost${path}`)).hears('\r\n\r\n');
      expect(socket.text).toMatch(/^HTTP\/1\.1 200 /);
      socket.close();
    }
  });

  test('requests that come in pieces, or several in one, are answered each and in order', async () => {
    const socket = new RawSocket(gateway.port);
    const all =
      publishOf('pieces') + head('GET /v1/none') + publishOf('pieces') + head('GET /v1/channels/pieces/messages');
    for (const piece of all.match(/[\s\S]{1,7}/g) ?? []) socket.send(piece);
    await socket.hears('"gap":false}');
    expect(socket.text.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['201', '404', '201', '200']);
    socket.close();
  });

  test('a client that leaves in the middle of its request harms nothing', async () => {
    for (const bytes of [
      'GET /v1/openapi.json HT',
      head('POST /v1/messages', { ...JSON_TYPE, 'Content-Length': '99' }),
    ]) {
      const socket = new RawSocket(gateway.port).send(bytes);
      await until(() => socket.socket.bytesWritten >= bytes.length, 'the bytes to be sent');
      socket.close();
    }
    expect((await exchange(gateway.url, '/v1/openapi.json')).status).toBe(200);
    expect(gateway.process.exitCode).toBe(null);
  });
});

describe('requests in one connection with a stream', () => {
  const WAIT = head('GET /v1/channels/waiting/messages?wait=60');

  /** Sends bytes to a node of its own; the node must outlive them, and serve others. */
  async function withNode(bytes: string, then: (socket: RawSocket, gateway: Gateway) => Promise<void>): Promise<void> {
    const gateway = await startGateway();
    try {
      const socket = new RawSocket(gateway.port).send(bytes);
      await then(socket, gateway);
      socket.close();
      expect((await exchange(gateway.url, '/v1/openapi.json')).status).toBe(200);
      expect(gateway.process.exitCode).toBe(null);
    } finally {
      await gateway.kill();
    }
  }

  test('a stream that is asked for behind a request that still waits comes after its answer, or not at all', async () => {
    await withNode(WAIT + head('GET /v1/sse?channel=stream'), async (socket, gateway) => {
      expect((await exchange(gateway.url, '/v1/openapi.json')).status).toBe(200);
      await exchange(gateway.url, '/v1/channels/waiting/messages', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"data":1}',
      });
      await until(() => socket.text.includes('"gap":false}') || socket.ended, 'the first answer');
      expect(socket.text.indexOf(': fanfare')).not.toBe(0);
      const [, stream] = socket.text.split('"gap":false}');
      if (socket.text !== '') expect(stream ?? '').toMatch(/^$|^HTTP\/1\.1 /);
    });
  });

  test('a WebSocket that is asked for behind a request that still waits does not mix with its answer', async () => {
    await withNode(WAIT + head('GET /v1/ws', WEBSOCKET_HEADERS), async (socket, gateway) => {
      expect((await exchange(gateway.url, '/v1/openapi.json')).status).toBe(200);
      await exchange(gateway.url, '/v1/channels/waiting/messages', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"data":1}',
      });
      await until(() => socket.text.includes('"gap":false}') || socket.ended, 'the first answer');
      const opened = socket.text.indexOf('101 Switching Protocols');
      const answered = socket.text.indexOf('"gap":false}');
      if (opened !== -1) expect(answered).toBeLessThan(opened);
    });
  });

  test('a stream that is asked for right behind a refusal is not opened in its place, and harms nothing', async () => {
    const first = ['GET /v1/sse', 'HEAD /v1/sse?channel=a', 'PUT /v1/sse', 'GET /v1/nothing'];
    for (const request of first)
      for (const second of [head('GET /v1/sse?channel=a'), head('GET /v1/ws', WEBSOCKET_HEADERS)])
        await withNode(head(request) + second, async (socket) => {
          await until(() => socket.ended || socket.text.includes('\r\n\r\n'), 'an answer, or the end');
          expect(socket.text).not.toMatch(/^HTTP\/1\.1 101/);
        });
  });

  test('a request behind a stream has no answer, and harms nothing', async () => {
    for (const second of ['/v1/openapi.json', '/v1/sse?channel=b', '/v1/channels/a/messages?wait=1'])
      await withNode(head('GET /v1/sse?channel=a') + head(`GET ${second}`), async (socket) => {
        await until(() => socket.ended || socket.text.includes('\n\n'), 'the stream, or its end');
        expect(socket.text.match(/HTTP\/1\.1/g) ?? []).toHaveLength(socket.text === '' ? 0 : 1);
      });
  });

  test('what comes on a stream after it has begun is dropped, and the stream goes on', async () => {
    await withNode(head('GET /v1/sse?channel=a'), async (socket, gateway) => {
      await socket.hears('\n\n');
      socket.send(head('GET /v1/openapi.json')).send('nonsense'.repeat(1000));
      await new RawSocket(gateway.port).send(publishOf('a')).hears('201');
      await socket.hears('data: 1\n\n');
      expect(socket.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    });
  });
});
