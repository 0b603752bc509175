import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { type RedisProxy, startRedisProxy } from '../../support/redis-proxy.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';

let redis: TestRedis;
let proxy: RedisProxy;
let node: LogNode;

beforeEach(async () => {
  redis = await startRedis();
  proxy = await startRedisProxy(redis.url);
  node = await startLogNode(proxy.url, { commandTimeoutMs: 1_000 });
});

afterEach(async () => {
  await node.log.close();
  await proxy.close();
  await redis.stop();
  expect(node.ledger.violations).toEqual([]);
});

const message = { channel: 'c', data: '1', idempotencyKey: 'k' };

async function logLength(): Promise<number> {
  // Without the marker that the log starts with.
  return (await redis.client.xlen('fanfare:{p0}:log')) - 1;
}

test('an append that is under way when the connection is cut may have been published, and a retry appends no second one', async () => {
  proxy.holdReplies();
  const outcome = node.log.append(message).catch((error) => error);
  await until(async () => (await logLength()) === 1, 'Redis to have run the append');
  proxy.cut();
  expect(await outcome).toMatchObject({ code: 'log_timeout' });
  await until(() => node.log.trouble === undefined, 'the connections to be back');
  expect(await node.log.append(message)).toMatchObject({ replayed: true });
  await node.log.append({ channel: 'c', data: '2' });
  await until(() => node.ledger.data.includes('2'), 'the messages');
  expect(node.ledger.data).toEqual(['1', '2']);
  expect(await logLength()).toBe(2);
});

test('an append that gets no answer in time may have been published', async () => {
  proxy.holdReplies();
  await expect(node.log.append(message)).rejects.toMatchObject({ code: 'log_timeout' });
  const [first, second] = await node.log.appendMany([
    { channel: 'c', data: '2' },
    { channel: 'c', data: '3' },
  ]);
  expect([first, second]).toMatchObject([{ code: 'log_timeout' }, { code: 'log_timeout' }]);
  proxy.cut();
  await until(() => node.ledger.data.length === 3, 'what was published all the same');
  expect(node.ledger.data).toEqual(['1', '2', '3']);
});

test('a Redis that stands still for a while costs no message, and health shows it', async () => {
  await node.log.append({ channel: 'c', data: '"before"' });
  await redis.pause();
  const outcome = node.log.append({ channel: 'c', data: '"meanwhile"' }).catch((error) => error);
  await until(() => node.log.trouble !== undefined, 'the log to be unhealthy');
  expect(await outcome).toMatchObject({ code: 'log_timeout' });
  await redis.resume();
  await until(() => node.log.trouble === undefined, 'the log to be healthy');
  await node.log.append({ channel: 'c', data: '"after"' });
  await until(() => node.ledger.data.includes('"after"'), 'the last message');
  // The one without an answer was written to the connection: it may be there, once.
  expect(node.ledger.data.filter((data) => data !== '"meanwhile"')).toEqual(['"before"', '"after"']);
  expect(node.ledger.data.filter((data) => data === '"meanwhile"').length).toBeLessThanOrEqual(1);
  expect(node.ledger.floors()).toHaveLength(1);
});

test('a Redis that forgot its scripts is given them again', async () => {
  await node.log.append({ channel: 'c', data: '1' });
  await redis.client.script('FLUSH');
  await node.log.appendMany([
    { channel: 'c', data: '2' },
    { channel: 'c', data: '3' },
  ]);
  await redis.client.script('FLUSH');
  expect((await node.log.historyLast('c', 9)).map(({ data }) => data)).toEqual(['1', '2', '3']);
});

test('a Redis that would evict histories is complained of', async () => {
  await redis.client.config('SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru');
  const other = await startLogNode(redis.url);
  await until(() => other.said.some((line) => line.includes('noeviction')), 'the complaint');
  await other.log.close();
  expect(node.said.some((line) => line.includes('noeviction'))).toBe(false);
});
