import { beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../support/gateway.ts';
import { clientFrame, RawWebSocket, TEXT } from '../../support/raw-websocket.ts';
import { watchNodes } from '../../support/secrets.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { type Asked, ask, bearer, historyOf, post, publishAs } from './ask.ts';

/** The channel that nobody here has a right to, and what it holds. */
const SECRET = 'secret:room';
const HIDDEN = 'what-is-hidden-there';
/** Channels whose names are like those that some have rights to. */
const NEIGHBOURS = [
  SECRET,
  'secret',
  'orders',
  'Orders:1',
  'ORDERS:1',
  'orders2:1',
  'xorders:1',
  'user:bob',
  'user:bob:inbox',
  'user:',
  'news',
  'news2:1',
];

const nodes = watchNodes();
const signer = secretSigner();
const key = publishSecret();

let gateway: Gateway;
/** May everything. */
let root: string;
beforeAll(async () => {
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    // Between the answers nothing comes that nobody asked for.
    FANFARE_HEARTBEAT_INTERVAL: '3600',
    FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'all', sha256: key.sha256, channels: ['*'], disconnect: true }]),
  });
  root = await signer.sign({ sub: 'root' });
  for (const channel of NEIGHBOURS) expect((await publishAs(gateway.url, root, channel, HIDDEN)).status).toBe(201);
});

/** What is written where a channel's name stands: in a path or a query byte for byte, and in JSON. */
interface Spelling {
  readonly inUrl: string;
  readonly inJson: string;
}

async function inParallel(questions: Record<string, Promise<Asked>>): Promise<Record<string, Asked>> {
  const answers = await Promise.all(Object.values(questions));
  return Object.fromEntries(Object.keys(questions).map((name, i) => [name, answers[i] as Asked]));
}

/** What a WebSocket is told that wants to subscribe and to publish. */
async function overWebSocket(token: string, channel: string): Promise<{ subscribe: string; publish: string }> {
  const frames = [
    JSON.stringify({ type: 'auth', token }),
    '{"type":"ping","ref":1}',
    `{"type":"subscribe","channel":${channel},"last":5}`,
    '{"type":"ping","ref":2}',
    `{"type":"publish","channel":${channel},"data":"attack"}`,
    // Behind an answer that a publish may have to wait for.
    '{"type":"publish","channel":"allowed:1","data":1,"ref":3}',
  ];
  const socket = new RawWebSocket(gateway.port, '/v1/ws', Buffer.concat(frames.map((text) => clientFrame(TEXT, text))));
  await socket.hears('"ref":3');
  const texts = socket.frames.filter(({ opcode }) => opcode === TEXT).map(({ payload }) => payload.toString());
  socket.close();
  expect(texts[1]).toContain('authenticated');
  const pong = (ref: number): number => texts.findIndex((text) => text.includes(`"ref":${ref}`));
  return {
    subscribe: texts.slice(pong(1) + 1, pong(2)).join(''),
    publish: texts.slice(pong(2) + 1, pong(3)).join(''),
  };
}

/** Tries to publish to a channel and to read it, at every door; the codes of the refusals, or what was got. */
async function attempts(token: string, { inUrl, inJson }: Spelling): Promise<Record<string, string | undefined>> {
  const { url } = gateway;
  const headers = bearer(token);
  const code = (text: string): string | undefined => /"code":"(\w+)"/.exec(text)?.[1];
  const [tried, told] = await Promise.all([
    inParallel({
      publish: post(url, `/v1/channels/${inUrl}/messages`, { data: 'attack' }, headers),
      batch: post(url, '/v1/messages', `{"messages":[{"channel":${inJson},"data":"attack"}]}`, headers),
      history: ask(url, `/v1/channels/${inUrl}/messages`, { headers }),
      longPoll: ask(url, `/v1/channels/${inUrl}/messages?wait=1`, { headers }),
      stream: ask(url, `/v1/sse?last=5&channel=${inUrl}`, { headers }),
      streamBesideAnother: ask(url, `/v1/sse?last=5&channel=orders:1&channel=${inUrl}`, { headers }),
    }),
    overWebSocket(token, inJson),
  ]);
  const all =
    Object.values(tried)
      .map(({ text }) => text)
      .join('') +
    told.subscribe +
    told.publish;
  expect(all).not.toContain(HIDDEN);
  return {
    ...Object.fromEntries(
      Object.entries(tried).map(([name, { text, status }]) => [name, code(text) ?? String(status)]),
    ),
    webSocketSubscribe: code(told.subscribe) ?? told.subscribe,
    webSocketPublish: code(told.publish) ?? told.publish,
  };
}

const REFUSALS = ['forbidden', 'invalid_channel', 'invalid_json', 'invalid_request', 'not_found', 'method_not_allowed'];
async function expectRefused(token: string, spelling: Spelling): Promise<void> {
  for (const [door, came] of Object.entries(await attempts(token, spelling)))
    expect([door, came, REFUSALS.includes(came ?? '')]).toEqual([door, came, true]);
}

/** At the end of each attack: no channel has got anything. */
async function expectNothingPublished(): Promise<void> {
  const histories = await Promise.all(NEIGHBOURS.map((channel) => historyOf(gateway.url, root, channel)));
  expect(histories).toEqual(NEIGHBOURS.map(() => [HIDDEN]));
}

const plain = (name: string): Spelling => ({ inUrl: name, inJson: JSON.stringify(name) });
const spelled = (inUrl: string, name: string): Spelling => ({ inUrl, inJson: JSON.stringify(name) });
const escaped = (name: string): string =>
  `"${[...name].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;

describe('who may use orders:* reaches nothing else', () => {
  test.each<[string, Spelling]>([
    ['its name', plain(SECRET)],
    ['its name, the colon encoded', spelled('secret%3Aroom', SECRET)],
    ['its name, all of it encoded', spelled('%73ecret%3a%72oom', SECRET)],
    ['its name, escaped in JSON', { inUrl: SECRET, inJson: escaped(SECRET) }],
    ['its name, encoded twice', plain('secret%253Aroom')],
    ['the namespace alone', plain('orders')],
    ['the namespace with a letter more', plain('orders2:1')],
    ['the namespace with a letter before', plain('xorders:1')],
    ['the namespace in other letters', plain('Orders:1')],
    ['the namespace in capitals', plain('ORDERS:1')],
    ['all channels', plain('*')],
    ['all channels, encoded', spelled('%2A', '*')],
    ['all channels, encoded twice', plain('%252A')],
    ['the pattern itself', plain('orders:*')],
    ['the pattern, encoded', spelled('orders:%2a', 'orders:*')],
    ['a pattern of others', plain('secret:*')],
    ['two channels in one', plain('orders:1,secret:room')],
    ['two channels behind one another', spelled('orders:1%20secret:room', 'orders:1 secret:room')],
    ['two channels by a line break', spelled('orders:1%0Asecret:room', 'orders:1\nsecret:room')],
    ['a channel that ends in a line break', spelled('secret:room%0A', 'secret:room\n')],
    ['a channel that ends in a zero byte', spelled('secret:room%00', 'secret:room\0')],
    ['a channel cut by a zero byte', spelled('orders:%00secret:room', 'orders:\0secret:room')],
    ['a way up', plain('orders:/../secret:room')],
    ['a way up, encoded', spelled('orders:%2F..%2Fsecret:room', 'orders:/../secret:room')],
    ['a way up by dots that are encoded', spelled('orders:1/%2e%2e/secret:room', 'orders:1/../secret:room')],
    ['a way up by backslashes', spelled('orders:%5C..%5Csecret:room', 'orders:\\..\\secret:room')],
    ['a way down', plain('orders:1/messages/../../secret:room')],
    ['a parameter of a path', spelled('secret:room;x=orders:1', 'secret:room;x=orders:1')],
    ['a fragment', spelled('secret:room%23orders:1', 'secret:room#orders:1')],
    ['a question', spelled('secret:room%3Forders:1', 'secret:room?orders:1')],
    ['a wide colon', spelled(encodeURIComponent('orders：1'), 'orders：1')],
    ['an o of another alphabet', spelled(encodeURIComponent('оrders:1'), 'оrders:1')],
    ['a letter that small letters are made of', spelled(encodeURIComponent('orderſ:1'), 'orderſ:1')],
    ['a letter that falls apart', spelled(encodeURIComponent('ordérs:1'), 'ordérs:1')],
    ['a space of no width', spelled(encodeURIComponent('orders:\u200b1'), 'orders:\u200b1')],
    ['text that runs backwards', spelled(encodeURIComponent('\u202eorders:1'), '\u202eorders:1')],
    ['half of a surrogate pair', { inUrl: '%ED%A0%80', inJson: '"orders:\\ud800"' }],
    ['bytes that are too long for what they say', { inUrl: 'secret%C0%BAroom', inJson: '"secret\\u00baroom"' }],
    ['what is no encoding', plain('%zz')],
    ['a plus', spelled('secret:room+', 'secret:room ')],
    ['a name that is too long', plain(`orders:${'x'.repeat(194)}`)],
    ['a name that is far too long', plain(`orders:${'x'.repeat(5000)}`)],
    ['a name of colons', plain(':'.repeat(40))],
    ['an empty name', plain('')],
    ['a member of Object.prototype', plain('__proto__')],
    ['a list in JSON', { inUrl: SECRET, inJson: '["orders:1","secret:room"]' }],
    ['an object in JSON', { inUrl: SECRET, inJson: '{"toString":"orders:1"}' }],
  ])('%s', async (_, spelling) => {
    await expectRefused(await signer.sign({ subscribe: ['orders:*'], publish: ['orders:*'] }), spelling);
    await expectNothingPublished();
  });

  test('a channel of its own is one of its own, however its name is written', async () => {
    const token = await signer.sign({ subscribe: ['orders:*'], publish: ['orders:*'] });
    for (const [inUrl, name] of [
      ['orders%3A7', 'orders:7'],
      ['%6frders:7', 'orders:7'],
      ['orders:..', 'orders:..'],
      ['orders::secret:room', 'orders::secret:room'],
    ]) {
      const answer = await post(gateway.url, `/v1/channels/${inUrl}/messages`, { data: inUrl }, bearer(token));
      expect(JSON.parse(answer.text)).toMatchObject({ channel: name });
      expect(await historyOf(gateway.url, root, name as string)).toContain(inUrl);
    }
    expect((await publishAs(gateway.url, token, `orders:${'x'.repeat(193)}`, 1)).status).toBe(201);
    await expectNothingPublished();
  });

  test('two members of one name in JSON are refused, whichever of them would be allowed', async () => {
    const token = await signer.sign({ subscribe: ['orders:*'], publish: ['orders:*'] });
    for (const members of [
      '"channel":"orders:1","channel":"secret:room"',
      '"channel":"secret:room","channel":"orders:1"',
      '"channel":"orders:1","ch\\u0061nnel":"secret:room"',
    ]) {
      const batch = await post(gateway.url, '/v1/messages', `{"messages":[{${members},"data":1}]}`, bearer(token));
      expect(batch.text).toContain('invalid_request');
      const client = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
      await client.ask({ type: 'auth', token });
      client.socket.send(`{"type":"subscribe",${members},"last":5}`);
      client.socket.send(`{"type":"publish",${members},"data":1}`);
      await client.ask({ type: 'ping' });
      expect(client.of('error').map(({ code }) => code)).toEqual(['invalid_request', 'invalid_request']);
      client.close();
    }
    const body = '{"data":1,"channel":"secret:room"}';
    expect((await post(gateway.url, '/v1/channels/orders:1/messages', body, bearer(token))).status).toBe(400);
    await expectNothingPublished();
  });
});

describe('{sub} is the subject and nothing more', () => {
  const patterns = ['user:{sub}', 'user:{sub}:*', '{sub}:*', '{sub}'];
  test.each([
    ...[
      '*',
      '**',
      'bob:*',
      'bob:inbox',
      'a:*',
      ':',
      'secret:room',
      'secret:*',
      'orders:x',
      'bob%3Ainbox',
      'bob%2A',
      '{sub}',
      '{sub}{sub}',
    ],
    ...[
      '..',
      '../bob',
      'bob ',
      ' bob',
      'bob\n',
      'bob\0',
      'bоb',
      'ｂob',
      'bob\u200b',
      '$&',
      '$1',
      "$'",
      '$$',
      'x'.repeat(129),
      'BOB',
      'bob/',
    ],
    ...['user', 'constructor', '__proto__', 'undefined', 'null', '[object Object]', '["bob"]', 'bob,bob'],
  ])('a subject that is %j reaches nothing of others', async (sub) => {
    const token = await signer.sign({ sub, subscribe: patterns.slice(0, 2), publish: patterns.slice(0, 2) });
    const channels = ['user:bob', 'user:bob:inbox', 'user:', SECRET, '*', 'user:*'];
    await Promise.all(channels.map((channel) => expectRefused(token, plain(channel))));
    await expectNothingPublished();
  });

  test.each(['*', '**', 'secret:*', 'user:bob', 'orders:1', ':', '{sub}', 'secret:room'])(
    'a pattern of {sub} alone allows no more: %j',
    async (sub) => {
      const token = await signer.sign({ sub, subscribe: patterns, publish: patterns });
      await Promise.all([SECRET, 'user:bob', 'Orders:1'].map((channel) => expectRefused(token, plain(channel))));
      await expectNothingPublished();
    },
  );

  test('a plain subject has its own channels', async () => {
    const token = await signer.sign({ sub: 'eve.1@x-y_z', subscribe: patterns, publish: patterns.slice(0, 2) });
    for (const channel of ['user:eve.1@x-y_z', 'user:eve.1@x-y_z:inbox']) {
      expect((await publishAs(gateway.url, token, channel, 1)).status).toBe(201);
      expect(await historyOf(gateway.url, token, channel)).toEqual([1]);
    }
    expect((await publishAs(gateway.url, token, 'user:eve.1@x-y_z2', 1)).status).toBe(403);
  });
});

test.each<[string, unknown]>([
  ['a star inside', ['sec*:room']],
  ['a star at the beginning', ['*:room']],
  ['two stars', ['**']],
  ['a star and more', ['secret:*:room']],
  ['a star without a colon', ['secret*']],
  ['a slash', ['secret/*']],
  ['a regular expression', ['.*']],
  ['an empty one', ['']],
  ['a space', [' *']],
  ['a star of another kind', ['＊']],
  ['an encoded star', ['%2A']],
  ['a list in a list', [['*']]],
  ['a number', [1]],
  ['nothing', [null]],
  ['true', true],
  ['names in one text', 'orders:*,secret:*'],
  ['names as OAuth scopes', 'orders:* secret:*'],
  ['more than a hundred', [...Array.from({ length: 100 }, (_, i) => `o:${i}`), '*']],
  ['{sub} in other letters', ['user:{SUB}']],
  ['braces of another name', ['user:{aud}']],
])('a token with a pattern that is none gives no rights at all: %s', async (_, patterns) => {
  for (const claims of [
    { subscribe: patterns },
    { publish: patterns },
    { subscribe: ['orders:*', ...[patterns].flat()] },
  ]) {
    const headers = bearer(await signer.sign(claims));
    expect((await ask(gateway.url, '/v1/channels/news:1/messages', { headers })).status).toBe(401);
    expect((await post(gateway.url, '/v1/channels/orders:1/messages', { data: 1 }, headers)).status).toBe(401);
  }
});

test('rights to listen are none to publish, and the other way round', async () => {
  const listener = await signer.sign({ subscribe: ['*'], publish: undefined });
  const publisher = await signer.sign({ subscribe: undefined, publish: ['orders:*'] });
  expect((await publishAs(gateway.url, listener, SECRET, 1)).status).toBe(403);
  expect((await publishAs(gateway.url, publisher, 'orders:1', 1)).status).toBe(201);
  for (const path of ['/v1/channels/orders:1/messages', '/v1/sse?channel=orders:1&last=1'])
    expect((await ask(gateway.url, path, { headers: bearer(publisher) })).status).toBe(403);
  await expectNothingPublished();
});

test('who follows public channels without a token reaches no others, and publishes to none', async () => {
  for (const channel of ['news', 'news2:1', 'News:1', 'news%253A1', '*', SECRET]) {
    expect((await ask(gateway.url, `/v1/channels/${channel}/messages`)).status).toBeOneOf([400, 401]);
    expect((await ask(gateway.url, `/v1/sse?channel=${channel}`)).status).toBeOneOf([400, 401]);
    expect((await ask(gateway.url, `/v1/sse?channel=news:1&channel=${channel}`)).status).toBeOneOf([400, 401]);
  }
  const client = await new WebSocketClient(`${gateway.url}/v1/ws?channel=news:1`).open();
  for (const channel of ['news', 'news2:1', SECRET])
    expect((await client.ask({ type: 'subscribe', channel, last: 5 })).code).toBe('unauthenticated');
  expect((await client.ask({ type: 'publish', channel: 'news:1', data: 1 })).code).toBe('unauthenticated');
  client.close();
  expect(await historyOf(gateway.url, root, 'news:1')).toEqual([]);
  await expectNothingPublished();
});

describe('where nodes tell each other who was disconnected, no client comes, whatever it may', () => {
  const NAME = '$disconnect';
  const attack = JSON.stringify({ subject: 'root', before: 9_000_000_000_000 });
  test.each<[string, Spelling]>([
    ['its name', plain(NAME)],
    ['its name, encoded', spelled('%24disconnect', NAME)],
    ['its name, encoded twice', plain('%2524disconnect')],
    ['its name, escaped', { inUrl: NAME, inJson: escaped(NAME) }],
    ['its name as a namespace', plain(`${NAME}:1`)],
    ['its name with a zero byte', spelled(`%24disconnect%00`, `${NAME}\0`)],
    ['its name with a wide dollar', spelled(encodeURIComponent('＄disconnect'), '＄disconnect')],
  ])('%s', async (_, spelling) => {
    for (const token of [root, key.secret]) await expectRefused(token, spelling);
    for (const path of [
      `/v1/channels/${spelling.inUrl}/messages`,
      `/v1/sse?channel=${spelling.inUrl}`,
      `/v1/ws?channel=${spelling.inUrl}`,
    ])
      expect((await ask(gateway.url, path)).status).toBeOneOf([400, 426]);
  });

  test('what is published under names like it disconnects nobody', async () => {
    for (const channel of ['disconnect', 'x:disconnect', '-disconnect', '.disconnect', '@disconnect'])
      expect(
        (
          await post(
            gateway.url,
            `/v1/channels/${channel}/messages`,
            `{"data":${attack},"event":"$disconnect"}`,
            bearer(root),
          )
        ).status,
      ).toBe(201);
    expect((await publishAs(gateway.url, root, 'orders:1', 1)).status).toBe(201);
  });

  test('a token may not name it', async () => {
    for (const pattern of [NAME, `${NAME}:*`, '$*'])
      expect(
        (
          await ask(gateway.url, '/v1/channels/news:1/messages', {
            headers: bearer(await signer.sign({ subscribe: [pattern] })),
          })
        ).status,
      ).toBe(401);
  });
});
