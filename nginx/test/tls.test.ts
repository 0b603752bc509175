import { once } from 'node:events';
import { readFile, rename } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { selfSigned } from '../../infra/cluster/certificate.ts';
import { until } from '../../services/gateway/test/support/until.ts';
import { deadPort, type Edge, type StandIn, startEdge, startStandIn } from './edge.ts';
import { Http2Client, type Http2Exchange } from './http2-client.ts';

const STREAM = { 'content-type': 'text/event-stream; charset=utf-8' };

let node: StandIn;
let edge: Edge;
let client: Http2Client;
/** The streams at the node, by their channel. */
let streams: Map<string, ServerResponse>;
const sockets: TLSSocket[] = [];

beforeEach(async () => {
  streams = new Map();
  node = await startStandIn((request, response) => {
    const channel = /^\/v1\/sse\?channel=(\w+)/.exec(request.url ?? '')?.[1];
    if (channel === undefined) {
      request.resume().on('end', () => response.end(JSON.stringify({ url: request.url, ...request.headers })));
      return;
    }
    response.writeHead(200, STREAM).write(': fanfare\n\n');
    streams.set(channel, response);
  });
  edge = await startEdge([node.port], { tls: true });
  client = await new Http2Client(edge.url).open();
});
afterEach(async () => {
  client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await edge.stop();
  await node.stop();
});

async function listen(channel: string): Promise<Http2Exchange> {
  return client.request(`/v1/sse?channel=${channel}`).hears(': fanfare');
}

const say = (channel: string, text: string) => streams.get(channel)?.write(`data: ${text}\n\n`);

async function handshake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port: edge.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  sockets.push(socket);
  await once(socket, 'secureConnect');
  return socket;
}

describe('streams of one HTTP/2 connection', () => {
  test('two hundred are open at once, and each hears its own', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `c${i}`);
    const open = await Promise.all(names.map(listen));
    for (const name of names) say(name, `to ${name}.`);
    for (const [i, stream] of open.entries()) await stream.hears(`data: to c${i}.\n\n`);
    expect(open.filter((stream) => stream.ended)).toEqual([]);
    expect(streams.size).toBe(200);
  });

  test('a browser is told that it may have 256', () => {
    expect(client.session.remoteSettings.maxConcurrentStreams).toBe(256);
  });

  test('one that the client closes is closed at the node, and the others go on', async () => {
    const [first, second, third] = [await listen('first'), await listen('second'), await listen('third')];
    second.stream.close();
    await until(() => streams.get('second')?.destroyed === true, 'the node to see the stream closed');
    say('first', 'still');
    say('third', 'here');
    await first.hears('data: still');
    await third.hears('data: here');
    expect(streams.get('first')?.destroyed).toBe(false);
    expect(second.text).toBe(': fanfare\n\n');
  });

  test('all are closed at the node when the client has gone', async () => {
    for (const name of ['a', 'b', 'c']) await listen(name);
    client.close();
    await until(() => [...streams.values()].every((stream) => stream.destroyed), 'the node to see all streams closed');
  });

  test('one that nobody reads holds up no other', async () => {
    const [stuck, other] = [await listen('stuck'), await listen('other')];
    stuck.stream.pause();
    const large = 'x'.repeat(64 * 1024);
    // Until neither NGINX nor the kernel takes more of it from the node.
    await until(() => {
      const stream = streams.get('stuck');
      if (stream !== undefined && stream.writableLength < 4 * large.length) say('stuck', large);
      return (stream?.writableLength ?? 0) >= 4 * large.length;
    }, 'the node to be held up');
    for (let i = 0; i < 100; i++) say('other', `${i}.${large}`);
    await other.hears('data: 99.');
    expect(streams.get('stuck')?.writableLength).toBeGreaterThan(0);
    stuck.stream.resume();
    say('stuck', 'the last');
    await stuck.hears('data: the last');
  });

  test('those that are open go on when the connection takes no new ones', async () => {
    const stream = await listen('a');
    while (!client.goneAway) await Promise.all(Array.from({ length: 100 }, () => client.request('/v1/x').end()));
    expect((await client.request('/v1/x').end()).status).toBe(0);
    say('a', 'still here');
    await stream.hears('data: still here');
    expect(stream.ended).toBe(false);
  });
});

// Linux alone tells which timers run for a socket (proc(5), /proc/net/tcp: the field `tr`).
test.runIf(process.platform === 'linux')('a client that is silent is asked whether it is there', async () => {
  await listen('a');
  const local = `0100007F:${edge.port.toString(16).toUpperCase().padStart(4, '0')}`;
  const timer = async () => {
    const sockets = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
    return sockets.find(([, address, , state]) => address === local && state === '01')?.[5];
  };
  // While something is under way it is another one.
  await until(async () => (await timer())?.startsWith('02:') === true, 'the keepalive timer to run');
});

describe('what reaches the nodes from HTTP/2', () => {
  test('they learn who asked, by which host and by which scheme', async () => {
    const { text } = await client.request('/v1/x%2Fy?q=a%20b', { 'x-forwarded-for': '203.0.113.9' }).end();
    const host = `127.0.0.1:${edge.port}`;
    expect(JSON.parse(text)).toMatchObject({
      url: '/v1/x%2Fy?q=a%20b',
      host,
      'x-forwarded-for': '203.0.113.9, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': host,
      'x-real-ip': '127.0.0.1',
    });
  });

  test('a publish goes through', async () => {
    const headers = { ':method': 'POST', 'content-type': 'application/json' };
    const { status } = await client.request('/v1/channels/a/messages', headers, '{"data":1}').end();
    expect(status).toBe(200);
    expect(node.requests).toContain('POST /v1/channels/a/messages');
  });

  test('an upgrade does not: it has no meaning there', async () => {
    const upgrades: unknown[] = [];
    node.server.on('upgrade', (request, socket) => {
      upgrades.push(request.headers.upgrade);
      socket.destroy();
    });
    const socket = await handshake({ ALPNProtocols: ['h2'] });
    const pseudo = { ':method': 'GET', ':scheme': 'https', ':path': '/v1/ws', ':authority': 'a' };
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]));
    socket.write(frame(1, 0x5, 1, fields({ ...pseudo, upgrade: 'websocket', connection: 'upgrade' })));
    await until(() => node.requests.includes('GET /v1/ws') || upgrades.length > 0, 'the request to reach the node');
    expect(upgrades).toEqual([]);
  });
});

/** A frame of HTTP/2 (RFC 9113, 4.1). */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Header fields in HPACK's plainest form: literal, not indexed, no Huffman code (RFC 7541, 6.2.2). */
function fields(headers: Record<string, string>): Buffer {
  const text = (words: string) => [Buffer.from([words.length]), Buffer.from(words)];
  return Buffer.concat(Object.entries(headers).flatMap(([k, v]) => [Buffer.from([0]), ...text(k), ...text(v)]));
}

describe('HTTP/1.1 beside it', () => {
  test('whoever asks for it gets it', async () => {
    const socket = await handshake({ ALPNProtocols: ['http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.write('GET /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const [answer] = await once(socket.setEncoding('utf8'), 'data');
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('a WebSocket is upgraded and carries frames both ways, while HTTP/2 streams are open', async () => {
    const server = new WebSocketServer({ server: node.server, path: '/v1/ws' });
    server.on('connection', (socket, request) =>
      socket.on('message', (data) => socket.send(`${request.headers['x-forwarded-proto']}: ${data}`)),
    );
    const stream = await listen('a');
    const socket = new WebSocket(`${edge.url.replace('https', 'wss')}/v1/ws`, { rejectUnauthorized: false });
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('https: hello');
    say('a', 'too');
    await stream.hears('data: too');
    socket.close(1000);
    await once(socket, 'close');
    server.close();
  });
});

describe('the handshake', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is spoken', async (version) => {
    const socket = await handshake({ minVersion: version, maxVersion: version });
    expect(socket.getProtocol()).toBe(version);
  });

  test.each([
    ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
    ['a cipher that HTTP/2 forbids', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }],
  ] as [string, ConnectionOptions][])('%s is refused', async (_name, options) => {
    await expect(handshake(options)).rejects.toThrow(/alert/);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s is resumed', async (version) => {
    const options = { minVersion: version, maxVersion: version };
    const first = connect({ port: edge.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    sockets.push(first);
    const [session] = (await once(first, 'session')) as [Buffer];
    expect(first.isSessionReused()).toBe(false);
    const again = await handshake({ ...options, session });
    expect(again.isSessionReused()).toBe(true);
  });

  test('a renewed certificate is used after a reload, and open streams go on', async () => {
    const stream = await listen('a');
    // New files in the place of the old ones, as those who renew certificates do: NGINX knows a file by more than its path.
    const made = await selfSigned(join(edge.folder, 'renewed'));
    for (const file of Object.values(made)) await rename(file, join(edge.folder, basename(file)));
    const renewed = await readFile(join(edge.folder, basename(made.certificate)), 'utf8');
    expect((await handshake()).getPeerX509Certificate()?.toString()).not.toBe(renewed);
    await edge.reload();
    const used = async () => (await handshake()).getPeerX509Certificate()?.toString();
    await until(async () => (await used()) === renewed, 'the new certificate to be used');
    say('a', 'still here');
    await stream.hears('data: still here');
  });
});

describe('plain HTTP', () => {
  test('is sent to https, with method and body', async () => {
    const path = '/v1/channels/a/messages?x=%20y';
    for (const method of ['GET', 'POST']) {
      const body = method === 'POST' ? { body: '{"data":1}' } : {};
      const response = await fetch(`${edge.redirectUrl}${path}`, { method, redirect: 'manual', ...body });
      expect(response.status).toBe(308);
      expect(response.headers.get('location')).toBe(`${edge.url}${path}`);
    }
    expect(node.requests).toEqual([]);
  });

  test('on the TLS port is refused in the words of the API', async () => {
    const response = await fetch(`${edge.url.replace('https', 'http')}/v1/channels/a/messages`);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await response.json()).toMatchObject({
      code: 'invalid_request',
      detail: 'This port speaks TLS: use https.',
    });
    expect(node.requests).toEqual([]);
  });
});

test('with no node that answers a stream is told goodbye over HTTP/2 too', async () => {
  const lonely = await startEdge([await deadPort()], { tls: true });
  const visitor = await new Http2Client(lonely.url).open();
  const { status, headers, text } = await visitor.request('/v1/sse?channel=a').end();
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
  expect(text).toMatch(/^retry: \d+\n\nevent: fanfare:bye\ndata: \{"reason":"unavailable"\}\n\n$/);
  visitor.close();
  await lonely.stop();
});
