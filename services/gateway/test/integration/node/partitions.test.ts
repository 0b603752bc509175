import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { partitionOf } from '../../../src/message.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

const PARTITIONS = 4;
const COUNT = 24;

/** A namespace on each partition. */
const NAMESPACES = Array.from({ length: PARTITIONS }, (_, partition) => {
  for (let i = 0; ; i++) if (partitionOf(`ns${i}`, PARTITIONS) === partition) return `ns${i}`;
});
/** Three partitions, one of which has two channels. */
const CHANNELS = [`${NAMESPACES[0]}:a`, `${NAMESPACES[1]}:a`, `${NAMESPACES[3]}:a`, `${NAMESPACES[1]}:b`];
const namedIn = (test: string): string[] => CHANNELS.map((channel) => `${channel}.${test}`);
const queryOf = (channels: readonly string[]): string => channels.map((channel) => `channel=${channel}`).join('&');

describe.for(['embedded', 'redis'] as const)('on the %s log', (log) => {
  let redis: TestRedis | undefined;
  let gateway: Gateway;
  const closing: { close(): void }[] = [];
  beforeAll(async () => {
    if (log === 'redis') redis = await startRedis();
    gateway = await startGateway({
      FANFARE_PARTITIONS: String(PARTITIONS),
      FANFARE_HEARTBEAT_INTERVAL: '1',
      FANFARE_HEARTBEAT_TIMEOUT: '0.8',
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    });
  });
  afterEach(() => {
    for (const client of closing.splice(0)) client.close();
  });
  afterAll(async () => {
    await gateway?.kill();
    await redis?.stop();
  });

  function connect(channels: readonly string[], query = '', lastEventId?: string): SseClient {
    const url = `${gateway.url}/v1/sse?${queryOf(channels)}${query}`;
    const client = new SseClient(url, lastEventId === undefined ? {} : { 'last-event-id': lastEventId });
    closing.push(client);
    return client;
  }

  async function resume(channels: readonly string[], query = '', lastEventId?: string): Promise<SseClient> {
    const client = connect(channels, query, lastEventId);
    await until(() => client.of('fanfare:caught-up').length > 0, 'the replay to end');
    return client;
  }

  /** Publishes to the channels in turn; data is the channel's place in the list and a count. */
  async function publishTo(channels: readonly string[], from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) await publish(gateway.url, channels[i % channels.length] ?? '', i);
  }

  const numbersOf = (client: SseClient): number[] => client.messages.map(({ data }) => Number(data));
  const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  /** Each partition's messages come in its order. */
  function expectOrder(numbers: readonly number[]): void {
    for (const partitions of [[0], [1, 3], [2]]) {
      const own = numbers.filter((number) => partitions.includes(number % CHANNELS.length));
      expect(own).toEqual(sorted(own));
    }
  }

  test('a stream over several partitions resumes exactly from any of its cursors', async () => {
    const channels = namedIn('exact');
    const first = await connect(channels).open();
    const start = first.lastEventId;
    expect(start).toMatch(/^0:\d+-\d+,1:\d+-\d+,3:\d+-\d+$|^(\d:\d+-\d+,){2}\d:\d+-\d+$/);
    await publishTo(channels, 0, COUNT);
    await until(() => first.messages.length === COUNT, 'all messages');
    expectOrder(numbersOf(first));
    expect(sorted(numbersOf(first))).toEqual(range(0, COUNT));
    const seen = numbersOf(first);
    for (const [i, cursor] of [start, ...first.messages.map(({ lastEventId }) => lastEventId)].entries()) {
      const back = await resume(channels, '', cursor);
      expectOrder(numbersOf(back));
      expect(sorted(numbersOf(back))).toEqual(sorted(seen.slice(i)));
      expect(back.of('fanfare:gap')).toEqual([]);
      expect(back.of('fanfare:caught-up')).toHaveLength(1);
      back.close();
    }
  });

  test('last=N starts with N messages of each channel, says caught-up once, and its cursors resume', async () => {
    const channels = namedIn('last');
    await publishTo(channels, 0, COUNT);
    await Promise.all(
      channels.map((channel) =>
        until(async () => {
          const { json } = await exchange(gateway.url, `/v1/channels/${channel}/messages`);
          return (json.messages as object[]).length === COUNT / CHANNELS.length;
        }, 'the messages to arrive'),
      ),
    );
    for (let i = 0; i < 5; i++) {
      const client = await resume(channels, '&last=2');
      expect(sorted(numbersOf(client))).toEqual(range(COUNT - 8, COUNT));
      await until(() => client.text.includes(': heartbeat'), 'a heartbeat');
      expect(client.of('fanfare:caught-up')).toHaveLength(1);
      const back = await resume(channels, '', client.lastEventId);
      expect(back.messages).toEqual([]);
      client.close();
      back.close();
    }
  });

  test('a client that breaks off in the middle of last=N has not lost the rest', async () => {
    const channels = namedIn('broken-off');
    await publishTo(channels, 0, COUNT);
    await Promise.all(
      channels.map((channel) =>
        until(async () => {
          const { json } = await exchange(gateway.url, `/v1/channels/${channel}/messages`);
          return (json.messages as object[]).length === COUNT / CHANNELS.length;
        }, 'the messages to arrive'),
      ),
    );
    const whole = await resume(channels, '&last=3');
    const seen = numbersOf(whole);
    expect(sorted(seen)).toEqual(range(COUNT - 12, COUNT));
    for (const [i, { lastEventId }] of whole.messages.entries()) {
      const back = await resume(channels, '', lastEventId);
      expect(sorted(numbersOf(back))).toEqual(expect.arrayContaining(sorted(seen.slice(i + 1))));
      back.close();
    }
  });

  test('caught-up comes once, with a cursor that has a place for each partition', async () => {
    const channels = namedIn('once');
    const client = await resume(channels, '', (await connect(channels).open()).lastEventId);
    const { cursor } = JSON.parse(client.of('fanfare:caught-up')[0]?.data ?? '') as { cursor: string };
    expect(cursor.split(',')).toHaveLength(3);
    await until(() => client.text.includes(': heartbeat'), 'a heartbeat');
    expect(client.of('fanfare:caught-up')).toHaveLength(1);
  });

  test('a heartbeat moves every place on', async () => {
    const channels = namedIn('moving');
    const client = await connect(channels).open();
    const id = await publish(gateway.url, `${NAMESPACES[1]}:elsewhere`, 1);
    await until(() => client.lastEventId.split(',').includes(`1:${id}`), 'the cursor to move on');
    expect(client.messages).toEqual([]);
  });

  test('a cursor of more channels is good for fewer; one of fewer is a gap for what it does not name', async () => {
    const channels = namedIn('subset');
    const start = (await connect(channels).open()).lastEventId;
    await publishTo(channels, 0, 4);
    const one = await resume(channels.slice(0, 1), '', start);
    await until(() => one.messages.length === 1, 'the message');
    expect([numbersOf(one), one.of('fanfare:gap')]).toEqual([[0], []]);
    const more = await resume(
      channels.slice(0, 2),
      '',
      start.split(',').find((place) => place.startsWith('0:')),
    );
    expect(more.of('fanfare:gap').map(({ data }) => (JSON.parse(data) as { channel: string }).channel)).toEqual([
      channels[1],
    ]);
    expect(numbersOf(more)).toEqual([0]);
  });

  test("on WebSocket a channel's last id resumes it, and the cursor of a heartbeat resumes all", async () => {
    const channels = namedIn('ws');
    const client = await new WebSocketClient(`${gateway.url}/v1/ws?${queryOf(channels)}`).open();
    closing.push(client);
    await until(() => client.of('subscribed').length === channels.length, 'the subscriptions');
    await publishTo(channels, 0, 8);
    await until(() => client.of('message').length === 8, 'all messages');
    const seen = client.of('message');
    await until(() => {
      const places = String(client.of('cursor').at(-1)?.id ?? '').split(',');
      return places.some((place) => place.endsWith(`:${seen.at(-1)?.id}`)) && places.length === 3;
    }, 'a cursor past all of it');
    const all = await new WebSocketClient(
      `${gateway.url}/v1/ws?${queryOf(channels)}&after=${client.of('cursor').at(-1)?.id}`,
    ).open();
    closing.push(all);
    await until(() => all.of('caught-up').length === channels.length, 'the replay to end');
    expect([all.of('message'), all.of('gap')]).toEqual([[], []]);

    const one = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
    closing.push(one);
    for (const channel of channels) {
      const first = seen.find((message) => message.channel === channel);
      await one.ask({ type: 'subscribe', channel, after: first?.id });
    }
    await until(() => one.of('caught-up').length === channels.length, 'the replays to end');
    expect(one.of('message').map(({ data }) => data)).toEqual([4, 5, 6, 7]);
    expect(one.of('gap')).toEqual([]);
  });
});
