import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { until } from '../../support/until.ts';
import { type ServerMessage, WebSocketClient } from '../../support/websocket-client.ts';

const MAX_CHANNELS = 5;

let gateway: Gateway;
const clients: WebSocketClient[] = [];
beforeAll(async () => {
  gateway = await startGateway({
    FANFARE_NODE_NAME: 'node-1',
    FANFARE_MAX_CHANNELS_PER_CONNECTION: String(MAX_CHANNELS),
    FANFARE_HISTORY_SIZE: '5',
    FANFARE_RECENT_BYTES: String(1024 * 1024),
  });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await gateway?.kill();
});

function connect(query = ''): Promise<WebSocketClient> {
  const client = new WebSocketClient(`${gateway.url}/v1/ws${query}`);
  clients.push(client);
  return client.open();
}

/** Says some text as it is, and waits for the next thing that the node says. */
async function answerTo(client: WebSocketClient, text: string): Promise<ServerMessage> {
  const { length } = client.received;
  client.socket.send(text);
  await until(
    () => client.received.length > length || client.closeCode !== undefined,
    `an answer to ${text.slice(0, 80)}`,
  );
  const answer = client.received[length];
  if (answer === undefined) throw new Error(`closed with ${client.closeCode} ${client.closeReason}`);
  return answer;
}

/** Proof that nothing else was on its way. */
async function nothingMore(client: WebSocketClient): Promise<void> {
  expect(await client.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
}

const dataOf = (client: WebSocketClient): unknown[] => client.of('message').map(({ data }) => data);

describe('talking', () => {
  test('the first thing that a client hears is a welcome', async () => {
    const client = await connect();
    expect(client.texts).toEqual(['{"type":"welcome","node":"node-1","heartbeatSeconds":25}']);
  });

  test('a subscription is live from its cursor on, and ends with its end', async () => {
    const client = await connect();
    const subscribed = await client.ask({ type: 'subscribe', channel: 'talk' });
    expect(subscribed).toEqual({
      type: 'subscribed',
      channel: 'talk',
      cursor: expect.stringMatching(/^\d+-\d+$/),
      ref: subscribed.ref,
    });
    const id = await publish(gateway.url, 'talk', { a: 1 }, 'named');
    await until(() => client.of('message').length === 1, 'the message');
    expect(client.texts.at(-1)).toBe(`{"type":"message","channel":"talk","id":"${id}","event":"named","data":{"a":1}}`);
    const unsubscribed = await client.ask({ type: 'unsubscribe', channel: 'talk' });
    expect(unsubscribed).toEqual({ type: 'unsubscribed', channel: 'talk', ref: unsubscribed.ref });
    await publish(gateway.url, 'talk', 'unheard');
    await nothingMore(client);
    expect(client.of('message')).toHaveLength(1);
    const again = await client.ask({ type: 'subscribe', channel: 'talk', after: id });
    expect(again).toMatchObject({ type: 'subscribed', cursor: id });
    await until(() => client.of('caught-up').length === 1, 'the replay to end');
    expect(dataOf(client)).toEqual([{ a: 1 }, 'unheard']);
  });

  test('a publish is answered with its id, and reaches its publisher like everyone else', async () => {
    const client = await connect('?channel=own');
    const data = '{ "b":9007199254740993,\n"a":"\\ud83d" }';
    const { id } = await answerTo(client, `{"type":"subscribe","channel":"own:other"}`).then(() =>
      client.ask({ type: 'publish', channel: 'own', data: null, event: 'e' }),
    );
    await until(() => client.of('message').length === 1, 'the message');
    expect(client.of('message')[0]).toEqual({ type: 'message', channel: 'own', id, event: 'e', data: null });
    client.socket.send(`{"ref":1,"data":${data},"channel":"own","type":"publish"}`);
    await until(() => client.of('message').length === 2, 'the message');
    expect(client.texts.some((text) => text.endsWith(`,"data":${data}}`))).toBe(true);
    expect(client.of('published')).toHaveLength(2);
  });

  test('a publish with a key that was used gets the first id', async () => {
    const client = await connect();
    const say = { type: 'publish', channel: 'key', data: 1, idempotencyKey: 'k' };
    const [first, second] = [await client.ask(say), await client.ask(say)];
    expect(second.id).toBe(first.id);
    const { json } = await exchange(gateway.url, '/v1/channels/key/messages');
    expect(json.messages).toHaveLength(1);
  });

  test.for<[string, string]>([
    ['a string', '"abc"'],
    ['an empty string', '""'],
    ['a string of 100 characters', `"${'x'.repeat(100)}"`],
    ['a string with escapes, as it was written', '"\\u0041\\n\\ud83d"'],
    ['zero', '0'],
    ['a number past 2^53, as it was written', '9007199254740993'],
    ['a negative fraction, as it was written', '-1.50e+3'],
  ])('ref comes back as it was sent: %s', async ([, ref]) => {
    const client = await connect();
    client.socket.send(`{"type":"ping","ref": ${ref} }`);
    await until(() => client.texts.length === 2, 'the answer');
    expect(client.texts[1]).toBe(`{"type":"pong","ref":${ref}}`);
  });

  test('an answer to what had no ref has none', async () => {
    const client = await connect();
    expect(await answerTo(client, '{"type":"ping"}')).toEqual({ type: 'pong' });
    expect(await answerTo(client, '{"type":"unsubscribe","channel":"x"}')).toEqual({
      type: 'error',
      code: 'invalid_request',
      detail: expect.stringMatching(/\S/),
    });
  });

  test('data may be as large as by HTTP; one byte more is an error, and the connection stays', async () => {
    const client = await connect();
    const frame = (bytes: number): string =>
      `{"type":"publish","channel":"large","event":"${'e'.repeat(200)}","data":"${'x'.repeat(bytes - 2)}"}`;
    expect(await answerTo(client, frame(64 * 1024))).toMatchObject({ type: 'published' });
    expect(await answerTo(client, frame(64 * 1024 + 1))).toMatchObject({ type: 'error', code: 'too_large' });
    await nothingMore(client);
  });
});

describe('mistakes', () => {
  let client: WebSocketClient;
  beforeAll(async () => {
    client = await connect();
  });

  test.for<[string, string, string]>([
    ['nonsense', 'invalid_json', ''],
    ['', 'invalid_json', ''],
    ['{"type":"ping"', 'invalid_json', ''],
    ['{"type":"ping"}{"type":"ping"}', 'invalid_json', ''],
    ['null', 'invalid_request', 'object'],
    ['[]', 'invalid_request', 'object'],
    ['"ping"', 'invalid_request', 'object'],
    ['{}', 'invalid_request', 'type'],
    ['{"type":"nonsense"}', 'invalid_request', 'subscribe'],
    ['{"type":"toString"}', 'invalid_request', 'type'],
    ['{"type":"__proto__"}', 'invalid_request', 'type'],
    ['{"type":"constructor"}', 'invalid_request', 'type'],
    ['{"type":"hasOwnProperty"}', 'invalid_request', 'type'],
    ['{"type":"Ping"}', 'invalid_request', 'type'],
    ['{"type":"welcome"}', 'invalid_request', 'type'],
    ['{"type":1}', 'invalid_request', 'type'],
    ['{"type":null}', 'invalid_request', 'type'],
    ['{"type":["ping"]}', 'invalid_request', 'type'],
    ['{"type":"auth","token":7}', 'invalid_request', 'token'],
    ['{"type":"ping","type":"ping"}', 'invalid_request', 'type'],
    ['{"type":"ping","toString":1}', 'invalid_request', 'toString'],
    ['{"type":"ping","__proto__":1}', 'invalid_request', '__proto__'],
    ['{"type":"ping","ref":null}', 'invalid_request', 'ref'],
    ['{"type":"ping","ref":true}', 'invalid_request', 'ref'],
    ['{"type":"ping","ref":{}}', 'invalid_request', 'ref'],
    [`{"type":"ping","ref":"${'x'.repeat(101)}"}`, 'invalid_request', 'ref'],
    [`{"type":"ping","ref":1${'0'.repeat(100)}}`, 'invalid_request', 'ref'],
    ['{"type":"subscribe"}', 'invalid_request', 'channel'],
    ['{"type":"subscribe","channel":1}', 'invalid_request', 'channel'],
    ['{"type":"subscribe","channel":""}', 'invalid_channel', 'empty'],
    ['{"type":"subscribe","channel":"a b"}', 'invalid_channel', 'channel'],
    ['{"type":"subscribe","channel":"a","event":"x"}', 'invalid_request', 'event'],
    ['{"type":"subscribe","channel":"a","after":1}', 'invalid_request', 'after'],
    ['{"type":"subscribe","channel":"a","after":null}', 'invalid_request', 'after'],
    ['{"type":"subscribe","channel":"a","last":0}', 'invalid_request', 'last'],
    ['{"type":"subscribe","channel":"a","last":1001}', 'invalid_request', 'last'],
    ['{"type":"subscribe","channel":"a","last":1.5}', 'invalid_request', 'last'],
    ['{"type":"subscribe","channel":"a","last":"5"}', 'invalid_request', 'last'],
    ['{"type":"subscribe","channel":"a","last":null}', 'invalid_request', 'last'],
    ['{"type":"subscribe","channel":"a","last":true}', 'invalid_request', 'last'],
    ['{"type":"subscribe","channel":"a","last":[5]}', 'invalid_request', 'last'],
    ['{"type":"subscribe","channel":"a","last":5,"after":"1-0"}', 'invalid_request', 'after'],
    ['{"type":"unsubscribe"}', 'invalid_request', 'channel'],
    ['{"type":"unsubscribe","channel":"__proto__"}', 'invalid_request', '__proto__'],
    ['{"type":"unsubscribe","channel":"toString"}', 'invalid_request', 'toString'],
    ['{"type":"publish","channel":"ws-bad"}', 'invalid_request', 'data'],
    ['{"type":"publish","data":1}', 'invalid_request', 'channel'],
    ['{"type":"publish","channel":"ws-bad","data":1,"dta":2}', 'invalid_request', 'dta'],
    ['{"type":"publish","channel":"ws-bad","data":1,"data":2}', 'invalid_request', 'data'],
    ['{"type":"publish","channel":"ws bad","data":1}', 'invalid_channel', 'channel'],
    ['{"type":"publish","channel":"ws-bad","data":1,"event":"fanfare:gap"}', 'invalid_request', 'fanfare:'],
    ['{"type":"publish","channel":"ws-bad","data":1,"idempotencyKey":""}', 'invalid_request', 'idempotency'],
    ['{"type":"publish","channel":"ws-bad","data":1,"idempotencyKey":7}', 'invalid_request', 'idempotencyKey'],
  ])('are told, and the connection stays: %s', async ([text, code, named]) => {
    const answer = await answerTo(client, text as string);
    expect(answer).toMatchObject({ type: 'error', code });
    expect(answer.detail).toContain(named);
    await nothingMore(client);
  });

  test('publish nothing', async () => {
    const { json } = await exchange(gateway.url, '/v1/channels/ws-bad/messages');
    expect(json.messages).toEqual([]);
  });

  test('are told with the ref of what was wrong', async () => {
    for (const message of [{ type: 'nonsense' }, { type: 'subscribe', channel: '' }, { type: 'ping', colour: 'red' }])
      expect(await client.ask(message)).toMatchObject({ type: 'error' });
  });

  test('a channel that is subscribed already, or not at all, is an error that changes nothing', async () => {
    const twice = await connect('?channel=twice');
    expect(await twice.ask({ type: 'subscribe', channel: 'twice' })).toMatchObject({ code: 'invalid_request' });
    expect(await twice.ask({ type: 'unsubscribe', channel: 'other' })).toMatchObject({ code: 'invalid_request' });
    await publish(gateway.url, 'twice', 1);
    await until(() => twice.of('message').length > 0, 'the message');
    await nothingMore(twice);
    expect(twice.of('message')).toHaveLength(1);
  });

  test('one channel too many is an error; one that ends makes room', async () => {
    const greedy = await connect();
    for (let i = 0; i < MAX_CHANNELS; i++)
      expect(await greedy.ask({ type: 'subscribe', channel: `g${i}` })).toMatchObject({ type: 'subscribed' });
    expect(await greedy.ask({ type: 'subscribe', channel: 'more' })).toMatchObject({ code: 'too_many_channels' });
    await greedy.ask({ type: 'unsubscribe', channel: 'g0' });
    expect(await greedy.ask({ type: 'subscribe', channel: 'more' })).toMatchObject({ type: 'subscribed' });
  });

  test('names that are special in JavaScript are channels like any other', async () => {
    const odd = await connect();
    for (const channel of ['__proto__', 'constructor', 'toString']) {
      expect(await odd.ask({ type: 'subscribe', channel })).toMatchObject({ type: 'subscribed', channel });
      const { id } = await odd.ask({ type: 'publish', channel, data: channel });
      await until(() => odd.of('message').at(-1)?.id === id, 'the message');
      expect(await odd.ask({ type: 'unsubscribe', channel })).toMatchObject({ type: 'unsubscribed', channel });
    }
  });
});

describe('resuming', () => {
  const publishAll = async (channel: string, data: readonly unknown[]): Promise<string[]> => {
    const messages = data.map((each) => ({ channel, data: each }));
    const { json } = await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }));
    return (json.results as { id: string }[]).map(({ id }) => id);
  };

  test('after= replays what came after it, then says caught-up once, then goes on live', async () => {
    const ids = await publishAll('ws-after', [0, 1, 2, 3]);
    const client = await connect();
    const subscribed = await client.ask({ type: 'subscribe', channel: 'ws-after', after: ids[1] });
    expect(subscribed.cursor).toBe(ids[1]);
    await until(() => client.of('caught-up').length === 1, 'the replay to end');
    await publish(gateway.url, 'ws-after', 4);
    await until(() => client.of('message').length === 3, 'the live message');
    expect(client.received.slice(1).map(({ type, id, cursor }) => [type, id ?? cursor])).toEqual([
      ['subscribed', ids[1]],
      ['message', ids[2]],
      ['message', ids[3]],
      ['caught-up', ids[3]],
      ['message', client.of('message')[2]?.id],
    ]);
    expect(client.of('gap')).toEqual([]);
  });

  test('last=N begins with up to N messages, and no cursor is told before', async () => {
    const ids = await publishAll('ws-last', [0, 1, 2, 3]);
    const client = await connect();
    const subscribed = await client.ask({ type: 'subscribe', channel: 'ws-last', last: 2 });
    expect(Object.keys(subscribed).sort()).toEqual(['channel', 'ref', 'type']);
    await until(() => client.of('caught-up').length === 1, 'the replay to end');
    expect(client.of('message').map(({ id }) => id)).toEqual(ids.slice(2));
    expect(client.of('caught-up')).toEqual([{ type: 'caught-up', channel: 'ws-last', cursor: ids[3] }]);
  });

  test('a live subscription is not told caught-up', async () => {
    const client = await connect('?channel=ws-live');
    await nothingMore(client);
    expect(client.of('caught-up')).toEqual([]);
  });

  test('a cursor that makes no sense is a gap, and the channel goes on live', async () => {
    for (const [after, reason] of [
      ['nonsense', 'unknown'],
      ['1-0', 'rewound'],
      ['"\n🎺\ud83d', 'unknown'],
    ]) {
      const client = await connect();
      await client.ask({ type: 'subscribe', channel: 'ws-gap', after });
      await until(() => client.of('caught-up').length === 1, 'the replay to end');
      expect(client.of('gap')).toEqual([{ type: 'gap', channel: 'ws-gap', after, reason }]);
      const id = await publish(gateway.url, 'ws-gap', after === '1-0');
      await until(() => client.of('message').at(-1)?.id === id, 'the live message');
      client.close();
    }
  });

  test('an empty after counts as none', async () => {
    const client = await connect();
    expect(await client.ask({ type: 'subscribe', channel: 'ws-empty', after: '' })).toMatchObject({
      cursor: expect.stringMatching(/^\d+-\d+$/),
    });
    await nothingMore(client);
    expect([client.of('gap'), client.of('caught-up')]).toEqual([[], []]);
  });

  test('messages that are trimmed are a gap, and then come those that there are', async () => {
    const ids = await publishAll(
      'ws-trim',
      Array.from({ length: 10 }, (_, i) => i),
    );
    await publishAll(
      'ws-filler',
      Array.from({ length: 25 }, () => 'x'.repeat(50_000)),
    );
    const client = await connect();
    await client.ask({ type: 'subscribe', channel: 'ws-trim', after: ids[0] });
    await until(() => client.of('caught-up').length === 1, 'the replay to end');
    expect(client.of('gap')).toEqual([{ type: 'gap', channel: 'ws-trim', after: ids[0], reason: 'trimmed' }]);
    expect(dataOf(client)).toEqual([5, 6, 7, 8, 9]);
  });

  test('channels, after and last work in the address too', async () => {
    const ids = await publishAll('ws-q:1', [0, 1, 2]);
    const [other] = await publishAll('ws-q:2', ['other']);
    const resumed = await connect(`?channel=ws-q:1&channel=ws-q:2&after=${ids[0]}`);
    await until(() => resumed.of('caught-up').length === 2, 'the replay to end');
    expect(resumed.of('subscribed').map(({ channel, cursor, ref }) => [channel, cursor, ref])).toEqual([
      ['ws-q:1', ids[0], undefined],
      ['ws-q:2', ids[0], undefined],
    ]);
    expect(resumed.of('message').map(({ id }) => id)).toEqual([ids[1], ids[2], other]);
    expect(resumed.of('caught-up').map(({ channel }) => channel)).toEqual(['ws-q:1', 'ws-q:2']);
    const last = await connect('?channel=ws-q:1&channel=ws-q:2&last=2');
    await until(() => last.of('caught-up').length === 2, 'the replay to end');
    expect(dataOf(last)).toEqual([1, 2, 'other']);
  });

  test('a channel of several that came in the address can be left alone', async () => {
    const client = await connect('?channel=ws-one&channel=ws-two');
    await client.ask({ type: 'unsubscribe', channel: 'ws-one' });
    await publish(gateway.url, 'ws-one', 'unheard');
    const id = await publish(gateway.url, 'ws-two', 'heard');
    await until(() => client.of('message').length > 0, 'the message');
    expect(client.of('message').map(({ id }) => id)).toEqual([id]);
    await client.ask({ type: 'subscribe', channel: 'ws-one' });
    await publish(gateway.url, 'ws-one', 'again');
    await until(() => client.of('message').length === 2, 'the message');
  });
});

test('many publishes in one go are all answered, in their order, and the others are served meanwhile', async () => {
  const COUNT = 3000;
  const [flooder, other, listener] = [await connect(), await connect(), await connect('?channel=flood')];
  for (let i = 0; i < COUNT; i++) flooder.say({ type: 'publish', channel: 'flood', data: i, ref: i });
  expect(await other.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
  await until(() => flooder.of('published').length === COUNT, 'every answer');
  expect(flooder.of('published').map(({ ref }) => ref)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
  await until(() => listener.of('message').length === COUNT, 'every message');
  expect(dataOf(listener)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
  expect(flooder.closeCode).toBeUndefined();
});

test('subscriptions and channels are counted while they last', async () => {
  const figures = async () => [
    await metric(gateway, 'fanfare_subscriptions'),
    await metric(gateway, 'fanfare_channels'),
  ];
  const before = await figures();
  const [one, two] = [await connect('?channel=n:1&channel=n:2'), await connect('?channel=n:2')];
  await until(() => one.of('subscribed').length === 2 && two.of('subscribed').length === 1, 'the subscriptions');
  expect((await figures()).map((count, i) => count - (before[i] ?? 0))).toEqual([3, 2]);
  await one.ask({ type: 'unsubscribe', channel: 'n:2' });
  expect((await figures()).map((count, i) => count - (before[i] ?? 0))).toEqual([2, 2]);
  two.close();
  await until(async () => (await figures())[0] === (before[0] ?? 0) + 1, 'the subscription to end');
  expect((await figures())[1]).toBe((before[1] ?? 0) + 1);
});
