import { Agent, request } from 'node:http';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Gateway, metric } from '../../support/gateway.ts';
import { JwksServer } from '../../support/jwks-server.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { watchNodes } from '../../support/secrets.ts';
import { SseClient } from '../../support/sse-client.ts';
import { keyPairSigner, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { ask, bearer, historyOf, publishAs } from './ask.ts';

// Whose token it is takes a moment to find out, and Node's server must let go of a stream’s socket after that.

const nodes = watchNodes();
const signer = secretSigner();
const pair = keyPairSigner('ES256');

let gateway: Gateway;
let token: string;
beforeAll(async () => {
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_PARTITIONS: '4',
    FANFARE_HANDSHAKE_TIMEOUT: '1',
  });
  token = await signer.sign();
});

const connections = (node = gateway): Promise<number> => metric(node, 'fanfare_connections', 'transport="sse"');
const stream = (channel: string, headers: Record<string, string> = {}): string =>
  head(`GET /v1/sse?channel=${channel}`, { Authorization: `Bearer ${token}`, ...headers });
const publishing = (channel: string): string =>
  [
    head(`POST /v1/channels/${channel}/messages`, {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Content-Length': '10',
    }),
    '{"data":1}',
  ].join('');
const answers = (socket: RawSocket): number => socket.text.match(/HTTP\/1\.1 \d/g)?.length ?? 0;

test('a stream that a token opened is Node’s server’s no more: what its client sends is dropped, and no timeout ends it', async () => {
  const socket = new RawSocket(gateway.port).send(stream('let-go'));
  await socket.hears('retry:');
  socket.send('this is no HTTP \0 \r\n\r\n').send(publishing('let-go')).send('x'.repeat(100_000));
  // Longer than a request may take to come.
  const later = new RawSocket(gateway.port).send('GET / HTTP/1.1\r\nHost: late');
  await later.hears('HTTP/1.1 408');
  await publishAs(gateway.url, token, 'let-go', 'still there');
  await socket.hears('still there');
  expect(answers(socket)).toBe(1);
  expect(socket.ended).toBe(false);
  expect(await historyOf(gateway.url, token, 'let-go')).toEqual(['still there']);
  socket.close();
});

test.each<[string, (channel: string) => string[]]>([
  ['in one segment', (channel) => [stream(channel) + publishing(channel)]],
  ['another stream in one segment', (channel) => [stream(channel) + stream(channel) + publishing(channel)]],
  ['in two segments', (channel) => [stream(channel), publishing(channel)]],
  [
    'half of it in the first segment',
    (channel) => [stream(channel) + publishing(channel).slice(0, 40), publishing(channel).slice(40)],
  ],
  ['many', (channel) => [stream(channel) + publishing(channel).repeat(200)]],
])('a request that is pipelined behind such a stream has no answer, and is not carried out: %s', async (how, write) => {
  const channel = `pipelined-${how.length}`;
  for (let i = 0; i < 5; i++) {
    const socket = new RawSocket(gateway.port);
    socket.socket.setNoDelay(true);
    for (const bytes of write(channel)) socket.send(bytes);
    await until(() => socket.ended || socket.text.includes('retry:'), 'the stream or the end');
    expect(answers(socket)).toBeLessThanOrEqual(1);
    expect(socket.text).not.toContain('201');
    socket.close();
  }
  expect(await historyOf(gateway.url, token, channel)).toEqual([]);
  await until(async () => (await connections()) === 0, 'all streams to be gone');
});

test('what is asked before such a stream on the same connection is answered first', async () => {
  const socket = new RawSocket(gateway.port).send(publishing('before'));
  await socket.hears('"id"');
  socket.send(stream('before', { 'Last-Event-ID': '0-0' }));
  await socket.hears('retry:');
  expect(answers(socket)).toBe(2);
  socket.close();
});

test('after a refused stream the connection closes; after another refusal it goes on', async () => {
  const refused = new RawSocket(gateway.port).send(stream('a', { Authorization: 'Bearer nonsense' }));
  await refused.end();
  expect(refused.text).toMatch(/^HTTP\/1\.1 401 /);
  expect(refused.text.toLowerCase()).toContain('connection: close');

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const ports = new Set<number | undefined>();
  const get = (authorization: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const url = `${gateway.url}/v1/channels/a/messages`;
      request(url, { agent, headers: { authorization } }, (response) => {
        ports.add(response.socket.localPort);
        response.resume().on('end', () => resolve(response.statusCode));
      })
        .on('error', reject)
        .end();
    });
  const statuses: unknown[] = [];
  for (const secret of ['nonsense', token, 'ffk_0', token, token]) statuses.push(await get(`Bearer ${secret}`));
  expect(statuses).toEqual([401, 200, 401, 200, 200]);
  expect(ports.size).toBe(1);
});

test('HEAD with a token answers like the stream, and opens none', async () => {
  const opened = await metric(gateway, 'fanfare_connections_opened_total', 'sse');
  const answer = await ask(gateway.url, '/v1/sse?channel=a', { method: 'HEAD', headers: bearer(token) });
  expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([
    200,
    'text/event-stream; charset=utf-8',
    '',
  ]);
  const socket = await new RawSocket(gateway.port).send(stream('a').replace('GET', 'HEAD')).end();
  expect(socket.text.split('\r\n\r\n')[1]).toBe('');
  expect(await metric(gateway, 'fanfare_connections_opened_total', 'sse')).toBe(opened);
});

test.each([
  ['of one partition, compressed', 'gzip-1', { 'accept-encoding': 'gzip' }, 'gzip'],
  ['of several partitions', 'a&channel=b&channel=c&channel=d&channel=e', {}, undefined],
  [
    'of several partitions, for one who takes gzip',
    'f&channel=g&channel=h&channel=i',
    { 'accept-encoding': 'gzip' },
    undefined,
  ],
])('such a stream brings what is replayed and what is new, in order: %s', async (_, channels, headers, encoding) => {
  const names = channels.split('&channel=');
  for (const name of names) await publishAs(gateway.url, token, name, `old ${name}`);
  const client = await new SseClient(`${gateway.url}/v1/sse?last=1&channel=${channels}`, {
    ...bearer(token),
    ...headers,
  }).open();
  expect([client.status, client.headers['content-encoding']]).toEqual([200, encoding]);
  await until(() => client.of('fanfare:caught-up').length === 1, 'the replay');
  for (const name of names) await publishAs(gateway.url, token, name, `new ${name}`);
  await until(() => client.messages.length === 2 * names.length, 'all messages');
  const data = client.messages.map((message) => JSON.parse(message.data) as string);
  expect(data.slice(0, names.length).sort()).toEqual(names.map((name) => `old ${name}`).sort());
  expect(data.slice(names.length).sort()).toEqual(names.map((name) => `new ${name}`).sort());
  client.close();
});

test('many streams with tokens leave nothing behind when they go', async () => {
  const clients = await Promise.all(
    Array.from({ length: 200 }, () => new SseClient(`${gateway.url}/v1/sse?channel=many`, bearer(token)).open()),
  );
  expect(await connections()).toBe(200);
  await publishAs(gateway.url, token, 'many', 1);
  await until(() => clients.every(({ messages }) => messages.length === 1), 'the message');
  for (const client of clients) client.close();
  await until(async () => (await connections()) === 0, 'all to be gone');
});

describe('while it is being found out whose a token is', () => {
  /** A node that waits for its key set. */
  async function waitingNode(
    env: Record<string, string> = {},
  ): Promise<{ node: Gateway; keys: JwksServer; good: string }> {
    const keys = await JwksServer.start([pair.jwk]);
    onTestFinished(() => keys.stop());
    keys.slowDown();
    const node = await nodes.startGateway({ FANFARE_AUTH: 'jwt', FANFARE_JWT_JWKS_URL: keys.url, ...env });
    await until(() => keys.waiting === 1, 'the key set to be asked for');
    return { node, keys, good: await pair.sign() };
  }
  const asking = (node: Gateway, good: string, path: string, more: Record<string, string> = {}): RawSocket =>
    new RawSocket(node.port).send(head(`GET ${path}`, { Authorization: `Bearer ${good}`, ...more }));
  const paths = ['/v1/sse?channel=a', '/v1/channels/a/messages?wait=20'];
  const upgrade = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };

  test('a client that leaves is not served, and leaves nothing behind', async () => {
    const { node, keys, good } = await waitingNode({ FANFARE_MAX_CONNECTIONS_PER_SUBJECT: '3' });
    const gone = Array.from({ length: 30 }, () => [
      ...paths.map((path) => asking(node, good, path)),
      asking(node, good, '/v1/ws?channel=a', upgrade),
    ]).flat();
    const stays = asking(node, good, paths[0] as string);
    await until(
      () => gone.every(({ socket }) => socket.readyState === 'open' && socket.writableLength === 0),
      'the requests to be sent',
    );
    for (const [i, { socket }] of gone.entries())
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    // One that comes after them has been read, so they have been too.
    expect((await ask(node.url, '/v1/openapi.json')).status).toBe(200);
    keys.hurry();
    await stays.hears('retry:');
    await until(async () => (await metric(node, 'fanfare_connections')) === 1, 'only the one that stayed');
    // None of those that left is counted among the three that there may be.
    for (const _ of [1, 2]) await asking(node, good, paths[0] as string).hears('retry:');
    expect((await asking(node, good, paths[0] as string).end()).text).toContain('too_many_connections');
  });

  test('a node that begins to drain sends him away when it is known, and ends', async () => {
    const { node, keys, good } = await waitingNode();
    const sse = asking(node, good, paths[0] as string);
    const webSocket = asking(node, good, '/v1/ws?channel=a', upgrade);
    const poll = asking(node, good, paths[1] as string);
    await until(
      () => [sse, webSocket, poll].every(({ socket }) => socket.readyState === 'open' && socket.writableLength === 0),
      'the requests to be sent',
    );
    expect((await ask(node.url, '/v1/openapi.json')).status).toBe(200);
    const stopped = node.stop();
    await until(() => node.logs.some(({ msg }) => msg.startsWith('draining')), 'the drain');
    keys.hurry();
    for (const socket of [sse, webSocket, poll]) await socket.end();
    expect(sse.text).toContain('{"reason":"draining"}');
    expect(webSocket.text).toContain('"code":"draining"');
    expect(poll.text).toMatch(/^HTTP\/1\.1 (200|503) /);
    expect(await stopped).toBe(0);
  });

  test('what is pipelined behind waits, and is not carried out behind a stream', async () => {
    const { node, keys, good } = await waitingNode();
    const publish = (channel: string): string => publishing(channel).replace(/Bearer \S+/, `Bearer ${good}`);
    const open = new RawSocket(node.port).send(
      head('GET /v1/sse?channel=a', { Authorization: `Bearer ${good}` }) + publish('behind'),
    );
    const late = asking(node, good, paths[0] as string);
    const http = new RawSocket(node.port).send(publish('first') + publish('first'));
    await until(
      () => [open, late, http].every(({ socket }) => socket.readyState === 'open' && socket.writableLength === 0),
      'the requests to be sent',
    );
    expect((await ask(node.url, '/v1/openapi.json')).status).toBe(200);
    late.send(publish('behind'));
    expect((await ask(node.url, '/v1/openapi.json')).status).toBe(200);
    keys.hurry();
    await until(() => answers(http) === 2, 'both answers');
    for (const socket of [open, late]) {
      await until(() => socket.ended || socket.text.includes('retry:'), 'the stream or the end');
      expect(answers(socket)).toBeLessThanOrEqual(1);
    }
    expect(await historyOf(node.url, good, 'first')).toEqual([1, 1]);
    expect(await historyOf(node.url, good, 'behind')).toEqual([]);
    http.close();
  });
});
