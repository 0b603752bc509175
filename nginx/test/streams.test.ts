import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createGzip, type Gzip } from 'node:zlib';
import { EventSource } from 'eventsource';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { SseClient } from '../../services/gateway/test/support/sse-client.ts';
import { until } from '../../services/gateway/test/support/until.ts';
import { deadPort, type Edge, type StandIn, startEdge, startStandIn } from './edge.ts';

const STREAM = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };

let edge: Edge;
const stops: (() => Promise<void>)[] = [];
const keep = <T extends { stop(): Promise<void> }>(what: T): T => {
  stops.push(() => what.stop());
  return what;
};
const cleanUp = async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
};

describe('in front of a node', () => {
  let node: StandIn;
  let streams: ServerResponse[];

  beforeEach(async () => {
    streams = [];
    node = keep(
      await startStandIn((request, response) => {
        if (request.url?.includes('channel=bad')) {
          response.writeHead(400, { 'content-type': 'application/problem+json' }).end('{"code":"invalid_channel"}');
        } else if (request.url?.includes('channel=ill')) {
          response.writeHead(503, { 'content-type': 'application/problem+json' }).end('{"code":"starting"}');
        } else if (request.method === 'HEAD') response.writeHead(200, STREAM).end();
        else {
          response.writeHead(200, STREAM).write(': fanfare\nretry: 3000\n\n');
          streams.push(response);
        }
      }),
    );
  });
  afterEach(cleanUp);

  test('each event reaches the client while the stream is open, uncompressed', async () => {
    edge = keep(await startEdge([node.port]));
    const client = new SseClient(`${edge.url}/v1/sse?channel=a`, { 'accept-encoding': 'gzip' });
    await client.open();
    for (const data of ['one', 'two', 'three']) {
      streams[0]?.write(`data: ${data}\n\n`);
      await until(() => client.messages.at(-1)?.data === data, `the event ${data}`);
    }
    expect(client.ended).toBe(false);
    expect(client.headers['content-encoding']).toBeUndefined();
    expect(client.headers['content-type']).toBe(STREAM['content-type']);
    client.close();
  });

  test('a stream that the node has compressed reaches the client as it is, event by event', async () => {
    const gzips: Gzip[] = [];
    let accepted: string | undefined;
    const compressing = keep(
      await startStandIn((request, response) => {
        accepted = request.headers['accept-encoding'];
        response.writeHead(200, { ...STREAM, 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
        const gzip = createGzip();
        gzip.pipe(response);
        gzips.push(gzip);
        gzip.write(': fanfare\n\n');
        gzip.flush();
      }),
    );
    edge = keep(await startEdge([compressing.port]));
    const response = await fetch(`${edge.url}/v1/sse?channel=a`, { headers: { 'accept-encoding': 'gzip' } });
    expect(accepted).toBe('gzip');
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('vary')).toBe('Accept-Encoding');
    // fetch undoes the gzip by itself.
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const hear = async (words: string) => {
      while (!text.includes(words)) text += (await reader?.read())?.value;
    };
    await hear(': fanfare');
    for (const data of ['one', 'two']) {
      gzips[0]?.write(`data: ${data}\n\n`);
      gzips[0]?.flush();
      await hear(`data: ${data}\n\n`);
    }
    await reader?.cancel();
  });

  test('a stream lives on heartbeats beyond the read timeout, and a silent one is cut', async () => {
    edge = keep(await startEdge([node.port], { streamTimeoutSeconds: 1 }));
    const alive = await new SseClient(`${edge.url}/v1/sse?channel=alive`).open();
    const heart = setInterval(() => streams[0]?.write(': heartbeat\n\n'), 200);
    const silent = await new SseClient(`${edge.url}/v1/sse?channel=silent`).open();
    await until(() => silent.ended, 'the silent stream to be cut');
    const beats = () => alive.text.split(': heartbeat').length - 1;
    // Ten of them take twice the timeout.
    await until(() => beats() >= 10, 'ten heartbeats');
    expect(alive.ended).toBe(false);
    clearInterval(heart);
    alive.close();
  });

  test('the node hears at once that a client has gone', async () => {
    edge = keep(await startEdge([node.port]));
    const client = await new SseClient(`${edge.url}/v1/sse?channel=a`).open();
    const [stream] = streams;
    client.close();
    await until(() => stream?.destroyed === true, 'the node to see the stream closed');
  });

  test('an answer that says no is passed on as it is', async () => {
    edge = keep(await startEdge([node.port]));
    const response = await fetch(`${edge.url}/v1/sse?channel=bad`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ code: 'invalid_channel' });
  });

  test('a 503 of a node on the stream path becomes an answer that EventSource survives', async () => {
    edge = keep(await startEdge([node.port]));
    const response = await fetch(`${edge.url}/v1/sse?channel=ill`);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('event: fanfare:bye\ndata: {"reason":"unavailable"}\n\n');
  });

  test('the query string is in no log, also when the node cannot be reached', async () => {
    edge = keep(await startEdge([node.port, await deadPort(), await deadPort()]));
    for (let i = 0; i < 3; i++) (await new SseClient(`${edge.url}/v1/sse?channel=a&after=secret-a`).open()).close();
    await node.stop();
    await fetch(`${edge.url}/v1/sse?channel=a&after=secret-b`);
    await fetch(`${edge.url}/v1/ws?after=secret-c`);
    await until(
      () => edge.lines.filter((line) => line.includes('"path":"/v1/')).length === 5,
      'five lines of access log',
    );
    expect(edge.lines.join('\n')).not.toContain('secret');
    expect(edge.lines.join('\n')).not.toContain('after=');
    expect(edge.lines.some((line) => line.includes('"path":"/v1/ws"'))).toBe(true);
  });

  test('a WebSocket is upgraded and carries frames both ways', async () => {
    const server = new WebSocketServer({ server: node.server, path: '/v1/ws' });
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(`you said ${data}`)));
    edge = keep(await startEdge([node.port]));
    const socket = new WebSocket(`${edge.url.replace('http', 'ws')}/v1/ws?channel=a`);
    await once(socket, 'open');
    for (const text of ['hello', 'x'.repeat(100_000)]) {
      socket.send(text);
      const [answer] = await once(socket, 'message');
      expect(String(answer)).toBe(`you said ${text}`);
    }
    socket.close(1000);
    const [code] = await once(socket, 'close');
    expect(code).toBe(1000);
    server.close();
  });

  test('an idle WebSocket lives on pings beyond the read timeout, and a silent one is cut', async () => {
    const server = new WebSocketServer({ server: node.server, path: '/v1/ws' });
    server.on('connection', (socket, request) => {
      if (request.url?.includes('silent')) return;
      const heart = setInterval(() => socket.ping(), 200);
      socket.once('close', () => clearInterval(heart));
    });
    edge = keep(await startEdge([node.port], { streamTimeoutSeconds: 1 }));
    const url = `${edge.url.replace('http', 'ws')}/v1/ws`;
    const alive = new WebSocket(`${url}?channel=alive`);
    let pings = 0;
    alive.on('ping', () => pings++);
    const silent = new WebSocket(`${url}?channel=silent`);
    await once(silent, 'close');
    await until(() => pings >= 10, 'ten pings');
    expect(alive.readyState).toBe(WebSocket.OPEN);
    alive.terminate();
    server.close();
  });

  test('an upgrade to anything but WebSocket does not reach the node', async () => {
    const upgrades: unknown[] = [];
    node.server.on('upgrade', (request) => upgrades.push(request.headers.upgrade));
    edge = keep(await startEdge([node.port]));
    const response = await fetch(`${edge.url}/v1/sse?channel=bad`, { headers: { upgrade: 'h2c' } }).catch(
      () => undefined,
    );
    expect(response?.status ?? 400).toBe(400);
    expect(upgrades).toEqual([]);
  });
});

describe('with no node that answers', () => {
  beforeEach(async () => {
    edge = keep(await startEdge([await deadPort(), await deadPort()]));
  });
  afterEach(cleanUp);

  test('a stream is answered with 200, a retry, one goodbye and the end', async () => {
    const response = await fetch(`${edge.url}/v1/sse?channel=a`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(await response.text()).toMatch(/^retry: \d+\n\nevent: fanfare:bye\ndata: \{"reason":"unavailable"\}\n\n$/);
  });

  test('the retry is between 5 and 15 seconds, and another one for every connection', async () => {
    const retries = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const client = new SseClient(`${edge.url}/v1/sse?channel=a`);
      await until(() => client.ended, 'the end of the answer');
      retries.add(client.retryMilliseconds ?? 0);
    }
    for (const retry of retries) {
      expect(retry).toBeGreaterThanOrEqual(5000);
      expect(retry).toBeLessThan(15_000);
    }
    expect(retries.size).toBeGreaterThan(30);
    expect(new Set([...retries].map((retry) => Math.floor(retry / 1000))).size).toBeGreaterThan(4);
  });

  test('an EventSource is told goodbye and keeps trying', async () => {
    const source = new EventSource(`${edge.url}/v1/sse?channel=a`);
    const seen: string[] = [];
    source.addEventListener('fanfare:bye', (event) => seen.push(event.data));
    source.addEventListener('error', () => seen.push(`error, ready state ${source.readyState}`));
    await until(() => seen.length >= 2, 'the goodbye and the end of the stream');
    expect(seen.slice(0, 2)).toEqual(['{"reason":"unavailable"}', `error, ready state ${EventSource.CONNECTING}`]);
    source.close();
  });

  test('HEAD gets the head of that answer', async () => {
    const response = await fetch(`${edge.url}/v1/sse?channel=a`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  });

  test.each(['/v1/sse?channel=a', '/v1/channels/a/messages'])(
    'a page of another origin may read what it says to %s',
    async (path) => {
      const { headers } = await fetch(`${edge.url}${path}`, { headers: { origin: 'https://a.example' } });
      expect(headers.get('access-control-allow-origin')).toBe('https://a.example');
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('vary')).toBe('Origin');
      const plain = (await fetch(`${edge.url}${path}`)).headers;
      expect(plain.has('access-control-allow-origin')).toBe(false);
      expect(plain.has('access-control-allow-credentials')).toBe(false);
      expect(plain.get('vary')).toBe('Origin');
    },
  );

  test('what no EventSource sends is not answered with 200', async () => {
    const response = await fetch(`${edge.url}/v1/sse?channel=a`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(503);
    expect(((await response.json()) as { code: string }).code).toBe('unavailable');
  });

  test('a WebSocket handshake is answered with 503', async () => {
    const socket = new WebSocket(`${edge.url.replace('http', 'ws')}/v1/ws`);
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('2');
  });
});
