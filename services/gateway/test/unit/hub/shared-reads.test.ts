import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Batch } from '../../../src/hub/batch.ts';
import type { Answer } from '../../../src/hub/history.ts';
import { type Asker, SharedReads, type Standing } from '../../../src/hub/shared-reads.ts';
import type { Log } from '../../../src/log/log.ts';
import { ZERO_ID } from '../../../src/message.ts';
import { HubClient } from '../../support/hub-client.ts';
import { until } from '../../support/until.ts';
import { startWatchedHub, type WatchedHub, type WatchedHubOptions } from '../../support/watched-hub.ts';

const open: Log[] = [];
afterEach(async () => {
  for (const log of open.splice(0)) await log.close();
});

/** A hub whose clock stands still: however slow the machine is, no answer grows old. */
async function start(options?: WatchedHubOptions): Promise<WatchedHub> {
  const started = await startWatchedHub({ clock: () => 1_000_000, ...options });
  open.push(started.log);
  return started;
}

const range = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => String(from + i));

/** One of very many: it only counts, and notes whether each message follows on the one before. */
class CrowdClient extends HubClient {
  received = 0;
  inOrder = true;

  override deliver({ messages }: Batch): number {
    for (const { message } of messages) this.inOrder &&= message.data === String(this.received++);
    return 0;
  }
}

describe('a crowd', () => {
  test('with one cursor costs one read per page, though it comes in bursts', async () => {
    const { hub, reads, append } = await start();
    const cursor = await append('other', 'where all were');
    await append('x', ...range(0, 300));
    await append('other', 'newest in memory');
    const crowd: CrowdClient[] = [];
    for (let burst = 0; burst < 4; burst++) {
      const some = Array.from({ length: 2500 }, () => new CrowdClient(hub).follow(['x'], { cursor }));
      await until(() => some.every(({ live }) => live), 'the burst to be live');
      crowd.push(...some);
    }
    expect(
      crowd.filter(({ received, inOrder, gaps }) => received === 300 && inOrder && gaps.length === 0),
    ).toHaveLength(10_000);
    expect(reads.count).toBe(2);
    await append('x', '300');
    expect(crowd.filter(({ received, inOrder }) => received === 301 && inOrder)).toHaveLength(10_000);
  });

  test('whose cursors lie close together costs few reads', async () => {
    const { hub, reads, append, appendAll } = await start();
    const cursors = [await append('other', 'before'), ...(await appendAll('x', range(0, 200)))];
    await append('other', 'newest in memory');
    const crowd = cursors.map((cursor) => new HubClient(hub).follow(['x'], { cursor }));
    await until(() => crowd.every(({ live }) => live), 'the crowd to be live');
    for (const [i, { told }] of crowd.entries()) expect(told).toEqual([...range(i, 200), 'caught-up']);
    expect(reads.count).toBeLessThanOrEqual(16);
  });

  test('that starts with the newest messages costs one read, and each gets the newest of its time', async () => {
    const { hub, reads, append } = await start({ recentBytes: 20_000 });
    await append('x', ...range(0, 6));
    await append('other', `"${'x'.repeat(18_000)}"`);
    const first = new HubClient(hub).follow(['x'], { last: 3 });
    await until(() => first.live, 'the first to be live');
    await append('x', '6', '7');
    const crowd = Array.from({ length: 50 }, () => new HubClient(hub).follow(['x'], { last: 3 }));
    await until(() => crowd.every(({ live }) => live), 'the crowd to be live');
    await append('x', '8');
    expect(first.told).toEqual(['3', '4', '5', 'caught-up', '6', '7', '8']);
    for (const { told } of crowd) expect(told).toEqual(['5', '6', '7', 'caught-up', '8']);
    expect(reads.count).toBe(1);
  });

  test('that starts with the newest misses nothing, and gets nothing twice, when memory does not reach back to the answer', async () => {
    const { hub, reads, append } = await start();
    await append('x', ...range(0, 4));
    await append('other', 'newest in memory');
    const first = new HubClient(hub).follow(['x'], { last: 2 });
    await until(() => first.live, 'the first to be live');
    await append('x', '4', '5', '6');
    await append('other', 'newest in memory');
    const asked = reads.count;
    const second = new HubClient(hub).follow(['x'], { last: 2 });
    await until(() => second.live, 'the second to be live');
    expect(second.told).toEqual(['5', '6', 'caught-up']);
    expect(reads.count).toBe(asked + 1);
  });

  test('that comes after the floor rose is answered anew', async () => {
    const { hub, reads, append } = await start();
    await append('x', ...range(0, 4));
    const release = reads.hold();
    const waiting = new HubClient(hub).follow(['x'], { last: 2 });
    await until(() => reads.count === 1, 'the read');
    hub.floor(0, '99999999999999-0');
    hub.deliver(0, [], '99999999999999-0');
    const after = new HubClient(hub).follow(['x'], { last: 2 });
    expect(reads.count).toBe(2);
    release();
    await until(() => waiting.live && after.live, 'both to be live');
    // What came between its question and the rise may be gone.
    expect(waiting.gaps).toEqual([expect.stringMatching(/^x after \S+: rewound$/)]);
    expect(after.gaps).toEqual([]);
    const late = new HubClient(hub).follow(['x'], { last: 2 });
    await until(() => late.live, 'the third to be live');
    expect(reads.count).toBe(2);
    hub.floor(0, '99999999999999-1');
    hub.deliver(0, [], '99999999999999-1');
    const latest = new HubClient(hub).follow(['x'], { last: 2 });
    await until(() => latest.live, 'the fourth to be live');
    expect(reads.count).toBe(3);
  });

  test('that comes after the tail jumped is answered anew', async () => {
    const { hub, reads, append } = await start();
    const cursor = await append('x', '0');
    await append('x', '1');
    const newest = await append('other', 'newest in memory');
    const follow = async (): Promise<HubClient> => {
      const client = new HubClient(hub).follow(['x'], { cursor });
      await until(() => client.live, 'the client to be live');
      return client;
    };
    await follow();
    expect(reads.count).toBe(1);
    await follow();
    expect(reads.count).toBe(1);
    hub.skipped(0, newest, '99999999999999-0');
    await until(() => reads.count > 1, 'those who were live to be replayed');
    const asked = reads.count;
    expect((await follow()).told).toEqual(['1', 'caught-up']);
    expect(reads.count).toBe(asked + 1);
  });
});

describe('a question', () => {
  const waits: Asker = { ended: false };
  let nowMs: number;
  let watched: WatchedHub;
  let shared: SharedReads;
  let standing: Standing;
  beforeEach(async () => {
    nowMs = 1_000_000;
    watched = await start();
    shared = new SharedReads(watched.history, () => nowMs);
    standing = { position: await watched.append('x', ...range(0, 10)), since: ZERO_ID };
  });

  const ask = (channel = 'x', limit = 5): Promise<Answer> => shared.after(waits, channel, ZERO_ID, limit, standing);
  const dataOf = (answer: Answer): string[] => answer.messages.map(({ message }) => message.data);

  test('is answered with the same messages for some seconds, and then asked again', async () => {
    const answer = await ask();
    expect(dataOf(answer)).toEqual(range(0, 5));
    nowMs += 4999;
    expect((await ask()).messages[0]).toBe(answer.messages[0]);
    expect(watched.reads.count).toBe(1);
    nowMs += 1;
    expect(dataOf(await ask())).toEqual(range(0, 5));
    expect(watched.reads.count).toBe(2);
  });

  test('is asked again when the clock was set back: nobody knows how old the answer is', async () => {
    await ask();
    nowMs -= 1;
    await ask();
    expect(watched.reads.count).toBe(2);
  });

  test('that was under way when all was forgotten is answered to who asked it, and to nobody else', async () => {
    const release = watched.reads.hold();
    const asked = ask();
    shared.forget();
    release();
    expect(dataOf(await asked)).toEqual(range(0, 5));
    await ask();
    expect(watched.reads.count).toBe(2);
  });

  test('that failed is asked again', async () => {
    const release = watched.reads.hold();
    const failing = new SharedReads(
      { ...watched.history, historyAfter: () => Promise.reject(new Error('away')) },
      () => nowMs,
    );
    const failed = [1, 2].map(() => failing.after(waits, 'x', ZERO_ID, 5, standing));
    for (const each of failed) await expect(each).rejects.toThrow('away');
    await expect(failing.after(waits, 'x', ZERO_ID, 5, standing)).rejects.toThrow('away');
    release();
    expect(dataOf(await ask())).toEqual(range(0, 5));
  });

  test('is not answered with a page of which something is gone, but by who asked the same', async () => {
    const trimmed = new SharedReads(
      {
        ...watched.history,
        historyAfter: async (...asked) => ({ ...(await watched.history.historyAfter(...asked)), gap: 'trimmed' }),
      },
      () => nowMs,
    );
    const { messages } = await trimmed.after(waits, 'x', ZERO_ID, 5, standing);
    await trimmed.after(waits, 'x', ZERO_ID, 5, standing);
    expect(watched.reads.count).toBe(1);
    await trimmed.after(waits, 'x', messages[1]?.message.id ?? '', 5, standing);
    expect(watched.reads.count).toBe(2);
  });

  test('that begins where a page ends is asked: that page says nothing of what comes behind', async () => {
    const { messages } = await ask();
    const next = await shared.after(waits, 'x', messages.at(-1)?.message.id ?? '', 5, standing);
    expect(dataOf(next)).toEqual(range(5, 10));
    expect(watched.reads.count).toBe(2);
  });

  test('is not asked when all who wanted to know have left before its turn came; and everyone is answered', async () => {
    const release = watched.reads.hold();
    const busy = Array.from({ length: 16 }, (_, i) => ask(`busy-${i}`));
    const left = Array.from({ length: 50 }, () => ({ ended: false }));
    const unwanted = left.map((asker, i) => shared.after(asker, `left-${i % 10}`, ZERO_ID, 5, standing));
    const wanted = ask('left-3');
    for (const asker of left) asker.ended = true;
    release();
    await Promise.all([...busy, ...unwanted, wanted]);
    expect(watched.reads.count).toBe(16 + 1);
    await ask('left-4');
    expect(watched.reads.count).toBe(16 + 2);
  });

  test('is asked again when the answers, and what they were encoded to, have grown too large', async () => {
    const channels = Array.from({ length: 6 }, (_, i) => `large-${i}`);
    const data = Array.from({ length: 10 }, () => `"${'x'.repeat(100_000)}"`);
    for (const channel of channels) standing = { ...standing, position: await watched.append(channel, ...data) };
    const answers: Answer[] = [];
    for (const channel of channels) answers.push(await ask(channel, 10));
    for (const channel of channels) await ask(channel, 10);
    expect(watched.reads.count).toBe(6);
    for (const { messages } of answers)
      for (const message of messages) for (const format of ['sse', 'websocket'] as const) message.bytes(format);
    shared.trim();
    await ask('large-5', 10);
    expect(watched.reads.count).toBe(6);
    await ask('large-0', 10);
    expect(watched.reads.count).toBe(7);
  });

  test('is asked again when there were very many others since', async () => {
    await ask();
    for (const i of range(0, 1023)) await ask(`other-${i}`);
    await ask();
    expect(watched.reads.count).toBe(1024);
    await ask('one-more');
    await ask();
    expect(watched.reads.count).toBe(1026);
  });
});
