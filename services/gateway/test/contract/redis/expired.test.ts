import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';

let redis: TestRedis;
let node: LogNode;

beforeEach(async () => {
  redis = await startRedis();
  node = await startLogNode(redis.url);
});
afterEach(async () => {
  await node.log.close();
  await redis.stop();
});

test('a history full of messages that have expired is read in large steps, however little is asked for', async () => {
  const { id } = await node.log.append({ channel: 'a', data: '"first"' });
  const brief = Array.from({ length: 998 }, (_, i) => ({ channel: 'a', data: String(i), ttlSeconds: 1 }));
  await node.log.appendMany(brief);
  await node.log.append({ channel: 'a', data: '"last"' });
  await until(async () => (await node.log.historyLast('a', 1_000)).length === 2, 'them to expire');
  await redis.client.config('RESETSTAT');
  expect((await node.log.historyAfter('a', id, 2)).messages.map(({ data }) => data)).toEqual(['"last"']);
  expect((await node.log.historyLast('a', 2)).map(({ data }) => data)).toEqual(['"first"', '"last"']);
  const stats = await redis.client.info('commandstats');
  expect(Number(/^cmdstat_exec:calls=(\d+)/m.exec(stats)?.[1])).toBeLessThan(12);
});

test('a page that grew over messages that have expired holds no more than was asked for', async () => {
  const { id } = await node.log.append({ channel: 'a', data: '"first"' });
  for (let i = 0; i < 5; i++) await node.log.append({ channel: 'a', data: '"brief"', ttlSeconds: 1 });
  for (let i = 0; i < 5; i++) await node.log.append({ channel: 'a', data: String(i) });
  await until(async () => (await node.log.historyLast('a', 100)).length === 6, 'them to expire');
  const page = await node.log.historyAfter('a', id, 2);
  expect(page.messages.map(({ data }) => data)).toEqual(['0', '1']);
  expect(page).toMatchObject({ more: true, gap: 'expired' });
});
