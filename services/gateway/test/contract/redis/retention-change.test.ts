import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { type LogNode, openLogNode, startLogNode } from './node.ts';

/** Nodes whose settings differ, as while a new setting is being rolled out. */
let redis: TestRedis;
let nodes: LogNode[];

beforeEach(async () => {
  redis = await startRedis();
  nodes = [];
});
afterEach(async () => {
  await Promise.all(nodes.map(({ log }) => log.close()));
  await redis.stop();
});

async function node(historyTtlSeconds: number, namespaces = new Map()): Promise<LogNode> {
  const started = await startLogNode(redis.url, { historyTtlSeconds, namespaces });
  nodes.push(started);
  return started;
}

test('a history that went early under other settings is not taken for one that never was', async () => {
  const short = await node(600);
  const [floor = ''] = short.ledger.floors();
  await short.log.append({ channel: 'gone', data: '1' });
  // As if the ten minutes were over.
  await redis.client.del('fanfare:{p0}:history:gone');
  const long = await node(86_400);
  // The others may still append: nothing is known of a channel without a history.
  expect(await long.log.historyAfter('gone', floor, 10)).toMatchObject({ messages: [], gap: expect.any(String) });
  const { id } = await long.log.append({ channel: 'other', data: '2' });
  expect(await long.log.historyAfter('gone', floor, 10)).toMatchObject({ messages: [], gap: expect.any(String) });
  // From when on all have had the same settings, it is known again.
  expect(await long.log.historyAfter('gone', id, 10)).toEqual({ messages: [], more: false });
  // A channel that comes back says the same of what was before.
  await long.log.append({ channel: 'gone', data: '3' });
  expect(await long.log.historyAfter('gone', floor, 10)).toMatchObject({ gap: expect.any(String) });
  expect((await long.log.historyAfter('gone', id, 10)).gap).toBeUndefined();
});

test('two nodes that differ make gaps, and never a history that is whole only by its looks', async () => {
  const [short, long] = [await node(600), await node(86_400)];
  await long.log.append({ channel: 'a', data: '1' });
  const { id } = await long.log.append({ channel: 'b', data: '2' });
  await short.log.append({ channel: 'gone', data: '3' });
  await redis.client.del('fanfare:{p0}:history:gone');
  expect(await long.log.historyAfter('gone', id, 10)).toMatchObject({ gap: expect.any(String) });
  await long.log.append({ channel: 'a', data: '4' });
  expect(await long.log.historyAfter('gone', id, 10)).toMatchObject({ gap: expect.any(String) });
});

test('a namespace that loses its history, and gets one again, is judged rightly on every node', async () => {
  const without = await node(3_600, new Map([['t', { historySize: 0, historyTtlSeconds: 3_600 }]]));
  const withHistory = await node(3_600);
  const { id: first } = await withHistory.log.append({ channel: 't:1', data: '1' });
  const { id: second } = await without.log.append({ channel: 't:1', data: '2' });
  const { id: third } = await withHistory.log.append({ channel: 't:1', data: '3' });
  for (const { log } of nodes) {
    const page = await log.historyAfter('t:1', first, 10);
    expect(page.messages.map(({ id }) => id)).toEqual([third]);
    expect(page.gap).toBe('trimmed');
    expect((await log.historyAfter('t:1', second, 10)).gap).toBeUndefined();
  }
});

test('a first look at a log that nobody has written to is whole', async () => {
  const { ledger, log } = await node(600);
  const [floor = ''] = ledger.floors();
  const reader = openLogNode(redis.url, { historyTtlSeconds: 86_400 });
  nodes.push(reader);
  expect(await log.historyAfter('never', floor, 10)).toEqual({ messages: [], more: false });
});
