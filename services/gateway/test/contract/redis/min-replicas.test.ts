import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Log } from '../../../src/log/log.ts';
import { type SentinelNode, startSentinel, type TestSentinel } from '../../support/redis-sentinel.ts';
import { until } from '../../support/until.ts';
import { type LogNode, openLogNode, startLogNode } from './node.ts';

/** One master, two replicas. */
let redis: TestSentinel;
let master: SentinelNode;
let replicas: SentinelNode[];
let node: LogNode;

beforeAll(async () => {
  // Nothing here is to be replaced.
  redis = await startSentinel({ downAfterMs: 600_000 });
  master = await redis.master();
  replicas = redis.nodes.filter((each) => each !== master);
});
afterAll(() => redis.stop());

beforeEach(async () => {
  node = await startLogNode(redis.address, { minReplicas: 2, commandTimeoutMs: 2_000 });
});
afterEach(async () => {
  for (const replica of replicas) await replica.resume();
  await node.log.close();
  await untilReplicas(2);
  await redis.flush();
});

/** Until so many replicas keep up with the master. */
async function untilReplicas(count: number): Promise<void> {
  await until(async () => (await master.client.wait(count, 100)) >= count, `${count} replicas to keep up`, 30);
}

const outcome = (log: Log, key: string) =>
  log.append({ channel: 'a', data: JSON.stringify(key), idempotencyKey: key }).catch((error) => error);

test('an append is answered when the replicas have it', async () => {
  const { id } = await node.log.append({ channel: 'a', data: '1' });
  for (const replica of replicas) {
    const entries = await replica.client.xrange('fanfare:{p0}:log', id, id);
    expect(entries).toHaveLength(1);
  }
});

test('many at once are all answered, in their order, and cost a WAIT for each group only', async () => {
  await master.client.config('RESETSTAT');
  const messages = Array.from({ length: 500 }, (_, i) => ({ channel: 'a', data: String(i) }));
  const outcomes = await node.log.appendMany(messages);
  expect(outcomes.every((each) => 'id' in each)).toBe(true);
  await until(() => node.ledger.data.length >= 500, 'all of them');
  expect(node.ledger.data).toEqual(messages.map(({ data }) => data));
  const stats = await master.client.info('commandstats');
  expect(Number(/^cmdstat_wait:calls=(\d+)/m.exec(stats)?.[1])).toBeLessThan(10);
});

test('with too few replicas an append says that it may have been published, and a retry makes it sure', async () => {
  const [replica] = replicas as [SentinelNode];
  await replica.pause();
  const refused = await outcome(node.log, 'k');
  expect(refused).toMatchObject({ code: 'not_replicated' });
  expect(refused.message).toContain('only 1 of 2 replicas');
  // On any node: a used key alone does not count as confirmed.
  const other = openLogNode(redis.address, { minReplicas: 2, commandTimeoutMs: 2_000 });
  await until(async () => (await outcome(other.log, 'k')).code === 'not_replicated', 'the same refusal');
  await replica.resume();
  await untilReplicas(2);
  const { id, replayed } = await outcome(other.log, 'k');
  await other.log.close();
  expect(replayed).toBe(true);
  await until(() => node.ledger.messages.length > 0, 'the message');
  expect(node.ledger.messages.map((message) => message.id)).toEqual([id]);
});

test('an append that had to be sent twice, because Redis had forgotten the script, is waited for like any other', async () => {
  const [replica] = replicas as [SentinelNode];
  await node.log.append({ channel: 'a', data: '1' });
  await untilReplicas(2);
  await replica.pause();
  await master.client.script('FLUSH');
  expect(await outcome(node.log, 'k')).toMatchObject({ code: 'not_replicated' });
});

test('while replicas are away nothing piles up, and every append of a crowd is told', async () => {
  const [replica] = replicas as [SentinelNode];
  await replica.pause();
  const crowd = Array.from({ length: 50 }, (_, i) => outcome(node.log, `first-${i}`));
  await new Promise((resolve) => setImmediate(resolve));
  crowd.push(...Array.from({ length: 50 }, (_, i) => outcome(node.log, `then-${i}`)));
  for (const each of await Promise.all(crowd)) expect(each).toMatchObject({ code: 'not_replicated' });
  await replica.resume();
  await untilReplicas(2);
  expect(await outcome(node.log, 'after')).toMatchObject({ replayed: false });
});

test('what is shared beside the log does not wait for replicas, nor behind appends that do', async () => {
  const patient = await startLogNode(redis.address, { minReplicas: 2, commandTimeoutMs: 60_000 });
  for (const replica of replicas) await replica.pause();
  const { shared } = patient.log;
  let answered = false;
  const waiting = outcome(patient.log, 'k').finally(() => {
    answered = true;
  });
  await until(async () => (await master.client.xlen('fanfare:{p0}:log')) > 1, 'the append');
  await shared.put('k', 'v', 60_000, Date.now() + 60_000);
  expect(await shared.claim('k', undefined, 'h')).toEqual({ outcome: 'opened', value: 'v' });
  expect(await shared.take('a', 1, 1, 1)).toMatchObject({ granted: 1 });
  expect(answered).toBe(false);
  for (const replica of replicas) await replica.resume();
  expect(await waiting).toMatchObject({ replayed: false });
  await patient.log.close();
});

test('what Redis refuses is told as not published, replicas or not', async () => {
  await master.client.config('SET', 'maxmemory', '1');
  const refused = await outcome(node.log, 'oom');
  await master.client.config('SET', 'maxmemory', '0');
  expect(refused).toMatchObject({ code: 'log_unavailable' });
  expect(await outcome(node.log, 'oom')).toMatchObject({ replayed: false });
});

test('a master that goes away while replicas are waited for leaves it open whether it was published', async () => {
  for (const replica of replicas) await replica.pause();
  const waiting = outcome(node.log, 'k');
  await until(async () => (await master.client.xlen('fanfare:{p0}:log')) > 1, 'the append');
  await master.client.call('CLIENT', 'KILL', 'TYPE', 'normal');
  expect(['log_timeout', 'not_replicated']).toContain((await waiting).code);
});
