import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { formatCursor } from '../../../src/cursor.ts';
import { Hub } from '../../../src/hub/hub.ts';
import { createEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts';
import type { Log } from '../../../src/log/log.ts';
import { compareIds } from '../../../src/message.ts';
import { HubClient } from '../../support/hub-client.ts';
import { silentLogger, silentMetrics } from '../../support/silent.ts';
import { until } from '../../support/until.ts';

const logger = silentLogger();
const metrics = silentMetrics();

interface Cluster {
  readonly log: Log;
  readonly hub: Hub;
}

const open: Log[] = [];
afterEach(async () => {
  for (const log of open.splice(0)) await log.close();
});

async function start(recentBytes: number, partitions = 1, historySize = 10_000): Promise<Cluster> {
  const options = { partitions, historySize, historyTtlSeconds: 3600, logger, metrics };
  const log = createEmbeddedLog(options);
  open.push(log);
  const hub = new Hub(log, recentBytes, metrics, logger);
  await log.follow(
    {
      floor: (partition, floor) => hub.floor(partition, floor),
      deliver: (partition, messages, position) => hub.deliver(partition, messages, position),
      skipped: (partition, after, position) => hub.skipped(partition, after, position),
    },
    recentBytes,
  );
  return { log, hub };
}

describe('a client that comes back', () => {
  test('has every message once and in order, whatever memory holds and however it came and went', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          recentBytes: fc.constantFrom(500, 3000, 100_000),
          channels: fc.integer({ min: 1, max: 3 }),
          slow: fc.boolean(),
          // For each step: how many messages are published, and to which channels; whether the client is there.
          steps: fc.array(
            fc.record({
              publishes: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 40 }),
              connected: fc.boolean(),
            }),
            { minLength: 2, maxLength: 8 },
          ),
        }),
        async ({ recentBytes, channels, slow, steps }) => {
          const { log, hub } = await start(recentBytes);
          const names = ['a', 'b:1', 'c'].slice(0, channels);
          const accepted: string[] = [];
          const got: string[] = [];
          let cursor = hub.position(0);
          let client: HubClient | undefined;
          const disconnect = (): void => {
            if (client === undefined) return;
            client.close();
            got.push(...client.ids);
            cursor = client.ids.at(-1) ?? cursor;
            expect(client.gaps).toEqual([]);
            client = undefined;
          };
          for (const { publishes, connected } of steps) {
            if (!connected) disconnect();
            else if (client === undefined) {
              client = new HubClient(hub, { slow }).follow(names, { cursor });
            }
            const outcomes = await log.appendMany(
              publishes.map((channel, i) => ({ channel: ['a', 'b:1', 'c', 'other'][channel] ?? 'a', data: String(i) })),
            );
            for (const [i, outcome] of outcomes.entries())
              if (!(outcome instanceof Error) && (publishes[i] ?? 0) < channels) accepted.push(outcome.id);
          }
          disconnect();
          const final = new HubClient(hub).follow(names, { cursor });
          await until(() => got.length + final.ids.length >= accepted.length && final.live, 'every message');
          final.close();
          expect([...got, ...final.ids]).toEqual(accepted);
          await log.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test('of several partitions resumes each of them where it was', async () => {
    const { log, hub } = await start(1000, 4);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const places = new Map(
      names.map((name) => hub.plan([name], {}).parts[0]?.partition ?? 0).map((p) => [p, hub.position(p)]),
    );
    expect(places.size).toBeGreaterThan(1);
    const outcomes = await log.appendMany(
      Array.from({ length: 120 }, (_, i) => ({ channel: names[i % 6] ?? 'a', data: '1' })),
    );
    const client = new HubClient(hub).follow(names, { cursor: formatCursor(places) });
    await until(() => client.live && client.ids.length >= outcomes.length, 'every message');
    const ids = outcomes.map((outcome) => (outcome instanceof Error ? 'error' : outcome.id));
    expect([...client.ids].sort()).toEqual([...ids].sort());
    expect(client.gaps).toEqual([]);
    expect(client.caughtUpWith).toBe(6);
  });
});

describe('a cursor', () => {
  test('that makes no sense is a gap, and the client is live from there', async () => {
    const { log, hub } = await start(10_000);
    const before = await log.append({ channel: 'a', data: '1' });
    await until(() => hub.position(0) === before.id, 'the tail');
    const client = new HubClient(hub).follow(['a'], { cursor: 'nonsense' });
    expect(client.gaps).toEqual(['a after nonsense: unknown']);
    const { id } = await log.append({ channel: 'a', data: '2' });
    await until(() => client.ids.length > 0, 'the next message');
    expect(client.ids).toEqual([id]);
  });

  test('of a future that the log has not reached is a gap', async () => {
    const { hub } = await start(10_000);
    const client = new HubClient(hub).follow(['a'], { cursor: '99999999999999-0' });
    await until(() => client.live, 'the client to be live');
    expect(client.gaps).toEqual(['a after 99999999999999-0: unknown']);
  });

  test('from before the log was made is a gap, and what the log holds is replayed', async () => {
    const { log, hub } = await start(10_000);
    const { id } = await log.append({ channel: 'a', data: '1' });
    const client = new HubClient(hub).follow(['a'], { cursor: '5-0' });
    await until(() => client.live && client.ids.length > 0, 'the message');
    expect(client.gaps).toEqual(['a after 5-0: rewound']);
    expect(client.ids).toEqual([id]);
  });

  test('whose messages were trimmed is a gap, and the rest is replayed', async () => {
    const { log, hub } = await start(1, 1, 3);
    const outcomes = await log.appendMany(Array.from({ length: 10 }, (_, i) => ({ channel: 'a', data: String(i) })));
    const ids = outcomes.map((outcome) => (outcome instanceof Error ? '' : outcome.id));
    const client = new HubClient(hub).follow(['a'], { cursor: ids[0] ?? '' });
    await until(() => client.live, 'the client to be live');
    expect(client.gaps).toEqual([`a after ${ids[0]}: trimmed`]);
    expect(client.ids).toEqual(ids.slice(7));
  });

  test('is no use to who asks for all that there are: to him nothing is missing', async () => {
    const { log, hub } = await start(1, 1, 3);
    const outcomes = await log.appendMany(Array.from({ length: 10 }, (_, i) => ({ channel: 'a', data: String(i) })));
    const ids = outcomes.map((outcome) => (outcome instanceof Error ? '' : outcome.id));
    await until(() => hub.position(0) === ids[9], 'the tail');
    const client = new HubClient(hub).follow(['a'], { oldest: true });
    await until(() => client.live, 'the client to be live');
    expect([client.ids, client.gaps]).toEqual([ids.slice(7), []]);
  });

  test('from a node that was ahead is waited for: nothing comes twice', async () => {
    const { log, hub: ahead } = await start(10_000);
    // A second node on the same log whose tail has not moved yet.
    const behind = new Hub(log, 10_000, metrics, logger);
    behind.floor(0, ahead.position(0));
    const first = await log.append({ channel: 'a', data: '1' });
    const second = await log.append({ channel: 'a', data: '2' });
    const client = new HubClient(behind).follow(['a'], { cursor: second.id });
    expect(client.ids).toEqual([]);
    behind.deliver(0, [{ id: first.id, channel: 'a', data: '1' }], first.id);
    behind.deliver(0, [{ id: second.id, channel: 'a', data: '2' }], second.id);
    await until(() => client.live, 'the client to be live');
    const third = await log.append({ channel: 'a', data: '3' });
    behind.deliver(0, [{ id: third.id, channel: 'a', data: '3' }], third.id);
    expect(client.ids).toEqual([third.id]);
    expect(client.gaps).toEqual([]);
  });
});

describe('the hub', () => {
  test('starts with the newest messages of each channel when asked for them', async () => {
    const { log, hub } = await start(1, 1);
    const outcomes = await log.appendMany(
      Array.from({ length: 20 }, (_, i) => ({ channel: i % 2 === 0 ? 'a' : 'b', data: String(i) })),
    );
    const ids = outcomes.map((outcome) => (outcome instanceof Error ? '' : outcome.id));
    await until(() => hub.position(0) === ids.at(-1), 'the tail');
    const client = new HubClient(hub).follow(['a', 'b'], { last: 3 });
    await until(() => client.live, 'the client to be live');
    expect(client.ids).toEqual(ids.slice(14));
    expect(client.caughtUpWith).toBe(2);
  });

  test('tells everyone of a gap when the floor rises, before what the log holds up to it', async () => {
    const { hub } = await start(10_000);
    const client = new HubClient(hub).follow(['a', 'b']);
    const before = hub.position(0);
    hub.floor(0, '99999999999999-0');
    expect(client.gaps).toEqual([`a after ${before}: rewound`, `b after ${before}: rewound`]);
    hub.deliver(0, [{ id: '99999999999998-0', channel: 'a', data: '1' }], '99999999999998-0');
    expect(client.ids).toEqual(['99999999999998-0']);
    // Who comes now wants what is published from now on: that is behind the floor.
    const late = new HubClient(hub).follow(['a']);
    hub.deliver(0, [{ id: '99999999999998-1', channel: 'a', data: '2' }], '99999999999999-0');
    await until(() => late.live, 'the client that came late to be live');
    hub.deliver(0, [{ id: '99999999999999-1', channel: 'a', data: '3' }], '99999999999999-1');
    expect(late.gaps).toEqual([]);
    expect(late.ids).toEqual(['99999999999999-1']);
    expect(client.gaps).toHaveLength(2);
  });

  test('tells since when something is gone, where that is known to be long ago', async () => {
    const { hub } = await start(10_000);
    const client = new HubClient(hub).follow(['a']);
    hub.floor(0, '99999999999999-0', '5-0');
    expect(client.gaps).toEqual(['a after 5-0: rewound']);
  });

  test('fills what the tail had to skip from the histories', async () => {
    const { log, hub: source } = await start(10_000);
    const hub = new Hub(log, 10_000, metrics, logger);
    const begin = source.position(0);
    hub.floor(0, begin);
    const client = new HubClient(hub).follow(['a']);
    const outcomes = await log.appendMany(Array.from({ length: 5 }, (_, i) => ({ channel: 'a', data: String(i) })));
    const ids = outcomes.map((outcome) => (outcome instanceof Error ? '' : outcome.id));
    hub.skipped(0, begin, ids[3] ?? '');
    hub.deliver(0, [{ id: ids[4] ?? '', channel: 'a', data: '4' }], ids[4] ?? '');
    await until(() => client.live, 'the client to be live');
    expect(client.ids).toEqual(ids);
    expect(client.gaps).toEqual([]);
  });

  test('tells who had asked for all that there were of what is gone later, like everyone', async () => {
    const { log, hub: source } = await start(10_000, 1, 3);
    const hub = new Hub(log, 10_000, metrics, logger);
    const begin = source.position(0);
    hub.floor(0, begin);
    const client = new HubClient(hub).follow(['a'], { oldest: true });
    expect(client.live).toBe(true);
    const outcomes = await log.appendMany(Array.from({ length: 10 }, (_, i) => ({ channel: 'a', data: String(i) })));
    const ids = outcomes.map((outcome) => (outcome instanceof Error ? '' : outcome.id));
    hub.skipped(0, begin, ids[9] ?? '');
    await until(() => client.live, 'the client to be live');
    expect(client.gaps).toEqual([`a after ${begin}: trimmed`]);
    expect(client.ids).toEqual(ids.slice(7));
  });

  test('counts subscriptions and channels, and forgets those who left', async () => {
    const { hub } = await start(10_000);
    const clients = [new HubClient(hub), new HubClient(hub)];
    for (const client of clients) client.follow(['a', 'b']);
    expect([hub.subscriptionCount, hub.channelCount]).toEqual([4, 2]);
    const [first, second] = clients;
    if (first?.subscriptions[0]) hub.drop(first.subscriptions[0], 'a');
    expect([hub.subscriptionCount, hub.channelCount]).toEqual([3, 2]);
    if (second) second.close();
    expect([hub.subscriptionCount, hub.channelCount]).toEqual([1, 1]);
  });

  test('gives a connection that follows several channels one write in the order of the log', async () => {
    const { hub } = await start(10_000);
    const client = new HubClient(hub).follow(['a', 'b']);
    const ids = ['1', '2', '3'].map((n) => `9999999999999-${n}`);
    expect(compareIds(ids[0] ?? '', hub.position(0))).toBeGreaterThan(0);
    hub.deliver(
      0,
      [
        { id: ids[0] ?? '', channel: 'a', data: '1' },
        { id: ids[1] ?? '', channel: 'b', data: '2' },
        { id: ids[2] ?? '', channel: 'a', data: '3' },
      ],
      ids[2] ?? '',
    );
    expect(client.writes).toEqual([ids]);
  });
});
