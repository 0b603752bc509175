import { beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric } from '../../support/gateway.ts';
import { CLOSE, clientFragments, clientFrame, PONG, RawWebSocket, TEXT } from '../../support/raw-websocket.ts';
import { watchNodes } from '../../support/secrets.ts';
import { nowSeconds, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { type ServerMessage, WebSocketClient } from '../../support/websocket-client.ts';
import { historyOf, publishAs } from './ask.ts';

const nodes = watchNodes();
const signer = secretSigner();
const theirs = secretSigner();
const key = publishSecret();

let gateway: Gateway;
let root: string;
let ann: string;
beforeAll(async () => {
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    // Between the answers nothing comes that nobody asked for.
    FANFARE_HEARTBEAT_INTERVAL: '3600',
    FANFARE_HANDSHAKE_TIMEOUT: '1',
    FANFARE_MAX_CLIENT_RATE: '50',
    FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['orders:*'] }]),
  });
  root = await signer.sign({ sub: 'root' });
  ann = await signer.sign({ subscribe: ['orders:*', 'user:{sub}'], publish: ['orders:*'] });
});

const open = (query = ''): Promise<WebSocketClient> => new WebSocketClient(`${gateway.url}/v1/ws${query}`).open();
const say = (message: object): Buffer => clientFrame(TEXT, JSON.stringify(message));
const auth = (token: string): object => ({ type: 'auth', token });

/** What a raw client was told, from the welcome on. */
const told = (socket: RawWebSocket): ServerMessage[] =>
  socket.frames
    .filter(({ opcode }) => opcode === TEXT)
    .map(({ payload }) => JSON.parse(payload.toString()) as ServerMessage);

async function closed(client: WebSocketClient): Promise<[number | undefined, string]> {
  await until(() => client.closeCode !== undefined, 'the close');
  for (const text of client.texts) nodes.expectNoneIn(text, 'a message');
  return [client.closeCode, client.closeReason];
}

describe.concurrent('a stranger', () => {
  test.each<[string, string, (client: WebSocketClient) => void]>([
    ['says nothing', '', () => {}],
    ['has named a channel in the URL', '?channel=orders:1', () => {}],
    ['has named a public channel beside another', '?channel=news:1&channel=orders:1', () => {}],
    ['pings', '', (client) => client.say({ type: 'ping' })],
    ['asks for what he may not have', '', (client) => client.say({ type: 'subscribe', channel: 'orders:1' })],
  ])('is closed with 4401 when his time is over: he %s', async (_, query, act) => {
    const client = await open(query);
    act(client);
    expect(await closed(client)).toEqual([4401, 'unauthenticated']);
    expect(client.of('subscribed')).toEqual([]);
    expect(client.of('error').at(-1)).toMatchObject({ code: 'unauthenticated' });
  });

  test('who goes on talking gets no more time', async () => {
    const client = await open();
    const talk = setInterval(() => client.socket.readyState === 1 && client.say({ type: 'ping' }), 100);
    expect(await closed(client)).toEqual([4401, 'unauthenticated']);
    clearInterval(talk);
  });

  test('who never ends his first message gets no more time', async () => {
    const socket = new RawWebSocket(
      gateway.port,
      '/v1/ws',
      clientFrame(TEXT, '{"type":"auth","token":"', { fin: false }),
    );
    expect(await socket.closeFrame()).toEqual({ code: 4401, reason: 'unauthenticated' });
    socket.close();
  });

  test('who follows a public channel stays, past that time', async () => {
    const [byUrl, byMessage, silent] = await Promise.all([open('?channel=news:1'), open(), open()]);
    expect((await byMessage.ask({ type: 'subscribe', channel: 'news:1' })).type).toBe('subscribed');
    await closed(silent);
    await publishAs(gateway.url, root, 'news:1', 'late');
    for (const client of [byUrl, byMessage]) {
      await until(() => client.of('message').length === 1, 'the message');
      client.close();
    }
  });

  test('publishes nothing and reads nothing before he has said who he is', async () => {
    await publishAs(gateway.url, root, 'orders:hidden', 'hidden');
    const frames = [
      { type: 'publish', channel: 'orders:early', data: 1, ref: 1 },
      { type: 'subscribe', channel: 'orders:hidden', last: 5, ref: 2 },
      auth(await theirs.sign()),
      { type: 'publish', channel: 'orders:early', data: 2, ref: 3 },
    ];
    const socket = new RawWebSocket(gateway.port, '/v1/ws', Buffer.concat(frames.map(say)));
    expect(await socket.closeFrame()).toEqual({ code: 4401, reason: 'unauthenticated' });
    socket.close();
    const [, ...rest] = told(socket);
    // The answer to a publish comes when it comes.
    expect(new Set(rest.map(({ type, code, ref }) => `${type} ${code} ${ref ?? ''}`))).toEqual(
      new Set(['error unauthenticated 1', 'error unauthenticated 2', 'error unauthenticated ']),
    );
    expect(socket.text).not.toContain('"hidden"');
    expect(await historyOf(gateway.url, root, 'orders:early')).toEqual([]);
  });
});

test.each<[string, () => string | Promise<string>]>([
  ['of somebody else’s secret', () => theirs.sign()],
  ['expired', () => signer.sign({ iat: nowSeconds() - 100, exp: nowSeconds() - 1 })],
  ['no token', () => 'what-is-no-token-at-all'],
  ['of 60 KB', () => 'long-'.repeat(12_000)],
  ['not ASCII', () => 'tökèn-tökèn-tökèn-\u2028\u0000-🔑🔑🔑🔑🔑🔑🔑'],
])('a first token that is not good ends the connection with 4401: %s', async (_, make) => {
  const client = await open('?channel=orders:1');
  client.say({ ...auth(nodes.use(await make())), ref: 'r' });
  expect(await closed(client)).toEqual([4401, 'unauthenticated']);
  expect(client.of('error')).toMatchObject([{ code: 'unauthenticated', ref: 'r' }]);
});

test.each<[string, (token: string) => string]>([
  ['no text', () => '{"type":"auth","token":1}'],
  ['none', () => '{"type":"auth"}'],
  ['empty', () => '{"type":"auth","token":""}'],
  ['in a list', (token) => `{"type":"auth","token":["${token}"]}`],
  ['twice', (token) => `{"type":"auth","token":"x","token":"${token}"}`],
  ['under another name', (token) => `{"type":"auth","jwt":"${token}"}`],
  ['as a name', (token) => `{"type":"auth","${token}":1}`],
  ['as the type', (token) => `{"type":"${token}"}`],
  ['without quotes', (token) => `{"type":"auth","token":${token}}`],
  ['with a quote in it', (token) => `{"type":"auth","token":"${token.slice(0, 40)}"${token.slice(40)}"}`],
  ['without its end', (token) => `{"type":"auth","token":"${token}`],
  ['bare', (token) => token],
  ['as a ref', (token) => `{"type":"auth","token":"","ref":${token}}`],
])('a message with a token that makes no sense is an error that repeats nothing of it: %s', async (_, write) => {
  for (const secret of [ann, key.secret]) {
    const client = await open();
    client.socket.send(write(secret));
    await client.ask({ type: 'ping' });
    expect(client.of('error')).toMatchObject([{ code: expect.stringMatching(/^invalid_(json|request)$/) }]);
    expect(client.of('authenticated')).toEqual([]);
    client.close();
    for (const text of client.texts) nodes.expectNoneIn(text, 'an error');
  }
});

describe('what comes right behind a token has its rights, in order', () => {
  const frames = (token: string): object[] => [
    auth(token),
    { type: 'subscribe', channel: 'orders:order', ref: 1 },
    { type: 'publish', channel: 'orders:order', data: 1, ref: 2 },
    { type: 'subscribe', channel: 'else', ref: 3 },
    { type: 'ping', ref: 4 },
  ];
  const all = (token: string): Buffer => Buffer.concat(frames(token).map(say));

  test.each<[string, (token: string) => RawWebSocket]>([
    ['with the handshake, in one segment', (token) => new RawWebSocket(gateway.port, '/v1/ws', all(token))],
    ['in one write', (token) => new RawWebSocket(gateway.port).send(all(token)) as RawWebSocket],
    [
      'in fragments, with pings between',
      (token) => {
        const pieces = frames(token).flatMap((frame) => {
          const text = JSON.stringify(frame);
          return clientFragments(TEXT, [text.slice(0, 9), '', text.slice(9, 20), text.slice(20)]);
        });
        return new RawWebSocket(
          gateway.port,
          '/v1/ws',
          Buffer.concat(pieces.flatMap((piece) => [piece, clientFrame(9, 'p')])),
        );
      },
    ],
    [
      'byte by byte',
      (token) => {
        const socket = new RawWebSocket(gateway.port);
        socket.socket.setNoDelay(true);
        for (const byte of all(token)) socket.send(Buffer.of(byte));
        return socket;
      },
    ],
  ])('%s', async (_, send) => {
    const socket = send(await signer.sign({ subscribe: ['orders:*'], publish: ['orders:*'] }));
    await socket.hears('"published"');
    await socket.hears('"data":1');
    const [welcome, first, ...rest] = told(socket);
    expect([welcome?.type, first?.type]).toEqual(['welcome', 'authenticated']);
    const answers = rest
      .filter(({ ref }) => ref !== undefined && ref !== 2)
      .map(({ type, code, ref }) => [type, code, ref]);
    expect(answers).toEqual([
      ['subscribed', undefined, 1],
      ['error', 'forbidden', 3],
      ['pong', undefined, 4],
    ]);
    socket.close();
  });

  test('also behind a second one, and a third', async () => {
    const few = await signer.sign({ subscribe: ['few'], publish: [] });
    const socket = new RawWebSocket(
      gateway.port,
      '/v1/ws',
      Buffer.concat(
        [
          auth(ann),
          { type: 'subscribe', channel: 'few', ref: 1 },
          auth(few),
          { type: 'subscribe', channel: 'few', ref: 2 },
          { type: 'subscribe', channel: 'orders:1', ref: 3 },
          auth(await theirs.sign()),
          auth(ann),
          { type: 'subscribe', channel: 'orders:1', ref: 4 },
        ].map(say),
      ),
    );
    await socket.hears('"ref":4');
    expect(
      told(socket).map(({ type, code, ref, channel }) =>
        [type, code ?? channel, ref].filter((part) => part !== undefined),
      ),
    ).toEqual([
      ['welcome'],
      ['authenticated'],
      ['error', 'forbidden', 1],
      ['authenticated'],
      ['subscribed', 'few', 2],
      ['error', 'forbidden', 3],
      ['error', 'unauthenticated'],
      ['authenticated'],
      ['unsubscribed', 'few'],
      ['subscribed', 'orders:1', 4],
    ]);
    socket.close();
  });

  test('who says goodbye behind a token is gone', async () => {
    const socket = new RawWebSocket(
      gateway.port,
      '/v1/ws',
      Buffer.concat([say(auth(ann)), clientFrame(CLOSE, Buffer.of(3, 232))]),
    );
    expect((await socket.closeFrame()).code).toBe(1000);
    await socket.end();
  });
});

test('channels of the URL are followed when the token has come, and not those that it does not allow', async () => {
  await publishAs(gateway.url, root, 'orders:named', 'before');
  const [good, bad] = await Promise.all([
    open('?channel=orders:named&last=5'),
    open('?channel=orders:named&channel=else&last=5'),
  ]);
  expect([...good.of('subscribed'), ...bad.of('subscribed')]).toEqual([]);
  good.say(auth(ann));
  await until(() => good.of('message').length === 1, 'the replay');
  expect(good.received.map(({ type }) => type).slice(0, 4)).toEqual([
    'welcome',
    'authenticated',
    'subscribed',
    'message',
  ]);
  expect((await bad.ask(auth(ann))).type).toBe('authenticated');
  await until(() => bad.of('error').length === 1, 'the refusal');
  expect(bad.of('error')).toMatchObject([{ code: 'forbidden' }]);
  expect([...bad.of('subscribed'), ...bad.of('message')]).toEqual([]);
  expect((await bad.ask({ type: 'subscribe', channel: 'orders:named' })).type).toBe('subscribed');
  // A renewal does not follow them once more.
  expect((await good.ask(auth(ann))).type).toBe('authenticated');
  expect(good.of('subscribed')).toHaveLength(1);
  good.close();
  bad.close();
});

test('a flood of tokens ends like any other flood, and others are served meanwhile', async () => {
  const other = await open('?channel=news:1');
  const bad = say(auth(await theirs.sign()));
  for (const first of [auth(ann), { type: 'subscribe', channel: 'news:1' }]) {
    const isStranger = !('token' in first);
    const socket = new RawWebSocket(
      gateway.port,
      '/v1/ws',
      Buffer.concat([say(first), ...Array.from({ length: 5_000 }, () => bad)]),
    );
    expect((await other.ask({ type: 'ping' })).type).toBe('pong');
    // A stranger is away after the first one.
    expect(await socket.closeFrame()).toMatchObject(isStranger ? { code: 4401 } : { code: 1008, reason: 'flooding' });
    expect(told(socket).filter(({ type }) => type === 'error').length).toBeLessThan(isStranger ? 2 : 1_000);
    socket.close();
  }
  const good = say(auth(ann));
  const socket = new RawWebSocket(gateway.port, '/v1/ws', Buffer.concat(Array.from({ length: 5_000 }, () => good)));
  expect((await socket.closeFrame()).reason).toBe('flooding');
  socket.close();
  expect((await other.ask({ type: 'ping' })).type).toBe('pong');
  other.close();
});

test('who leaves while he says who he is leaves nothing behind', async () => {
  const before = await metric(gateway, 'fanfare_connections', 'transport="websocket"');
  const sockets = Array.from(
    { length: 50 },
    () => new RawWebSocket(gateway.port, '/v1/ws?channel=orders:1', say(auth(ann))),
  );
  await Promise.all(sockets.slice(0, 25).map((socket) => socket.hears('101')));
  for (const socket of sockets) socket.close();
  await until(
    async () => (await metric(gateway, 'fanfare_connections', 'transport="websocket"')) <= before,
    'all to be gone',
  );
  const socket = new RawWebSocket(gateway.port, '/v1/ws', Buffer.concat([say(auth(ann)), clientFrame(9, 'alive')]));
  await socket.hear(PONG);
  socket.close();
});
