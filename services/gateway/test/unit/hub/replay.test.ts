import { afterEach, expect, test } from 'vitest';
import type { Log } from '../../../src/log/log.ts';
import { collectGarbage } from '../../support/heap.ts';
import { HubClient } from '../../support/hub-client.ts';
import { silentMetrics } from '../../support/silent.ts';
import { TailedLog } from '../../support/tailed-log.ts';
import { TailedNode } from '../../support/tailed-node.ts';
import { until } from '../../support/until.ts';
import { startWatchedHub, type WatchedHub } from '../../support/watched-hub.ts';

const open: Log[] = [];
afterEach(async () => {
  for (const log of open.splice(0)) await log.close();
});

async function start(): Promise<WatchedHub> {
  const started = await startWatchedHub();
  open.push(started.log);
  return started;
}

test('a client that shares the answer to an older question misses nothing of what came between the two', async () => {
  const { hub, reads, append } = await start();
  await append('x', 'old');
  await append('other', 'newest in memory');
  const release = reads.hold();
  const first = new HubClient(hub).follow(['x'], { last: 1 });
  await append('x', 'between');
  await append('other', 'newest in memory');
  const second = new HubClient(hub).follow(['x'], { last: 1 });
  release();
  await until(() => first.live && second.live, 'both to be live');
  await append('x', 'live');
  expect(first.told.filter((told) => told !== 'caught-up')).toEqual(['between', 'live']);
  expect(second.told.filter((told) => told !== 'caught-up')).toEqual(['between', 'live']);
  expect(reads.count).toBeLessThan(6);
});

test('a resume with a cursor that makes no sense is counted as one with a gap', async () => {
  const resumes: string[] = [];
  const metrics = { ...silentMetrics(), resumed: (...what: string[]) => void resumes.push(what.join(' ')) };
  const { hub, log } = await startWatchedHub({ metrics });
  open.push(log);
  new HubClient(hub).follow(['x'], { cursor: hub.position(0) });
  new HubClient(hub).follow(['x'], { cursor: 'nonsense' });
  expect(resumes).toEqual(['memory complete', 'memory gap']);
});

test('a client that the replay itself sends away leaves nothing behind in the hub', async () => {
  const { hub, append } = await start();
  const before = hub.position(0);
  await append('x', '1');
  const client = new HubClient(hub, { leavesAtFirstWrite: true }).follow(['x'], { cursor: before });
  await until(() => client.closed, 'the client to be closed');
  await append('x', '2');
  expect([hub.subscriptionCount, hub.channelCount]).toEqual([0, 0]);
  expect(client.told).toEqual(['1']);
});

test('a client that waited for the tail is forgotten when it leaves, though the tail never comes there', async () => {
  const log = new TailedLog(1, { historySize: 10, historyTtlSeconds: 3600, namespaces: new Map() });
  const node = new TailedNode(log, 1000, 0);
  log.append({ channel: 'x', data: '1' });
  const comeAndGo = async (): Promise<WeakRef<HubClient>> => {
    const client = new HubClient(node.hub).follow(['x'], { cursor: log.end(0) });
    await until(() => node.reads.length > 0, 'the log to be asked where it ends');
    node.reads[0]?.answer();
    await until(() => client.subscriptions[0]?.state === 'ahead', 'the client to wait for the tail');
    client.close();
    return new WeakRef(client);
  };
  const client = await comeAndGo();
  await until(async () => {
    await collectGarbage();
    return client.deref() === undefined;
  }, 'the client to be forgotten');
});

test('a channel with many messages does not cost a read of the quiet ones for each of its pages', async () => {
  const { hub, reads, append } = await start();
  const before = hub.position(0);
  await append('busy', ...Array.from({ length: 1000 }, (_, i) => String(i)));
  const quiet = Array.from({ length: 50 }, (_, i) => `quiet-${i}`);
  const client = new HubClient(hub).follow(['busy', ...quiet], { cursor: before });
  await until(() => client.live, 'the client to be live');
  expect(client.told).toEqual([...Array.from({ length: 1000 }, (_, i) => String(i)), 'caught-up']);
  expect(reads.count).toBeLessThan(2 * 51);
});

test('who has unsubscribed while a page was read is told of no gap, and is not sent away', async () => {
  const { hub, reads, append } = await start();
  await append('x', '1', 'newest in memory');
  const release = reads.hold();
  const client = new HubClient(hub).follow(['x'], { cursor: '5-0' });
  await until(() => client.told.length > 0 && reads.count > 0, 'the page to be asked for');
  const [subscription] = client.subscriptions;
  if (subscription !== undefined) hub.drop(subscription, 'x');
  release();
  await append('x', '2');
  await append('x', '3');
  expect(client.told).toEqual(['gap x rewound']);
  expect(client.closed).toBe(false);
});

test('a connection that cannot be served is sent away, and the others get their messages', async () => {
  const { hub, append } = await start();
  class Broken extends HubClient {
    override deliver(): number {
      throw new Error('cannot');
    }
  }
  const before = new HubClient(hub).follow(['x']);
  const broken = new Broken(hub).follow(['x']);
  const after = new HubClient(hub).follow(['x']);
  await append('x', '1');
  await append('x', '2');
  expect([before.told, after.told]).toEqual([
    ['1', '2'],
    ['1', '2'],
  ]);
  expect(broken.closed).toBe(true);
  expect(hub.subscriptionCount).toBe(2);
});

test('only so many reads are under way at once, and all are answered', async () => {
  const { hub, reads, append } = await start();
  const cursors: string[] = [];
  for (let i = 0; i < 40; i++) cursors.push(await append('x', String(i)));
  await append('other', 'newest in memory');
  const release = reads.hold();
  const clients = cursors.map((cursor) => new HubClient(hub).follow(['x'], { cursor }));
  await until(() => reads.count > 0, 'reads');
  expect(reads.count).toBeLessThanOrEqual(16);
  release();
  await until(() => clients.every(({ live }) => live), 'all to be live');
  for (const [i, { told }] of clients.entries())
    expect(told).toEqual([...Array.from({ length: 39 - i }, (_, k) => String(i + 1 + k)), 'caught-up']);
});
