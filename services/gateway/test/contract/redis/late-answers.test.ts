import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { historyKey, logKey } from '../../../src/log/redis/keys.ts';
import { type TestRedis, withClient } from '../../support/redis.ts';
import { startLocalRedis } from '../../support/redis-local.ts';
import { until } from '../../support/until.ts';
import { appendSurely, type LogNode, startLogNode } from './node.ts';

/** Redis answers between so many commands while it reads its file. */
const COMMANDS_BETWEEN_ANSWERS = 1024;
const BATCH = 64;

let redis: TestRedis;
let node: LogNode;

beforeEach(async () => {
  // It takes its time for each command of its file, and reads none at the first start.
  redis = withClient(await startLocalRedis({ fsync: 'always' }, async () => ({ 'key-load-delay': 200 })));
  node = await startLogNode(redis.url, { commandTimeoutMs: 500 });
});

afterEach(async () => {
  await node.log.close();
  await redis.stop();
  expect(node.ledger.violations).toEqual([]);
});

const message = { channel: 'c', data: '"late"', idempotencyKey: 'k' };

async function lengths(): Promise<{ log: number; history: number }> {
  const [log, history] = await Promise.all([redis.client.xlen(logKey(0)), redis.client.xlen(historyKey(0, 'c'))]);
  // Without the marker that the log starts with.
  return { log: log - 1, history };
}

test('an append that Redis carries out after the time-out may have been published, and a retry gets the first one’s id', async () => {
  // Redis hears nobody while a script runs, and does not say so.
  await redis.client.config('SET', 'busy-reply-threshold', '0');
  const busy = redis.client.duplicate();
  const script = `
    local function now() local time = redis.call('TIME') return time[1] * 1000 + time[2] / 1000 end
    local until_ = now() + 1500
    while now() < until_ do end`;
  const running = busy.eval(script, 0).finally(() => busy.disconnect());
  await until(async () => {
    const outcome = await node.log.append(message).catch((error) => error.code);
    expect(outcome).not.toBe('log_unavailable');
    return outcome === 'log_timeout';
  }, 'a time-out');
  await running;
  await until(async () => (await lengths()).log === 1, 'Redis to have carried it out');
  await until(() => node.log.trouble === undefined, 'the log to be healthy by itself');
  await until(() => node.ledger.data.length === 1, 'the message at the tail');
  const id = node.ledger.messages[0]?.id;
  expect(await node.log.append(message)).toEqual({ id, replayed: true });
  expect(await lengths()).toEqual({ log: 1, history: 1 });
});

test('retries while Redis stands still end in one message', async () => {
  await redis.pause();
  const codes = new Set<string>();
  for (let i = 0; i < 3; i++) codes.add(await node.log.append(message).then(String, (error) => error.code));
  expect(codes).toContain('log_timeout');
  expect([...codes].filter((code) => code !== 'log_timeout' && code !== 'log_unavailable')).toEqual([]);
  await redis.resume();
  await until(() => node.log.trouble === undefined, 'the log to be healthy by itself');
  const { id } = await node.log.append(message);
  expect(await lengths()).toEqual({ log: 1, history: 1 });
  await until(() => node.ledger.data.length === 1, 'the message at the tail');
  expect(node.ledger.messages).toMatchObject([{ id, data: '"late"' }]);
});

test('while Redis reads its file (LOADING) nothing is published, and then all is there', async () => {
  const count = 2 * COMMANDS_BETWEEN_ANSWERS;
  const data = Array.from({ length: count }, (_, i) => `${i}`);
  for (let i = 0; i < count; i += BATCH) {
    const batch = data.slice(i, i + BATCH).map((each) => ({ channel: 'c', data: each, idempotencyKey: each }));
    // One that is answered late is asked again: its key makes that safe.
    const fill = async () => (await node.log.appendMany(batch)).every((outcome) => !(outcome instanceof Error));
    await until(fill, 'a batch to be taken');
  }
  await redis.kill();
  await until(() => node.log.trouble !== undefined, 'the log to be unhealthy');
  let loaded = false;
  const started = redis.start().then(() => {
    loaded = true;
  });
  // It asks at once, and does not wait until Redis is ready.
  const asking = new Redis(redis.url, { enableReadyCheck: false, retryStrategy: () => 20 });
  asking.on('error', () => {});
  let refusals = 0;
  while (!loaded) {
    const reply = await asking.ping().catch((error) => String(error.message));
    if (!reply.startsWith('LOADING')) continue;
    expect(await node.log.append(message).catch((error) => error.code)).toBe('log_unavailable');
    expect(node.log.trouble).toBeDefined();
    refusals++;
  }
  asking.disconnect();
  await started;
  expect(refusals).toBeGreaterThan(0);

  await until(() => node.log.trouble === undefined, 'the log to be healthy by itself');
  expect(await lengths()).toEqual({ log: count, history: 1_000 });
  await appendSurely(node.log, 'c', '"after"');
  await until(() => node.ledger.data.includes('"after"'), 'the message at the tail');
  expect(node.ledger.data).toEqual([...data, '"after"']);
  expect(node.ledger.floors()).toHaveLength(1);
});
