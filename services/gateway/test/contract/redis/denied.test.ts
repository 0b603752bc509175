import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { ACCOUNT, RIGHTS, setUser } from '../../support/redis-access.ts';
import { until } from '../../support/until.ts';
import { type LogNode, openLogNode, startLogNode } from './node.ts';

let redis: TestRedis;
let node: LogNode | undefined;

beforeEach(async () => {
  redis = await startRedis();
});

afterEach(async () => {
  await node?.log.close();
  await redis.stop();
});

const restricted = () => redis.url.replace('//', `//${ACCOUNT}`);
const denials = (said: readonly string[]) => said.filter((line) => line.startsWith('error: Redis denies'));

test('a user with the documented rights can do all that a node does', async () => {
  await setUser(redis.client, RIGHTS);
  node = await startLogNode(restricted());
  const { log, ledger, said } = node;
  const { id } = await log.append({ channel: 'c', data: '1', idempotencyKey: 'k' });
  await log.append({ channel: 'c', data: '2', idempotencyKey: 'k' });
  await until(() => ledger.data.length === 1, 'the message');
  expect(await log.historyLast('c', 10)).toEqual([{ id, channel: 'c', data: '1' }]);
  // A history that is ahead of an emptied log, and one that refuses the id, take the rest of the commands.
  await redis.client.flushall();
  await redis.client.xadd('fanfare:{p0}:history:c', `${Date.now() + 60_000}-0`, 'p', '0-0', 'd', '0');
  await log.append({ channel: 'c', data: '3' });
  await redis.client.call('XSETID', 'fanfare:{p0}:history:c', `${Date.now() + 3_600_000}-0`);
  await log.append({ channel: 'c', data: '4' });
  await until(() => ledger.data.includes('4'), 'the last message');
  await log.shared.put('k', 'v', 60_000, Date.now() + 60_000);
  expect(await log.shared.claim('k', undefined, 'h')).toMatchObject({ outcome: 'opened' });
  expect(await log.shared.take('a', 1, 1, 1)).toMatchObject({ granted: 1 });
  expect(ledger.data).toEqual(['1', '3', '4']);
  expect(denials(said)).toEqual([]);
});

test.each([
  ['a wrong password', () => setUser(redis.client, [...RIGHTS, '>other', '<p@ss/word'])],
  ['a user that there is not', () => Promise.resolve()],
  ['a user that may not read streams', () => setUser(redis.client, [...RIGHTS, '-xread'])],
  ['a user that may not run scripts', () => setUser(redis.client, [...RIGHTS, '-eval', '-evalsha'])],
  ['a user that may not use our keys', () => setUser(redis.client, [...RIGHTS, 'resetkeys', '~other:*'])],
])('%s is said once, and keeps the node from being healthy until it is mended', async (_, set) => {
  await set();
  node = openLogNode(restricted());
  const { log, ledger, said } = node;
  const followed = log.follow(ledger, 1_000);
  await until(() => denials(said).length > 0, 'the complaint');
  expect(log.trouble).toBeDefined();
  await setUser(redis.client, RIGHTS);
  await followed;
  await until(() => log.trouble === undefined, 'the node to be healthy');
  expect(denials(said)).toHaveLength(1);
});

test('a right that is missing for publishing alone, or for histories alone, is said once', async () => {
  await setUser(redis.client, RIGHTS);
  node = await startLogNode(restricted());
  const { log, said } = node;
  await log.append({ channel: 'c', data: '1' });
  await setUser(redis.client, [...RIGHTS, '-xadd', '-multi']);
  for (let i = 0; i < 3; i++) {
    await expect(log.append({ channel: 'c', data: '2' })).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(log.historyLast('c', 1)).rejects.toMatchObject({ code: 'log_unavailable' });
  }
  expect(denials(said)).toHaveLength(2);
});

test('a right that is missing for what is shared is said once, and leaves nothing behind', async () => {
  await setUser(redis.client, RIGHTS);
  node = await startLogNode(restricted());
  const { log, said } = node;
  await setUser(redis.client, [...RIGHTS, '-hset', '-set']);
  const refused = { code: 'log_unavailable' };
  for (let i = 0; i < 3; i++) {
    await expect(log.shared.put('k', 'v', 60_000, Date.now() + 60_000)).rejects.toMatchObject(refused);
    await expect(log.shared.take('a', 1, 1, 1)).rejects.toMatchObject(refused);
  }
  expect(denials(said)).toHaveLength(1);
  expect(await redis.client.exists('fanfare:{p0}:ticket:k', 'fanfare:{p0}:rate:a')).toBe(0);
});

test('no password where one is needed is said once', async () => {
  await redis.client.config('SET', 'requirepass', 'needed');
  node = openLogNode(redis.url);
  const { log, ledger, said } = node;
  const followed = log.follow(ledger, 1_000);
  await until(() => denials(said).length > 0, 'the complaint');
  expect(log.trouble).toBeDefined();
  await redis.client.config('SET', 'requirepass', '');
  await followed;
  expect(denials(said)).toHaveLength(1);
});

test('a user that may not copy or rename publishes all the same, once for each key', async () => {
  await setUser(redis.client, [...RIGHTS, '-copy', '-rename']);
  const node = await startLogNode(redis.url.replace('://', `://${ACCOUNT}`));
  const message = { channel: 'new', data: '1', idempotencyKey: 'k' };
  const { id } = await node.log.append(message);
  expect(await node.log.append(message)).toEqual({ id, replayed: true });
  await setUser(redis.client, [...RIGHTS, '-rename']);
  const { id: second } = await node.log.append({ ...message, channel: 'other' });
  expect(await node.log.append({ ...message, channel: 'other' })).toEqual({ id: second, replayed: true });
  expect(await redis.client.keys('* copy')).toEqual([]);
  await node.log.close();
});
