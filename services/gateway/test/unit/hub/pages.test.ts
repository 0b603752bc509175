import { afterEach, expect, test } from 'vitest';
import type { History } from '../../../src/hub/history.ts';
import { Hub } from '../../../src/hub/hub.ts';
import type { Log } from '../../../src/log/log.ts';
import type { Message } from '../../../src/message.ts';
import { usedBytes } from '../../support/heap.ts';
import { HubClient } from '../../support/hub-client.ts';
import { MiB } from '../../support/memory.ts';
import { silentLogger, silentMetrics } from '../../support/silent.ts';
import { until } from '../../support/until.ts';
import { startWatchedHub } from '../../support/watched-hub.ts';

const open: Log[] = [];
afterEach(async () => {
  for (const log of open.splice(0)) await log.close();
});

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test('a replay of many large messages of many channels brings each once and in order', async () => {
  const { hub, log, append, appendAll, reads } = await startWatchedHub();
  open.push(log);
  const cursor = hub.position(0);
  const channels = range(160).map((i) => (i % 40 === 0 ? 'quiet' : `busy:${i % 7}`));
  const ids = await appendAll(
    channels,
    range(160).map((i) => `${i} ${'x'.repeat(64 * 1024)}`),
  );
  await append('other', 'newest in memory');
  for (const slow of [false, true]) {
    const client = new HubClient(hub, { slow }).follow([...new Set(channels), 'none'], { cursor });
    await until(() => client.live, 'the client to be live');
    expect(client.ids).toEqual(ids);
    expect(client.gaps).toEqual([]);
  }
  // What was let go of because there was too much of it is not read again at once.
  expect(reads.count).toBeLessThan(4 * 9);
});

/** Takes 700 writes, and nothing more. */
class Stalling extends HubClient {
  readonly waiting: (() => void)[] = [];
  taken = 0;

  override deliver(): number {
    this.taken++;
    return 0;
  }

  override drained(): Promise<void> {
    return this.taken < 700 ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }
}

test('a reader that takes nothing more keeps about 1 MiB of a replay in memory, however many channels have much', async () => {
  const time = { nowMs: 1_000_000 };
  const channels = range(100).map((i) => `channel:${i}`);
  /** Text as it comes from a socket: a string of its own. Each channel has a message in each millisecond. */
  const message = (channel: string, ms: number): Message => ({
    id: `${ms}-${channels.indexOf(channel)}`,
    channel,
    data: Buffer.alloc(64 * 1024, `${ms} `).toString(),
  });
  const history: History = {
    partitions: 1,
    source: 'redis',
    historyAfter(channel, after, limit) {
      const [ms = 0, sequence = 0] = after.split('-').map(Number);
      const first = sequence < channels.indexOf(channel) ? ms : ms + 1;
      const messages = range(Math.min(limit, 16)).map((i) => message(channel, first + i));
      return Promise.resolve({ messages, more: true });
    },
    historyLast: () => Promise.resolve([]),
    end: () => Promise.resolve('100000-0'),
  };
  const hub = new Hub(history, 1, silentMetrics(), silentLogger(), () => time.nowMs);
  hub.floor(0, '0-1');
  hub.deliver(0, [message('other', 100_000), message('other', 100_001)], '100001-0');
  const before = await usedBytes();
  const client = new Stalling(hub).follow(channels, { cursor: '1-0' });
  await until(() => client.waiting.length > 0, 'the reader to take nothing more');
  // What is kept for others is let go of when somebody asks later.
  time.nowMs += 60_000;
  const later = new HubClient(hub).follow(['none'], { last: 1 });
  await until(() => later.live, 'the later client to be live');
  expect((await usedBytes()) - before).toBeLessThan(12 * MiB);
  expect(client.waiting).toHaveLength(1);
});
