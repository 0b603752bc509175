import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

const clients: SseClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function connect(gateway: Gateway, query: string, lastEventId?: string): SseClient {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const client = new SseClient(`${gateway.url}/v1/sse?${query}`, headers);
  clients.push(client);
  return client;
}

/** A client whose replay is over. */
async function resume(gateway: Gateway, query: string, lastEventId?: string): Promise<SseClient> {
  const client = connect(gateway, query, lastEventId);
  await until(() => client.of('fanfare:caught-up').length > 0, 'the replay to end');
  return client;
}

async function publishMany(gateway: Gateway, channel: string, data: readonly unknown[]): Promise<string[]> {
  const messages = data.map((each) => ({ channel, data: each }));
  const { json } = await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }));
  return (json.results as { id: string }[]).map(({ id }) => id);
}

/** Waits until the node's tail has come to a message: a client that is ahead of it is answered only then. */
async function arrived(gateway: Gateway, channel: string, id: string | undefined): Promise<void> {
  await exchange(gateway.url, `/v1/channels/${channel}/messages?after=${id}`);
}

/** Publishes more than memory holds, so that what came before is in the history only. */
async function forget(gateway: Gateway): Promise<void> {
  const filler = 'x'.repeat(50_000);
  const ids = await publishMany(
    gateway,
    'filler',
    Array.from({ length: 25 }, () => filler),
  );
  await arrived(gateway, 'filler', ids.at(-1));
}

const dataOf = (client: SseClient): unknown[] => client.messages.map(({ data }) => JSON.parse(data));
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe.for(['embedded', 'redis'] as const)('on the %s log', (log) => {
  let redis: TestRedis | undefined;
  let gateway: Gateway;
  beforeAll(async () => {
    if (log === 'redis') redis = await startRedis();
    gateway = await startGateway({
      // The least: little is enough to have the history read.
      FANFARE_RECENT_BYTES: String(1024 * 1024),
      FANFARE_HISTORY_SIZE: '500',
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    });
  });
  afterAll(async () => {
    await gateway?.kill();
    await redis?.stop();
  });

  const resumes = (source: string, outcome: string): Promise<number> =>
    metric(gateway, 'fanfare_resumes_total', `source="${source}",outcome="${outcome}"`);
  const historySource = log === 'redis' ? 'redis' : 'memory';

  test('a client that comes back gets what it missed, then caught-up once, then what is new', async () => {
    const ids = await publishMany(gateway, 'back', range(0, 10));
    await arrived(gateway, 'back', ids.at(-1));
    const before = await resumes('memory', 'complete');
    const client = await resume(gateway, 'channel=back', ids[3]);
    await publish(gateway.url, 'back', 10);
    await until(() => client.messages.length === 7, 'the new message');
    expect(dataOf(client)).toEqual(range(4, 11));
    expect(client.of('fanfare:caught-up')).toHaveLength(1);
    expect(client.of('fanfare:gap')).toEqual([]);
    expect(JSON.parse(client.of('fanfare:caught-up')[0]?.data ?? '')).toEqual({ cursor: ids[9] });
    expect(client.text.startsWith(`: fanfare\nretry: ${client.retryMilliseconds}\nid: ${ids[3]}\n\n`)).toBe(true);
    expect((await resumes('memory', 'complete')) - before).toBe(1);
  });

  test('after= does the same on a first connect, and the header wins over it and over last', async () => {
    const ids = await publishMany(gateway, 'wins', range(0, 10));
    await arrived(gateway, 'wins', ids.at(-1));
    expect(dataOf(await resume(gateway, `channel=wins&after=${ids[6]}`))).toEqual([7, 8, 9]);
    expect(dataOf(await resume(gateway, `channel=wins&after=${ids[6]}`, ids[8]))).toEqual([9]);
    expect(dataOf(await resume(gateway, 'channel=wins&last=5', ids[7]))).toEqual([8, 9]);
  });

  test('an empty Last-Event-ID or after counts as none', async () => {
    for (const client of [connect(gateway, 'channel=none', ''), connect(gateway, 'channel=none&after=')]) {
      await client.open();
      expect(client.events).toEqual([]);
      expect(client.lastEventId).toMatch(/^\d+-\d+$/);
    }
  });

  test('a client with the newest cursor misses nothing, and is told so', async () => {
    const id = await publish(gateway.url, 'newest', 1);
    await arrived(gateway, 'newest', id);
    const client = await resume(gateway, 'channel=newest', id);
    expect(client.messages).toEqual([]);
  });

  test('last=N starts with up to N messages of each channel, in one order, and its cursor comes with the first', async () => {
    const one = await publishMany(gateway, 'last:1', range(0, 8));
    const two = await publishMany(gateway, 'last:2', range(100, 102));
    const three = await publishMany(gateway, 'last:1', range(8, 10));
    await arrived(gateway, 'last:1', three.at(-1));
    const client = await resume(gateway, 'channel=last:1&channel=last:2&channel=last:none&last=4');
    expect(dataOf(client)).toEqual([6, 7, 100, 101, 8, 9]);
    expect(client.messages.map(({ lastEventId }) => lastEventId)).toEqual([...one.slice(6), ...two, ...three]);
    expect(client.text).toMatch(/^: fanfare\nretry: \d+\n\nid: /);
    expect(client.of('fanfare:caught-up')).toHaveLength(1);
    await publish(gateway.url, 'last:none', 'new');
    await until(() => client.messages.length === 7, 'the new message');
  });

  test('last=N of channels without messages starts live, with a cursor', async () => {
    const client = await resume(gateway, 'channel=last-empty&last=10');
    await until(() => client.lastEventId !== '', 'the cursor');
    expect(client.messages).toEqual([]);
  });

  test('last=N reads from the history what memory no longer holds', async () => {
    const ids = await publishMany(gateway, 'last-old', range(0, 20));
    await forget(gateway);
    const client = await resume(gateway, 'channel=last-old&last=7');
    expect(client.messages.map(({ lastEventId }) => lastEventId)).toEqual(ids.slice(13));
  });

  test('what memory no longer holds is replayed from the history, over many pages and several channels', async () => {
    const sent: string[] = [];
    const start = await publish(gateway.url, 'old:0', 'start');
    for (let i = 0; i < 12; i++)
      sent.push(
        ...(await publishMany(
          gateway,
          `old:${i % 3}`,
          Array.from({ length: 60 }, () => 'x'.repeat(700)),
        )),
      );
    await forget(gateway);
    const before = await resumes(historySource, 'complete');
    const client = await resume(gateway, 'channel=old:0&channel=old:1&channel=old:2', start);
    expect(client.messages.map(({ lastEventId }) => lastEventId)).toEqual(sent);
    expect(client.of('fanfare:gap')).toEqual([]);
    expect(client.of('fanfare:caught-up')).toHaveLength(1);
    expect((await resumes(historySource, 'complete')) - before).toBe(1);
  });

  test('a replay from the history meets what is published meanwhile without a hole and without a double', async () => {
    const start = await publish(gateway.url, 'seam', 'start');
    await publishMany(gateway, 'seam', range(0, 300));
    await forget(gateway);
    const publishing = (async () => {
      for (let next = 300; next < 420; next += 4) await publishMany(gateway, 'seam', range(next, next + 4));
    })();
    const resumed = await Promise.all(Array.from({ length: 8 }, () => resume(gateway, 'channel=seam', start)));
    await publishing;
    await until(() => resumed.every((client) => client.messages.length >= 420), 'all messages');
    for (const client of resumed) {
      expect(dataOf(client)).toEqual(range(0, 420));
      expect(client.of('fanfare:caught-up')).toHaveLength(1);
      expect(client.of('fanfare:gap')).toEqual([]);
    }
  });

  test('more than the history holds is a gap, trimmed, and then all that there is', async () => {
    const [first] = await publishMany(gateway, 'trimmed', range(0, 501 + 50));
    await forget(gateway);
    const figures = async (): Promise<number[]> => [
      await metric(gateway, 'fanfare_gaps_total', 'reason="trimmed"'),
      await resumes(historySource, 'gap'),
    ];
    const before = await figures();
    const client = await resume(gateway, 'channel=trimmed', first);
    expect(client.events[0]?.type).toBe('fanfare:gap');
    expect(JSON.parse(client.of('fanfare:gap')[0]?.data ?? '')).toEqual({
      channel: 'trimmed',
      after: first,
      reason: 'trimmed',
    });
    expect(dataOf(client)).toEqual(range(51, 551));
    expect([client.of('fanfare:gap').length, client.of('fanfare:caught-up').length]).toEqual([1, 1]);
    expect((await figures()).map((count, i) => count - (before[i] ?? 0))).toEqual([1, 1]);
  });

  test.for([
    'nonsense',
    '-',
    '1',
    '1-',
    '1-2-3',
    '-1-0',
    '0x10-0',
    '99999999999999999999999-0',
    '1-99999999999999999999999',
    '0:1-0,',
    '0:1-0 ,1:2-0',
    'undefined',
    'null',
    '<script>alert(1)</script>',
    'a'.repeat(6000),
    '\u00e9',
    '__proto__',
  ])(
    'a cursor that makes no sense is a gap for every channel, unknown, and the stream goes on live: %s',
    async (cursor) => {
      const client = await resume(gateway, 'channel=g:1&channel=g:2', cursor);
      const gaps = client.of('fanfare:gap').map(({ data }) => JSON.parse(data) as Record<string, unknown>);
      expect(gaps.map(({ channel, reason }) => [channel, reason])).toEqual([
        ['g:1', 'unknown'],
        ['g:2', 'unknown'],
      ]);
      expect(client.status).toBe(200);
      await publish(gateway.url, 'g:1', 'live');
      await until(() => client.messages.length === 1, 'the live message');
      expect(client.lastEventId).toMatch(/^\d+-\d+$/);
    },
  );

  test('a cursor from a future that the log has not seen is a gap, unknown', async () => {
    const client = await resume(gateway, 'channel=future', '18446744073709551615-18446744073709551615');
    const [gap] = client.of('fanfare:gap').map(({ data }) => JSON.parse(data) as Record<string, unknown>);
    expect(gap).toEqual({ channel: 'future', after: '18446744073709551615-18446744073709551615', reason: 'unknown' });
    await publish(gateway.url, 'future', 'live');
    await until(() => client.messages.length === 1, 'the live message');
  });

  test('a cursor from before the log began is a gap, rewound, and what there is follows', async () => {
    const id = await publish(gateway.url, 'before', 'here');
    await arrived(gateway, 'before', id);
    const client = await resume(gateway, 'channel=before', '1000-0');
    expect(client.of('fanfare:gap').map(({ data }) => JSON.parse(data))).toEqual([
      { channel: 'before', after: '1000-0', reason: 'rewound' },
    ]);
    expect(dataOf(client)).toEqual(['here']);
  });

  test('a client that is cut off again and again, wherever it stands, has every message once and in order', async () => {
    const seen: unknown[] = [];
    let cursor: string | undefined = (await connect(gateway, 'channel=cut').open()).lastEventId;
    const publishing = (async () => {
      for (let i = 0; i < 300; i += 3) await publishMany(gateway, 'cut', range(i, i + 3));
    })();
    while (seen.length < 300) {
      const client = connect(gateway, 'channel=cut', cursor);
      const enough = 1 + Math.floor(Math.random() * 20);
      await until(() => client.messages.length >= Math.min(enough, 300 - seen.length), 'some messages');
      client.close();
      seen.push(...dataOf(client));
      cursor = client.messages.at(-1)?.lastEventId ?? cursor;
    }
    await publishing;
    expect(seen).toEqual(range(0, 300));
  });
});

test("with the embedded log, a cursor of an earlier process' is a gap, and the channel goes on", async () => {
  const first = await startGateway();
  const id = await publish(first.url, 'restart', 'lost');
  await first.kill();
  const second = await startGateway();
  try {
    const client = await resume(second, 'channel=restart', id);
    expect(client.of('fanfare:gap').map(({ data }) => JSON.parse(data))).toEqual([
      { channel: 'restart', after: id, reason: 'rewound' },
    ]);
    await publish(second.url, 'restart', 'live');
    await until(() => client.messages.length === 1, 'the live message');
  } finally {
    await second.kill();
  }
});

test('what is older than its time to live is a gap, expired', async () => {
  const gateway = await startGateway({ FANFARE_HISTORY_TTL: '1', FANFARE_RECENT_BYTES: String(1024 * 1024) });
  try {
    const start = (await connect(gateway, 'channel=aged').open()).lastEventId;
    await publish(gateway.url, 'aged', 'old');
    await forget(gateway);
    await until(async () => {
      const { json } = await exchange(gateway.url, '/v1/channels/aged/messages');
      return (json.messages as object[]).length === 0;
    }, 'the message to expire');
    const client = await resume(gateway, 'channel=aged', start);
    expect(client.of('fanfare:gap').map(({ data }) => JSON.parse(data))).toEqual([
      { channel: 'aged', after: start, reason: 'expired' },
    ]);
  } finally {
    await gateway.kill();
  }
});
