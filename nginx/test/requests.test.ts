import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ERRORS } from '../../services/gateway/src/errors.ts';
import { SseClient } from '../../services/gateway/test/support/sse-client.ts';
import { until } from '../../services/gateway/test/support/until.ts';
import { deadPort, type Edge, type StandIn, startEdge, startStandIn } from './edge.ts';

const stops: (() => Promise<void>)[] = [];
const keep = <T extends { stop(): Promise<void> }>(what: T): T => {
  stops.push(() => what.stop());
  return what;
};
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** A node that takes what it is sent and answers with its name. */
const answering = (name: string, port = 0): Promise<StandIn> =>
  startStandIn((request, response) => request.resume().on('end', () => response.end(name)), port);

/** A node that dies on each request once it has read all of it. */
const dying = (): Promise<StandIn> =>
  startStandIn((request) => request.resume().on('end', () => request.socket.destroy()));

const publish = (edge: Edge) =>
  fetch(`${edge.url}/v1/channels/a/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"data":1}',
  });

describe('publishing through the edge', () => {
  test('a POST goes to another node when one refuses the connection', async () => {
    const node = keep(await answering('alive'));
    const edge = keep(await startEdge([await deadPort(), node.port, await deadPort()]));
    for (let i = 0; i < 10; i++) expect(await (await publish(edge)).text()).toBe('alive');
    expect(node.requests).toHaveLength(10);
  });

  test('a POST that a node may have taken is not sent to another, and the answer says so', async () => {
    const nodes = [keep(await dying()), keep(await dying()), keep(await dying())];
    const edge = keep(await startEdge(nodes.map((node) => node.port)));
    const response = await publish(edge);
    expect(nodes.flatMap((node) => node.requests)).toEqual(['POST /v1/channels/a/messages']);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    const problem = (await response.json()) as Problem;
    expect(problem.code).toBe('unavailable');
    expect(problem.detail).toContain('may have been carried out');
  });

  test('a POST on a kept connection that the node closes meanwhile is not sent again either', async () => {
    const first = keep(
      await startStandIn((request, response) => {
        if (first.requests.length === 1) request.resume().on('end', () => response.end('taken'));
        else request.resume().on('end', () => request.socket.destroy());
      }),
    );
    const edge = keep(await startEdge([first.port, first.port]));
    expect(await (await publish(edge)).text()).toBe('taken');
    for (let i = 0; i < 2; i++) expect((await publish(edge)).status).toBe(503);
    expect(first.requests).toHaveLength(3);
  });

  test('with no node at all a POST is told that it had no effect', async () => {
    const edge = keep(await startEdge([await deadPort(), await deadPort()]));
    for (let i = 0; i < 2; i++) {
      const response = await publish(edge);
      expect(response.status).toBe(503);
      expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
      expect(response.headers.get('retry-after')).toBe('2');
      const problem = (await response.json()) as Problem;
      expect(problem).toMatchObject({ type: 'about:blank', status: 503, code: 'unavailable' });
      expect(problem.detail).toContain('no effect');
    }
  });

  test('a GET is tried on another node when the first one dies of it', async () => {
    const bad = keep(await dying());
    const good = keep(await answering('good'));
    const edge = keep(await startEdge([bad.port, good.port]));
    for (let i = 0; i < 2; i++) expect(await (await fetch(`${edge.url}/v1/channels/a/messages`)).text()).toBe('good');
    expect(bad.requests).toEqual(['GET /v1/channels/a/messages']);
  });

  test('a 503 of a node is its own answer: passed on, not tried elsewhere, and not held against the node', async () => {
    const nodes = await Promise.all(
      [1, 2].map(() =>
        startStandIn((request, response) => {
          request.resume();
          response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '7' });
          response.end('{"code":"log_unavailable"}');
        }),
      ),
    );
    nodes.forEach(keep);
    const edge = keep(await startEdge(nodes.map((node) => node.port)));
    for (let i = 0; i < 6; i++) {
      const response = await publish(edge);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('7');
      expect(await response.json()).toEqual({ code: 'log_unavailable' });
    }
    expect(nodes.map((node) => node.requests.length)).toEqual([3, 3]);
  });

  test('a node that comes back is used again', async () => {
    const port = await deadPort();
    const steady = keep(await answering('steady'));
    const edge = keep(await startEdge([port, steady.port]));
    for (let i = 0; i < 4; i++) expect(await (await publish(edge)).text()).toBe('steady');
    keep(await answering('returned', port));
    await until(async () => (await (await publish(edge)).text()) === 'returned', 'the node that came back to be used');
  });
});

describe('what reaches the nodes', () => {
  test('connections are kept and used again', async () => {
    const node = keep(await answering('node'));
    const edge = keep(await startEdge([node.port]));
    for (let i = 0; i < 40; i++) await (await publish(edge)).text();
    // Each of the workers keeps connections of its own; a machine has fewer processors than requests here, or hardly more.
    expect(node.requests).toHaveLength(40);
    expect(node.connections).toBeLessThan(40);
  });

  test('new streams go to the node with the fewest', async () => {
    const nodes = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        startStandIn((_request, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${name}\n\n`);
        }),
      ),
    );
    nodes.forEach(keep);
    const edge = keep(await startEdge(nodes.map((node) => node.port)));
    const clients: SseClient[] = [];
    for (let i = 0; i < 12; i++) clients.push(await new SseClient(`${edge.url}/v1/sse?channel=${i}`).open());
    expect(nodes.map((node) => node.requests.length)).toEqual([4, 4, 4]);
    for (const client of clients) client.close();
  });

  test('they learn who asked, by which host and by which scheme', async () => {
    const node = keep(
      await startStandIn((request, response) => response.end(JSON.stringify({ url: request.url, ...request.headers }))),
    );
    const edge = keep(await startEdge([node.port]));
    const response = await fetch(`${edge.url}/v1/x%2Fy?q=a%20b`, { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(await response.json()).toMatchObject({
      url: '/v1/x%2Fy?q=a%20b',
      host: `127.0.0.1:${edge.port}`,
      'x-forwarded-for': '203.0.113.9, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `127.0.0.1:${edge.port}`,
      'x-real-ip': '127.0.0.1',
    });
  });

  test('a body as large as a batch may be passes whole, also through a temporary file', async () => {
    const node = keep(
      await startStandIn((request, response) => {
        let bytes = 0;
        request.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        request.on('end', () => response.end(String(bytes)));
      }),
    );
    const edge = keep(await startEdge([node.port], { maxBodyBytes: 1024 * 1024 }));
    const body = Buffer.alloc(1024 * 1024, 'x');
    const response = await fetch(`${edge.url}/v1/messages`, { method: 'POST', body });
    expect(await response.text()).toBe(String(body.length));
  });
});

describe("NGINX's own refusals", () => {
  /** What NGINX says to a request that no well-behaved client sends. */
  async function raw(port: number, request: string): Promise<{ head: string; problem: Problem }> {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('error', () => {});
    socket.write(request);
    await until(() => answer.endsWith('}'), 'the answer');
    socket.destroy();
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    return { head, problem: JSON.parse(body) as Problem };
  }
  const long = 'x'.repeat(40_000);
  const cases: [name: string, code: keyof typeof ERRORS, request: string][] = [
    ['what is not HTTP', 'invalid_request', 'nonsense\r\n\r\n'],
    ['a request without Host', 'invalid_request', 'GET / HTTP/1.1\r\n\r\n'],
    ['a method that is not used', 'method_not_allowed', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'],
    [
      'a body that is too large',
      'too_large',
      'POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 4194305\r\n\r\n',
    ],
    ['an address that is too long', 'headers_too_large', `GET /${long} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['a header that is too long', 'headers_too_large', `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${long}\r\n\r\n`],
  ];
  test.each(cases)('%s is refused in the words of the API', async (_name, code, request) => {
    const node = keep(await answering('node'));
    const edge = keep(await startEdge([node.port]));
    const { head, problem } = await raw(edge.port, request);
    const { status, title } = ERRORS[code];
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toContain('Content-Type: application/problem+json; charset=utf-8');
    expect(problem).toEqual({ type: 'about:blank', title, status, code, detail: expect.any(String) });
    expect(node.requests).toEqual([]);
  });

  test('a page of another origin may read them', async () => {
    const node = keep(await answering('node'));
    const edge = keep(await startEdge([node.port]));
    const origin = 'Origin: https://a.example';
    const { head } = await raw(edge.port, `POST / HTTP/1.1\r\nHost: a\r\n${origin}\r\nContent-Length: 4194305\r\n\r\n`);
    expect(head).toMatch(/^HTTP\/1\.1 413 /);
    expect(head).toContain('\r\nAccess-Control-Allow-Origin: https://a.example\r\n');
    expect(head).toContain('\r\nAccess-Control-Allow-Credentials: true\r\n');
  });
});
