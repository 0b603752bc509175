import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rateKey, ticketKey } from '../../../src/log/redis/keys.ts';
import type { SharedState } from '../../../src/log/shared-state.ts';
import type { LogOperation } from '../../../src/metrics/metrics.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { type RedisProxy, startRedisProxy } from '../../support/redis-proxy.ts';
import { silentMetrics } from '../../support/silent.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';

const LONG_MS = 600_000;
const STANDING = 0.000_001;

let redis: TestRedis;
let proxy: RedisProxy;
let node: LogNode;
let shared: SharedState;
let errors: Map<LogOperation, number>;

beforeEach(async () => {
  redis = await startRedis();
  proxy = await startRedisProxy(redis.url);
  errors = new Map();
  node = await startLogNode(proxy.url, { commandTimeoutMs: 1_000, metrics: silentMetrics(errors) });
  ({ shared } = node.log);
});

afterEach(async () => {
  await node.log.close();
  await proxy.close();
  await redis.stop();
});

const later = () => Date.now() + LONG_MS;
const holderOf = (key: string) => redis.client.hget(ticketKey(0, key), 'h');

/** How often scripts were run since the last CONFIG RESETSTAT. */
async function scriptsRun(): Promise<number> {
  const stats = await redis.client.info('commandstats');
  return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

describe('keys', () => {
  test('all expire: a value after its time to be claimed, then with its holder’s; an account when it is back to nothing', async () => {
    const keepUntilMs = later();
    await shared.put('k', 'value', 30_000, keepUntilMs);
    const claimable = await redis.client.pttl(ticketKey(0, 'k'));
    expect(claimable).toBeGreaterThan(0);
    expect(claimable).toBeLessThanOrEqual(30_000);
    await shared.claim('k', undefined, 'holder');
    const kept = await redis.client.pttl(ticketKey(0, 'k'));
    expect(kept).toBeGreaterThan(30_000);
    expect(kept).toBeLessThanOrEqual(LONG_MS);

    await shared.take('slow', 0.1, 10, 3);
    const indebted = await redis.client.pttl(rateKey(0, 'slow'));
    expect(indebted).toBeGreaterThan(0);
    expect(indebted).toBeLessThanOrEqual(30_001);
    await shared.take('standing', 1e-300, 10, 10);
    await shared.take('quick', 1_000, 10, 10);
    await until(async () => (await redis.client.exists(rateKey(0, 'quick'))) === 0, 'the account to be forgotten');
    const others = ['log', 'floor'].map((name) => `fanfare:{p0}:${name}`);
    for (const key of await redis.client.keys('*'))
      if (!others.includes(key)) expect(await redis.client.pttl(key), key).toBeGreaterThan(0);
  });

  test('of accounts and of values spread over the partitions', async () => {
    const wide = await startLogNode(redis.url, { partitions: 3 });
    for (let i = 0; i < 30; i++) {
      await wide.log.shared.put(`${i}`, 'value', LONG_MS, later());
      await wide.log.shared.take(`sub:${i}`, STANDING, 1, 1);
    }
    for (let partition = 0; partition < 3; partition++) {
      expect(await redis.client.keys(ticketKey(partition, '*'))).not.toEqual([]);
      expect(await redis.client.keys(rateKey(partition, 'sub:*'))).not.toEqual([]);
    }
    await wide.log.close();
  });
});

test('a Redis that has forgotten its scripts (NOSCRIPT) is given them again', async () => {
  for (let i = 0; i < 3; i++) {
    await redis.client.script('FLUSH');
    await shared.put(`${i}`, 'value', LONG_MS, later());
    await redis.client.script('FLUSH');
    expect(await shared.claim(`${i}`, undefined, 'holder')).toEqual({ outcome: 'opened', value: 'value' });
    await redis.client.script('FLUSH');
    expect(await shared.take('a', STANDING, 3, 1)).toEqual({ granted: 1, waitMs: 0 });
  }
});

describe('an answer that is lost', () => {
  test('with its connection: the claim is made again by itself, and says the same', async () => {
    await shared.put('k', 'value', LONG_MS, later());
    proxy.holdReplies();
    const claim = shared.claim('k', undefined, 'first');
    await until(async () => (await holderOf('k')) === 'first', 'Redis to have carried it out');
    proxy.cut();
    expect(await claim).toEqual({ outcome: 'opened', value: 'value' });
    expect(await shared.claim('k', 'first', 'second')).toEqual({ outcome: 'again', value: 'value' });
    expect(errors.get('shared')).toBeUndefined();
  });

  test('by coming late: the same', async () => {
    await shared.put('k', 'value', LONG_MS, later());
    await shared.claim('k', undefined, 'first');
    await shared.put('other', 'value', LONG_MS, later());
    await redis.client.config('RESETSTAT');
    proxy.holdReplies();
    const claims = Promise.all([
      shared.claim('k', undefined, 'second'),
      shared.claim('k', 'first', 'third'),
      shared.claim('other', undefined, 'fourth'),
    ]);
    await until(async () => (await scriptsRun()) >= 6, 'each to have been asked twice');
    proxy.releaseReplies();
    expect(await claims).toEqual([
      { outcome: 'taken' },
      { outcome: 'again', value: 'value' },
      { outcome: 'opened', value: 'value' },
    ]);
  });

  test('again and again: the claim is refused, and the same one can be made later', async () => {
    await shared.put('k', 'value', LONG_MS, later());
    await redis.client.config('RESETSTAT');
    proxy.holdReplies();
    await expect(shared.claim('k', undefined, 'first')).rejects.toMatchObject({ code: 'log_unavailable' });
    expect(await scriptsRun()).toBe(2);
    expect(errors.get('shared')).toBe(1);
    proxy.cut();
    await until(() => node.log.trouble === undefined, 'the log to be healthy by itself');
    expect(await shared.claim('k', undefined, 'first')).toEqual({ outcome: 'opened', value: 'value' });
  });

  test('is not asked for again where that would count twice', async () => {
    proxy.holdReplies();
    const take = shared.take('a', STANDING, 3, 1);
    const refused = expect(take).rejects.toMatchObject({ code: 'log_unavailable' });
    await until(async () => (await redis.client.exists(rateKey(0, 'a'))) === 1, 'Redis to have carried it out');
    proxy.cut();
    await refused;
    await until(() => node.log.trouble === undefined, 'the log to be healthy by itself');
    expect(await shared.take('a', STANDING, 3, 3)).toMatchObject({ granted: 2 });
  });
});

test('without a Redis all is refused, and nothing of it is carried out later', async () => {
  await shared.put('k', 'value', LONG_MS, later());
  proxy.refuse();
  await until(() => node.log.trouble !== undefined, 'the connection to be gone');
  const refused = { code: 'log_unavailable' };
  await expect(shared.put('other', 'value', LONG_MS, later())).rejects.toMatchObject(refused);
  await expect(shared.claim('k', undefined, 'first')).rejects.toMatchObject(refused);
  await expect(shared.take('a', 1, 1, 1)).rejects.toMatchObject(refused);
  expect(errors.get('shared')).toBe(3);
  proxy.accept();
  await until(() => node.log.trouble === undefined, 'the log to be healthy by itself');
  expect(await shared.claim('other', undefined, 'second')).toEqual({ outcome: 'unknown' });
  expect(await shared.claim('k', undefined, 'second')).toEqual({ outcome: 'opened', value: 'value' });
});

test('a full memory refuses what is new, and a holder comes in all the same', async () => {
  await shared.put('k', 'value', LONG_MS, later());
  await shared.put('free', 'value', LONG_MS, later());
  await shared.claim('k', undefined, 'first');
  await redis.client.config('SET', 'maxmemory', '1');
  const refused = { code: 'log_unavailable' };
  await expect(shared.put('other', 'value', LONG_MS, later())).rejects.toMatchObject(refused);
  await expect(shared.claim('free', undefined, 'second')).rejects.toMatchObject(refused);
  expect(await shared.claim('k', 'first', 'third')).toEqual({ outcome: 'again', value: 'value' });
  await redis.client.config('SET', 'maxmemory', '0');
  expect(await shared.claim('free', undefined, 'second')).toEqual({ outcome: 'opened', value: 'value' });
});

describe('a clock of Redis', () => {
  /** As if the account had been granted something when the clock was so far ahead, milliseconds; negative: behind. */
  const grantedAhead = (account: string, aheadMs: number, debt: number) =>
    redis.client.set(rateKey(0, account), `${(Date.now() + aheadMs) * 1000} ${debt}`, 'PX', LONG_MS);

  test('that was set back by a day does not keep an account waiting for longer than it would have', async () => {
    await grantedAhead('a', 86_400_000, 10);
    const { granted, waitMs } = await shared.take('a', 20, 10, 1);
    expect(granted).toBe(0);
    expect(waitMs).toBeLessThanOrEqual(50);
    await until(async () => (await shared.take('a', 20, 10, 1)).granted === 1, 'the next one');
  });

  test('that went on for long saves up no more than a burst, also where the account is still there', async () => {
    await grantedAhead('a', -60_000, 3);
    expect(await shared.take('a', 20, 10, 100)).toMatchObject({ granted: 10 });
  });

  test('that was set back leaves of a debt what is a debt still', async () => {
    await grantedAhead('a', 86_400_000, 3);
    expect(await shared.take('a', STANDING, 10, 10)).toMatchObject({ granted: 7 });
  });
});
