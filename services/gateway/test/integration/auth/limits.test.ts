import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { watchNodes } from '../../support/secrets.ts';
import { SseClient } from '../../support/sse-client.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { type Asked, ask, bearer, historyOf, post, publishAs } from './ask.ts';

/** A second's worth; ten seconds' worth are granted at once. */
const RATE = 3;
const BURST = 10 * RATE;
const MOST_CONNECTIONS = 4;

const nodes = watchNodes();
const signer = secretSigner();
const key = publishSecret();

let redis: TestRedis;
let all: readonly [Gateway, Gateway];
beforeAll(async () => {
  redis = await startRedis();
  const start = (): Promise<Gateway> =>
    nodes.startGateway({
      REDIS_URL: redis.url,
      FANFARE_AUTH: 'jwt',
      FANFARE_JWT_SECRET: signer.secret,
      FANFARE_PUBLIC_CHANNELS: 'news:*',
      FANFARE_MAX_PUBLISH_RATE: String(RATE),
      FANFARE_MAX_CONNECTIONS_PER_SUBJECT: String(MOST_CONNECTIONS),
      FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['*'] }]),
    });
  all = await Promise.all([start(), start()]);
});
afterAll(() => redis?.stop());

const tokenOf = (sub: string): Promise<string> => signer.sign({ sub });

/** Publishes on both nodes by turns, far more than may be; how many were taken, and the refusals. */
async function publishTooMuch(secret: string, channel: string): Promise<{ taken: number; refused: Asked[] }> {
  const answers = await Promise.all(
    Array.from({ length: 4 * BURST }, (_, i) => publishAs((all[i % 2] as Gateway).url, secret, channel, i)),
  );
  return {
    taken: answers.filter(({ status }) => status === 201).length,
    refused: answers.filter(({ status }) => status !== 201),
  };
}

/** A burst was taken, and what time has granted since: nobody knows how long that was, so it is only held against what was sent. */
function expectBounded(taken: number): void {
  expect(taken).toBeGreaterThanOrEqual(BURST / 2);
  expect(taken).toBeLessThan(3 * BURST);
}

describe.each([
  ['a subject', () => tokenOf('busy')],
  ['a key', async () => key.secret],
] as const)('what %s publishes is bounded over all nodes together', (name, secretOf) => {
  test('by a status that says when to try again, and nothing that was refused is published', async () => {
    const secret = await secretOf();
    const channel = name.replace(' ', '-');
    const { taken, refused } = await publishTooMuch(secret, channel);
    expectBounded(taken);
    for (const { status, headers, text } of refused) {
      expect([status, text]).toEqual([429, expect.stringContaining('"code":"rate_limited"')]);
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
    }
    const reader = await tokenOf('reader');
    expect(await historyOf(all[0].url, reader, channel)).toHaveLength(taken);
    expect(
      (await metric(all[0], 'fanfare_messages_published_total', 'rate_limited')) +
        (await metric(all[1], 'fanfare_messages_published_total', 'rate_limited')),
    ).toBeGreaterThanOrEqual(refused.length);
    // Others are not held back by it.
    expect((await publishAs(all[0].url, await tokenOf(`other-${channel}`), channel, 1)).status).toBe(201);
  });
});

test('a token made anew, or a node of another name, gives a subject no more', async () => {
  const first = await publishTooMuch(await tokenOf('twice'), 'twice');
  expectBounded(first.taken);
  const again = await publishTooMuch(await signer.sign({ sub: 'twice', jti: 'new', publish: ['twice'] }), 'twice');
  expect(again.taken).toBeLessThan(BURST);
});

test('of a batch that is too large the first ones are published, and the others are told so', async () => {
  const token = await tokenOf('batch');
  const messages = Array.from({ length: 3 * BURST }, (_, i) => ({ channel: 'batch', data: i }));
  const answer = await post(all[0].url, '/v1/messages', { messages }, bearer(token));
  expect(answer.status).toBe(200);
  const { results } = JSON.parse(answer.text) as { results: { id?: string; error?: { code: string } }[] };
  const taken = results.filter(({ id }) => id !== undefined).length;
  expect(taken).toBe(BURST);
  expect(results.slice(taken).map(({ error }) => error?.code)).toEqual(Array(2 * BURST).fill('rate_limited'));
  expect(await historyOf(all[1].url, token, 'batch')).toEqual(messages.slice(0, taken).map(({ data }) => data));
  // One of which nothing is taken is one refused request.
  const next = await post(all[1].url, '/v1/messages', { messages: messages.slice(0, 40) }, bearer(token));
  if (next.status === 429) expect(Number(next.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  else expect(next.text.match(/"id"/g)?.length ?? 0).toBeLessThan(BURST);
});

test('a WebSocket is told, and lives', async () => {
  const client = await new WebSocketClient(`${all[0].url}/v1/ws`).open();
  await client.ask({ type: 'auth', token: await tokenOf('talker') });
  for (let i = 0; i < 2 * BURST; i++) client.say({ type: 'publish', channel: 'talk', data: i, ref: i });
  await until(() => client.of('published').length + client.of('error').length === 2 * BURST, 'all answers');
  expectBounded(client.of('published').length);
  expect(new Set(client.of('error').map(({ code }) => code))).toEqual(new Set(['rate_limited']));
  expect((await client.ask({ type: 'ping' })).type).toBe('pong');
  // After a while it may publish again.
  await until(
    async () => (await client.ask({ type: 'publish', channel: 'talk', data: 'again' })).type === 'published',
    'a permit',
  );
  client.close();
});

describe('connections of one subject on a node are counted, whatever they are', () => {
  async function fill({ url }: Gateway, token: string): Promise<() => void> {
    const streams = await Promise.all([1, 2].map(() => new SseClient(`${url}/v1/sse?channel=a`, bearer(token)).open()));
    const webSocket = await new WebSocketClient(`${url}/v1/ws`).open();
    expect((await webSocket.ask({ type: 'auth', token })).type).toBe('authenticated');
    const gone = new AbortController();
    const poll = fetch(`${url}/v1/channels/a/messages?wait=60`, { headers: bearer(token), signal: gone.signal }).catch(
      () => {},
    );
    await until(
      async () => (await ask(url, '/v1/channels/a/messages?wait=1', { headers: bearer(token) })).status === 429,
      'the poll to wait',
    );
    return () => {
      for (const stream of streams) stream.close();
      webSocket.close();
      gone.abort();
      void poll;
    };
  }

  test('past the limit streams, WebSockets and long polls are sent away, of others not, and room comes back', async () => {
    const [node, other] = all;
    const token = await tokenOf('crowd');
    const leave = await fill(node, token);
    const stream = await new SseClient(`${node.url}/v1/sse?channel=a`, bearer(token)).open();
    await until(() => stream.ended, 'the end');
    expect([stream.status, stream.of('fanfare:bye').map(({ data }) => data)]).toEqual([
      200,
      ['{"reason":"too_many_connections"}'],
    ]);
    const webSocket = await new WebSocketClient(`${node.url}/v1/ws?channel=a`).open();
    webSocket.say({ type: 'auth', token });
    await until(() => webSocket.closeCode !== undefined, 'the close');
    expect([webSocket.closeCode, webSocket.closeReason, webSocket.of('subscribed').length]).toEqual([
      1013,
      'too_many_connections',
      0,
    ]);
    const poll = await ask(node.url, '/v1/channels/a/messages?wait=1', { headers: bearer(token) });
    expect([poll.status, Number(poll.headers['retry-after']) > 0, poll.text.includes('too_many_connections')]).toEqual([
      429,
      true,
      true,
    ]);
    // What does not last is not refused.
    expect((await ask(node.url, '/v1/channels/a/messages', { headers: bearer(token) })).status).toBe(200);
    expect((await publishAs(node.url, token, 'b', 1)).status).toBe(201);
    // A token made anew is of the same subject.
    const second = await new SseClient(
      `${node.url}/v1/sse?channel=a`,
      bearer(await signer.sign({ sub: 'crowd', jti: '2' })),
    ).open();
    expect(second.text).toContain('too_many_connections');

    for (const [url, headers] of [
      [other.url, bearer(token)],
      [node.url, bearer(await tokenOf('crowd2'))],
    ] as const) {
      const free = await new SseClient(`${url}/v1/sse?channel=a`, headers).open();
      expect(free.text).not.toContain('too_many_connections');
      free.close();
    }
    const visitors = await Promise.all(
      [1, 2, 3, 4, 5, 6].map(() => new SseClient(`${node.url}/v1/sse?channel=news:1`).open()),
    );
    expect(visitors.some(({ text }) => text.includes('too_many'))).toBe(false);
    for (const visitor of visitors) visitor.close();

    leave();
    await until(async () => {
      const again = await new SseClient(`${node.url}/v1/sse?channel=a`, bearer(token)).open();
      const isIn = !again.text.includes('too_many_connections');
      again.close();
      return isIn;
    }, 'room');
  });

  test('many that come at once do not slip through', async () => {
    const [node] = all;
    const token = await tokenOf('rush');
    const streams = await Promise.all(
      Array.from({ length: 40 }, () => new SseClient(`${node.url}/v1/sse?channel=a`, bearer(token)).open()),
    );
    const refused = (stream: SseClient): boolean => stream.text.includes('too_many_connections');
    expect(streams.filter((stream) => !refused(stream))).toHaveLength(MOST_CONNECTIONS);
    for (const stream of streams) stream.close();
  });
});

test('a subject makes some tickets at once over all nodes, and is told when it may make more', async () => {
  const token = await tokenOf('tickets');
  const make = ({ url }: Gateway, secret: string): Promise<Asked> =>
    ask(url, '/v1/tickets', { method: 'POST', headers: bearer(secret) });
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => make(all[i % 2] as Gateway, token)));
  const made = answers.filter(({ status }) => status === 201);
  expect(made.length).toBeGreaterThanOrEqual(60);
  expect(made.length).toBeLessThan(160);
  const refused = answers.filter(({ status }) => status !== 201);
  for (const { status, headers, text } of refused) {
    expect([status, text]).toEqual([429, expect.stringContaining('rate_limited')]);
    expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
  }
  expect((await make(all[0], await tokenOf('tickets2'))).status).toBe(201);
  await until(async () => (await make(all[1], token)).status === 201, 'another ticket');
});
