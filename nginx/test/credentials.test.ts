import { once } from 'node:events';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { until } from '../../services/gateway/test/support/until.ts';
import { deadPort, type Edge, type EdgeOptions, type StandIn, startEdge, startStandIn } from './edge.ts';
import { Http2Client } from './http2-client.ts';

const stops: (() => void | Promise<void>)[] = [];
const keep = <T extends { stop(): Promise<void> }>(what: T): T => {
  stops.push(() => what.stop());
  return what;
};
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

type Ask = (
  path: string,
  options?: { method?: string; headers?: Record<string, string>; body?: string },
) => Promise<Answer>;

/** One request by HTTP/1.1, or by HTTP/2 where the edge has TLS. */
async function asker(edge: Edge): Promise<Ask> {
  if (edge.url.startsWith('http:'))
    return async (path, options) => {
      const response = await fetch(edge.url + path, options);
      const headers = { ...Object.fromEntries(response.headers), 'set-cookie': response.headers.getSetCookie() };
      return { status: response.status, headers, text: await response.text() };
    };
  const client = await new Http2Client(edge.url).open();
  stops.push(() => client.close());
  return (path, { method = 'GET', headers = {}, body } = {}) =>
    client.request(path, { ':method': method, ...headers }, body).end();
}

const start = async (listener: RequestListener, tls: boolean): Promise<{ node: StandIn; edge: Edge; ask: Ask }> => {
  const node = keep(await startStandIn(listener));
  const edge = keep(await startEdge([node.port], { tls }));
  return { node, edge, ask: await asker(edge) };
};

const PROBLEM = 'application/problem+json; charset=utf-8';

describe.each([
  ['HTTP/1.1', false],
  ['TLS and HTTP/2', true],
] as const)('by %s', (_protocol, tls) => {
  test('a stream may set as many cookies as fit into 4 KiB', async () => {
    const cookies = Array.from(
      { length: 30 },
      (_, i) => `ff_${String(i).padStart(8, '0')}=${'v'.repeat(22)}; Path=/v1; Max-Age=3600; HttpOnly; SameSite=Strict`,
    );
    const { ask } = await start((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'set-cookie': cookies });
      response.end('retry: 1\n\n');
    }, tls);
    const { status, headers } = await ask('/v1/sse?channel=a&ticket=x');
    expect(status).toBe(200);
    expect(headers['set-cookie']).toEqual(cookies);
  });

  test.each([
    [401, { 'www-authenticate': 'Bearer realm="fanfare"' }],
    [403, {}],
    [429, { 'retry-after': '7' }],
  ])('a %i of a node to a stream passes as it is: coming back would change nothing', async (code, more) => {
    const body = JSON.stringify({ status: code, code: 'x' });
    const { ask } = await start((_request, response) => {
      response.writeHead(code, { 'content-type': PROBLEM, 'set-cookie': 'a=; Max-Age=0', ...more }).end(body);
    }, tls);
    const { status, headers, text } = await ask('/v1/sse?channel=a');
    expect([status, text]).toEqual([code, body]);
    expect(headers).toMatchObject({ 'content-type': PROBLEM, 'set-cookie': ['a=; Max-Age=0'], ...more });
  });

  test.each(['/v1/tickets', '/v1/disconnect'])(
    'POST %s passes with what says who asks, and so does its answer',
    async (path) => {
      const seen: IncomingHttpHeaders[] = [];
      const { node, ask } = await start((request, response) => {
        seen.push(request.headers);
        response.writeHead(201, { 'content-type': 'application/json', 'cache-control': 'no-store' });
        request.resume().on('end', () => response.end('{"ticket":"fft_x"}'));
      }, tls);
      const own = { authorization: 'Bearer a.b.c', cookie: 'token=a.b.c; other=1', origin: 'https://app.example' };
      const { status, headers, text } = await ask(path, { method: 'POST', headers: own });
      expect(node.requests).toEqual([`POST ${path}`]);
      expect(seen[0]).toMatchObject(own);
      expect([status, text]).toEqual([201, '{"ticket":"fft_x"}']);
      expect(headers['cache-control']).toBe('no-store');
    },
  );

  test('what speaks TLS in front of the edge may say so; nothing else about the scheme is believed', async () => {
    const { ask } = await start((request, response) => response.end(String(request.headers['x-forwarded-proto'])), tls);
    const own = tls ? 'https' : 'http';
    const heard = async (value: string) => (await ask('/v1/x', { headers: { 'x-forwarded-proto': value } })).text;
    for (const value of ['https', 'HTTPS', 'https, http']) expect(await heard(value)).toBe('https');
    for (const value of ['http', 'httpsx', 'http, https', 'ftp']) expect(await heard(value)).toBe(own);
  });

  test('a WebSocket handshake sets cookies, and a 401 to it passes as it is', async () => {
    const { node, edge } = await start(() => {}, tls);
    const server = new WebSocketServer({
      server: node.server,
      verifyClient: ({ req }, done) =>
        done(req.url?.includes('ticket=good') === true, 401, '', { 'www-authenticate': 'Bearer' }),
    });
    stops.push(() => server.close());
    const cookies = ['ff_1=v; Path=/v1; HttpOnly', 'ff_2=; Max-Age=0'];
    server.on('headers', (headers) => headers.push(...cookies.map((cookie) => `Set-Cookie: ${cookie}`)));
    const url = `${edge.url.replace('http', 'ws')}/v1/ws`;

    const socket = new WebSocket(`${url}?ticket=good`, { rejectUnauthorized: false });
    const [{ headers }] = await once(socket, 'upgrade');
    expect(headers['set-cookie']).toEqual(cookies);
    socket.terminate();

    const [, refusal] = await once(
      new WebSocket(`${url}?ticket=bad`, { rejectUnauthorized: false }),
      'unexpected-response',
    );
    expect(refusal.statusCode).toBe(401);
    expect(refusal.headers['www-authenticate']).toBe('Bearer');
    refusal.destroy();
  });
});

describe.each([
  ['HTTP/1.1', false],
  ['TLS and HTTP/2', true],
] as const)('no log holds a ticket, a token, a cookie or a referrer, by %s', (_protocol, tls) => {
  const STREAMS = ['/v1/sse', '/v1/ws', '/v1//sse'];
  const PATHS = [...STREAMS, '/v1/sse/', '/v1/tickets', '/v1/channels/a/messages'];
  const headers = {
    authorization: 'Bearer secret-token',
    cookie: 'token=secret-cookie',
    referer: 'https://app.example/?token=secret-referrer',
    'user-agent': 'secret-agent',
  };

  /** All that an edge writes about requests, also such with a body that is too large. It is stopped then. */
  async function logsOf(nodePorts: readonly number[], options: EdgeOptions = {}, paths = PATHS): Promise<string> {
    const edge = await startEdge(nodePorts, { tls, maxBodyBytes: 1024, ...options });
    try {
      const ask = await asker(edge);
      for (const path of paths)
        for (const more of [{}, { method: 'POST' }, { method: 'POST', body: 'x'.repeat(2000) }])
          await ask(`${path}?ticket=fft_secret&token=secret`, { headers, ...more }).catch(() => {});
      const lines = () => edge.lines.filter((line) => line.includes('"path":"/v1/'));
      await until(() => lines().length === 3 * paths.length, 'a line of the access log for each request');
      for (const path of paths) expect(lines().filter((line) => line.includes(`"path":"${path}"`))).toHaveLength(3);
    } finally {
      await edge.stop();
    }
    return edge.lines.join('\n');
  }

  test.each([
    ['that answers', (_request, response) => response.end('{}')],
    ['that dies of each request', (request) => request.socket.destroy()],
    [
      'that dies in the middle of its answer',
      (request, response) => {
        response
          .writeHead(200, { 'content-type': 'text/event-stream', 'content-length': '1000' })
          .write(': begins\n\n');
        setImmediate(() => request.socket.destroy());
      },
    ],
    ['whose answer is none', (request) => request.socket.end('nonsense\r\n\r\n')],
  ] as [string, RequestListener][])('in front of a node %s', async (_name, listener) => {
    const node = keep(await startStandIn(listener));
    expect(await logsOf([node.port])).not.toMatch(/secret|ticket=/);
  });

  test('in front of nobody', async () => {
    expect(await logsOf([await deadPort(), await deadPort()])).not.toMatch(/secret|ticket=/);
  });

  test('of a stream also when NGINX itself cannot go on', async () => {
    // An address that no connection can be made to, as when there is no port left for it.
    const edit = (configuration: string) => configuration.replace(/server 127\.0\.0\.1:\d+/, 'server [fe80::1]:1');
    const logs = await logsOf([1], { edit }, STREAMS);
    expect(logs).toContain('"node":"[fe80::1]:1"');
    expect(logs).not.toMatch(/secret|ticket=/);
  });
});
