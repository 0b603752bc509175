import { afterEach, describe, expect, test } from 'vitest';
import type { History } from '../../../src/hub/history.ts';
import { Hub } from '../../../src/hub/hub.ts';
import type { Log } from '../../../src/log/log.ts';
import { compareIds, type Message } from '../../../src/message.ts';
import { usedBytes } from '../../support/heap.ts';
import { HubClient } from '../../support/hub-client.ts';
import { MiB } from '../../support/memory.ts';
import { silentLogger, silentMetrics } from '../../support/silent.ts';
import { TailedLog } from '../../support/tailed-log.ts';
import { TailedNode } from '../../support/tailed-node.ts';
import { until } from '../../support/until.ts';
import { startWatchedHub } from '../../support/watched-hub.ts';

const open: Log[] = [];
afterEach(async () => {
  for (const log of open.splice(0)) await log.close();
});

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const numbersOf = ({ told }: HubClient): number[] =>
  told.filter((each) => each !== 'caught-up').map((data) => Number.parseInt(data, 10));

/** A reader that takes its first write, and nothing more. */
class Stalled extends HubClient {
  readonly waiting: (() => void)[] = [];

  override drained(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

describe.each([1, 100_000_000])(
  'who asks for the newest messages, with %d bytes of memory for recent ones',
  (recentBytes) => {
    const FILLER = 'x'.repeat(64 * 1024);

    test('gets the newest of all its channels, in one order, up to about 1 MiB of data in all', async () => {
      const { hub, log, appendAll } = await startWatchedHub({ recentBytes });
      open.push(log);
      const channels = ['a', 'b', 'c', 'd'];
      await appendAll(
        range(80).map((i) => channels[i % 4] ?? 'a'),
        range(80).map((i) => `${i} ${FILLER}`),
      );
      const client = new HubClient(hub).follow([...channels, 'none'], { last: 10 });
      await until(() => client.live, 'the client to be live');
      expect(numbersOf(client)).toEqual(range(80).slice(-16));
      expect(client.told.at(-1)).toBe('caught-up');
    });

    test('gets as many as it asked for of each channel where they are small', async () => {
      const { hub, log, appendAll } = await startWatchedHub({ recentBytes });
      open.push(log);
      await appendAll(
        range(3000).map((i) => (i < 1000 ? 'quiet' : 'busy')),
        range(3000).map(String),
      );
      const client = new HubClient(hub).follow(['quiet', 'busy'], { last: 900 });
      await until(() => client.live, 'the client to be live');
      expect(numbersOf(client)).toEqual([...range(1000).slice(-900), ...range(3000).slice(-900)]);
    });

    test('gets the newest one, however large it is', async () => {
      const { hub, log, append } = await startWatchedHub({ recentBytes });
      open.push(log);
      await append('a', `0 ${FILLER}`);
      await append('b', `1 ${'x'.repeat(2 * MiB)}`);
      const client = new HubClient(hub).follow(['a', 'b'], { last: 1 });
      await until(() => client.live, 'the client to be live');
      expect(numbersOf(client)).toEqual([1]);
    });

    test('gets what comes after it asked, all of it, however much that is', async () => {
      const { hub, log, reads, append } = await startWatchedHub({ recentBytes });
      open.push(log);
      await append('a', `0 ${FILLER}`);
      await append('other', 'newest in memory');
      const release = reads.hold();
      const client = new HubClient(hub).follow(['a', 'b'], { last: 2 });
      await append('a', ...range(40).map((i) => `${i + 1} ${FILLER}`));
      release();
      await until(() => client.live, 'the client to be live');
      expect(numbersOf(client).filter((number) => number > 0)).toEqual(range(41).slice(1));
    });
  },
);

test('the newest messages of several partitions are about 1 MiB of data in all, and those of each are the newest', async () => {
  const log = new TailedLog(2, { historySize: 100, historyTtlSeconds: 3600, namespaces: new Map() });
  const node = new TailedNode(log, 100_000_000, 0);
  const channels = ['a', 'b', 'c', 'd'];
  expect(new Set(channels.map((name) => node.hub.plan([name], {}).parts[0]?.partition)).size).toBe(2);
  const data = (i: number): string => `${i} ${'x'.repeat(64 * 1024)}`;
  for (const i of range(80)) log.append({ channel: channels[i % 4] ?? 'a', data: data(i) });
  for (const partition of [0, 1]) node.advance(partition, 100);
  const client = new HubClient(node.hub).follow(channels, { last: 10 });
  await until(() => client.live, 'the client to be live');
  expect(numbersOf(client).sort((a, b) => a - b)).toEqual(range(80).slice(-16));
  expect(client.gaps).toEqual([]);
});

test('a reader that takes nothing keeps no more in memory than about 1 MiB of the newest messages of all its channels', async () => {
  const time = { nowMs: 1_000_000 };
  const channels = range(100).map((i) => `channel:${i}`);
  /** Text as it comes from a socket: a string of its own. */
  const message = (channel: string, i: number): Message => ({
    id: `${i + 1}-${channels.indexOf(channel)}`,
    channel,
    data: Buffer.alloc(64 * 1024, `${i} `).toString(),
  });
  const history: History = {
    partitions: 1,
    source: 'redis',
    historyAfter: () => Promise.resolve({ messages: [], more: false }),
    historyLast: (channel) => Promise.resolve(range(16).map((i) => message(channel, i))),
    end: () => Promise.resolve('1000-0'),
  };
  const hub = new Hub(history, 1, silentMetrics(), silentLogger(), () => time.nowMs);
  hub.floor(0, '0-1');
  hub.deliver(0, [], '1000-0');
  const before = await usedBytes();
  const client = new Stalled(hub).follow(channels, { last: 16 });
  await until(() => client.ids.length > 0, 'the first write');
  expect(client.ids).toEqual(client.ids.toSorted(compareIds));
  // What is kept for others is let go of when somebody asks later.
  time.nowMs += 60_000;
  const later = new HubClient(hub).follow(['other'], { last: 1 });
  await until(() => later.live, 'the later client to be live');
  expect((await usedBytes()) - before).toBeLessThan(12 * MiB);
  expect(client.waiting).toHaveLength(1);
});
