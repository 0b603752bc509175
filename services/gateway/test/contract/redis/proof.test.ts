import { afterEach, beforeEach, expect, test } from 'vitest';
import { type TestRedis, withClient } from '../../support/redis.ts';
import { startLocalRedis } from '../../support/redis-local.ts';
import { type RedisProxy, startRedisProxy } from '../../support/redis-proxy.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';

let old: TestRedis;
let next: TestRedis;
let proxy: RedisProxy;
/** Behind the proxy; it publishes nothing. */
let quiet: LogNode;
let publisher: LogNode;

beforeEach(async () => {
  // One is to find the other: not each in a container of its own.
  const [one, two] = await Promise.all([startLocalRedis({}), startLocalRedis({})]);
  [old, next] = [withClient(one), withClient(two)];
  await old.client.config('SET', 'repl-diskless-sync-delay', '0');
  await next.client.replicaof('127.0.0.1', Number(new URL(old.url).port));
  proxy = await startRedisProxy(old.url);
  [quiet, publisher] = await Promise.all([startLogNode(proxy.url), startLogNode(old.url)]);
});

afterEach(async () => {
  await Promise.all([quiet.log.close(), publisher.log.close(), proxy.close()]);
  await Promise.all([old.stop(), next.stop()]);
  expect(quiet.ledger.violations).toEqual([]);
});

/** Another Redis takes over. All connections lead there but that of the quiet node's tail, which is not cut. */
async function replaceMaster(): Promise<void> {
  const length = await old.client.xlen('fanfare:{p0}:log');
  await until(async () => (await next.client.xlen('fanfare:{p0}:log')) === length, 'the replica to have all');
  await next.client.replicaof('NO', 'ONE');
  proxy.leadTo(next.url);
  const list = String(await old.client.client('LIST'));
  const kill = list.split('\n').filter((line) => /name=fanfare:(publish|history)/.test(line));
  for (const line of kill) await old.client.client('KILL', 'ID', /id=(\d+)/.exec(line)?.[1] ?? '');
  await publisher.log.close();
  publisher = await startLogNode(next.url);
}

test('a quiet node whose tail follows a master that was replaced is not healthy, and tries again until it finds the new one', async () => {
  await publisher.log.append({ channel: 'c', data: '"before"' });
  await until(() => quiet.ledger.data.includes('"before"'), 'the first message');
  await replaceMaster();
  await until(() => quiet.log.trouble === undefined, 'the other connections to be back');
  proxy.leadTo(old.url);
  await publisher.log.append({ channel: 'c', data: '"elsewhere"' });
  const late = 'the tail of partition 0 does not bring what was appended';
  await until(() => quiet.log.trouble === late, 'the node to notice');
  const sessions = () => old.client.info('stats').then((info) => /total_connections_received:(\d+)/.exec(info)?.[1]);
  const before = Number(await sessions());
  await until(async () => {
    // It is not taken in by the old master's own word for where the log ends.
    expect(quiet.log.trouble).toBe(late);
    return Number(await sessions()) >= before + 2;
  }, 'two more sessions');
  proxy.leadTo(next.url);
  await until(() => quiet.log.trouble === undefined, 'the node to be healthy');
  expect(quiet.ledger.data).toEqual(['"before"', '"elsewhere"']);
  expect(quiet.ledger.floors()).toHaveLength(1);
  expect(quiet.said).toContain('warn: the tail has lost the log; trying again');
});

test('what such a tail brought from the old master alone ends in a floor on every node', async () => {
  await publisher.log.append({ channel: 'c', data: '"before"' });
  await replaceMaster();
  await old.client.xadd('fanfare:{p0}:log', '*', 'c', 'c', 'd', '"lost"');
  await until(() => quiet.ledger.data.includes('"lost"'), 'the message of the old master');
  await until(() => quiet.ledger.floors().length === 2, 'the floor to rise');
  await until(() => publisher.ledger.floors().length === 2, 'the floor to rise on the other node');
  await until(() => quiet.log.trouble === undefined, 'the node to be healthy');
});

test('a log that is emptied while nobody publishes is noticed', async () => {
  await publisher.log.append({ channel: 'c', data: '1' });
  await until(() => quiet.ledger.data.length === 1, 'the message');
  await old.client.flushall();
  for (const { ledger } of [quiet, publisher]) await until(() => ledger.floors().length > 1, 'the floor to rise');
  await until(() => quiet.log.trouble === undefined && publisher.log.trouble === undefined, 'both to be healthy');
});
