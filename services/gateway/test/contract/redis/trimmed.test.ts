import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { type RedisProxy, startRedisProxy } from '../../support/redis-proxy.ts';
import { until } from '../../support/until.ts';
import { type LogNode, QUICK, startLogNode } from './node.ts';

const LOG = 'fanfare:{p0}:log';
/** The least that the log holds; Redis trims in steps of a hundred. */
const LOG_SIZE = 200;
const MANY = 2_000;

let redis: TestRedis;
let proxy: RedisProxy;
let near: LogNode;
let far: LogNode;

beforeEach(async () => {
  redis = await startRedis();
  proxy = await startRedisProxy(redis.url);
  near = await startLogNode(redis.url, { logSize: LOG_SIZE, historySize: 5_000 });
  far = await startLogNode(proxy.url, { logSize: LOG_SIZE });
});

afterEach(async () => {
  await Promise.all([near.log.close(), far.log.close()]);
  await proxy.close();
  await redis.stop();
  expect(far.ledger.violations).toEqual([]);
  expect(near.ledger.violations).toEqual([]);
});

async function publishMany(): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < MANY; i++) ids.push((await near.log.append({ channel: 'c', data: String(i) })).id);
  return ids;
}

/** All ids of the history, page by page. */
async function historyAfter(cursor: string): Promise<string[]> {
  const ids: string[] = [];
  for (let more = true; more; ) {
    const page = await near.log.historyAfter('c', ids.at(-1) ?? cursor, 5_000);
    expect(page.gap).toBeUndefined();
    ids.push(...page.messages.map(({ id }) => id));
    ({ more } = page);
  }
  return ids;
}

/** What was skipped must be readable from the history, and what was not must have come by the tail: all of it, once. */
async function expectAllOnce(ids: readonly string[]): Promise<void> {
  await until(() => far.ledger.messages.at(-1)?.id === ids.at(-1), 'the tail to come to the end');
  expect(far.ledger.skips.length).toBeGreaterThan(0);
  const skipped: string[] = [];
  for (const { after, position } of far.ledger.skips) {
    const history = await historyAfter(after);
    const tailed = new Set(far.ledger.messages.map(({ id }) => id));
    for (const id of history) {
      if (tailed.has(id)) break;
      skipped.push(id);
    }
    expect(history).toContain(ids.at(-1));
    expect(position).not.toBe(after);
  }
  expect([...skipped, ...far.ledger.messages.map(({ id }) => id)].sort()).toEqual([...ids].sort());
  expect(far.ledger.floors()).toHaveLength(1);
}

test('a tail that was away while the log was trimmed says what it skips, and goes on with the oldest that is left', async () => {
  proxy.refuse();
  await until(() => far.log.trouble !== undefined, 'the far node to be cut off');
  const ids = await publishMany();
  const [oldest] = await redis.client.xrange(LOG, '-', '+', 'COUNT', 1);
  proxy.accept();
  await expectAllOnce(ids);
  expect(far.ledger.messages[0]?.id).toBe(oldest?.[0]);
  expect(near.ledger.messages.map(({ id }) => id)).toEqual(ids);
  expect(near.ledger.skips).toEqual([]);
});

test('a tail that the log was trimmed past while it was connected notices', async () => {
  await far.log.close();
  far = await startLogNode(proxy.url, { logSize: LOG_SIZE, tailTiming: { ...QUICK, marginMs: 60_000 } });
  proxy.holdReplies();
  const { id } = await near.log.append({ channel: 'c', data: '"first"' });
  await until(() => proxy.heldBytes > 0, 'the reply to the tail');
  const ids = await publishMany();
  proxy.releaseReplies();
  await expectAllOnce([id, ...ids]);
  expect(far.ledger.messages[0]?.id).toBe(id);
  expect(far.said.filter((line) => line.includes('the tail has lost the log'))).toEqual([]);
});
