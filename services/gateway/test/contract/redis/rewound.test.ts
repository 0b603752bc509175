import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Commands } from '../../../src/log/redis/connection.ts';
import { Denials } from '../../../src/log/redis/denials.ts';
import { createDeployment } from '../../../src/log/redis/deployment.ts';
import { loadScripts } from '../../../src/log/redis/scripts.ts';
import { Tail } from '../../../src/log/redis/tail/tail.ts';
import { compareIds } from '../../../src/message.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { redisAddress } from '../../support/redis-address.ts';
import { silentLogger, silentMetrics } from '../../support/silent.ts';
import { TailLedger } from '../../support/tail-ledger.ts';
import { until } from '../../support/until.ts';
import { type LogNode, QUICK, startLogNode } from './node.ts';

let redis: TestRedis;
let a: LogNode;
let b: LogNode;
const closing: Commands[] = [];

beforeEach(async () => {
  redis = await startRedis();
  [a, b] = await Promise.all([startLogNode(redis.url), startLogNode(redis.url)]);
});

afterEach(async () => {
  await Promise.all([a.log, b.log, ...closing.splice(0)].map((each) => each.close()));
  await redis.stop();
  expect([...a.ledger.violations, ...b.ledger.violations]).toEqual([]);
});

async function publish(...data: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const each of data) ids.push((await a.log.append({ channel: 'c', data: each })).id);
  await until(() => [a, b].every(({ ledger }) => ledger.data.includes(data.at(-1) as string)), 'the messages');
  return ids;
}

/**
 * Remembers everything that Redis holds now. The answer puts it back as it was, appends what another node appends
 * `meanwhile`, and cuts all connections, as a failover does.
 */
async function snapshot(): Promise<(meanwhile?: string) => Promise<void>> {
  const keys = await redis.client.keys('*');
  const dumps = await Promise.all(keys.map(async (key) => [key, await redis.client.dumpBuffer(key)] as const));
  return async (meanwhile) => {
    const rewind = redis.client.multi().flushall();
    for (const [key, dump] of dumps) rewind.restore(key, 0, dump ?? '');
    // A little later than now: within one millisecond it could be given the very id of a message that was lost.
    if (meanwhile !== undefined) rewind.xadd('fanfare:{p0}:log', `${Date.now() + 5}-0`, 'c', 'c', 'd', meanwhile);
    await rewind.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').exec();
  };
}

function risen(): Promise<void> {
  return until(() => [a, b].every(({ ledger }) => ledger.floors().length > 1), 'the floor to rise');
}

test('a Redis that has lost its last messages raises the floor above all of them, on every node', async () => {
  await publish('1', '2');
  const rewind = await snapshot();
  const lost = await publish('3', '4');
  await rewind();
  await risen();
  for (const { ledger } of [a, b]) {
    expect(compareIds(ledger.floors().at(-1) as string, lost[1] as string)).toBeGreaterThan(0);
  }
  await until(() => a.log.trouble === undefined && b.log.trouble === undefined, 'both to follow again');
  await publish('5');
  expect(a.ledger.data).toEqual(['1', '2', '3', '4', '5']);
  expect(b.ledger.data).toEqual(a.ledger.data);
  // One loss raises it once, though both nodes noticed.
  expect(a.ledger.floors()).toHaveLength(2);
  expect(b.ledger.floors()).toEqual(a.ledger.floors());
});

test('the loss is noticed also when another node has appended before a tail is back', async () => {
  await publish('1', '2');
  const rewind = await snapshot();
  await publish('3');
  await rewind('4');
  await risen();
  for (const { ledger } of [a, b]) {
    // What was appended meanwhile comes by the tail; the floor, and so the word of a loss, after it.
    await until(() => ledger.data.length === 4, 'the message from meanwhile');
    expect(ledger.data).toEqual(['1', '2', '3', '4']);
    expect(compareIds(ledger.floors().at(-1) as string, ledger.messages.at(-1)?.id as string)).toBeGreaterThan(0);
  }
});

test('a log that is emptied under a tail that stays connected begins anew with a marker', async () => {
  const [before] = await publish('1');
  await redis.client.flushall();
  const [after] = await publish('2');
  for (const { ledger } of [a, b]) {
    expect(ledger.told.map(({ kind }) => kind)).toEqual(['floor', 'message', 'floor', 'message']);
    const floor = ledger.floors().at(-1) as string;
    expect(compareIds(before as string, floor)).toBeLessThan(0);
    expect(compareIds(floor, after as string)).toBeLessThan(0);
  }
});

test('a history that is ahead of an emptied log lifts the log above itself', async () => {
  const ahead = `${Date.now() + 3_600_000}-5`;
  await redis.client.xadd('fanfare:{p0}:history:c', ahead, 'p', '0-0', 'd', '"old"');
  const [id] = await publish('1');
  expect(compareIds(id as string, ahead)).toBeGreaterThan(0);
  await risen();
  expect(compareIds(a.ledger.floors().at(-1) as string, ahead)).toBeGreaterThan(0);
  expect(a.ledger.data).toEqual(['1']);
  const page = await a.log.historyAfter('c', ahead, 10);
  expect(page).toEqual({ messages: [{ id, channel: 'c', data: '1' }], more: false });
});

test('what comes after a rewind is delivered behind the floor that tells of it, though it stands before the marker', async () => {
  await publish('1', '2');
  const rewind = await snapshot();
  await publish('3');
  await rewind('4');
  await risen();
  await until(() => [a, b].every(({ ledger }) => ledger.data.includes('4')), 'the message');
  for (const { ledger } of [a, b]) {
    const told = ledger.told.map((each) => (each.kind === 'message' ? each.message.data : each.kind));
    expect(told).toEqual(['floor', '1', '2', '3', 'floor', '4']);
  }
});

test('a node that has missed nothing itself is told since when something is gone', async () => {
  const other = await startLogNode(redis.url, { clientName: 'other' });
  const [, second, third] = await publish('1', '2', '3');
  await redis.client.xdel('fanfare:{p0}:log', third as string);
  const clients = String(await redis.client.client('LIST')).split('\n');
  const tail = clients.find((line) => line.includes('name=other:tail-0'));
  await redis.client.call('CLIENT', 'KILL', 'ID', /^id=(\d+)/.exec(tail ?? '')?.[1] ?? '');
  await risen();
  for (const { ledger } of [a, b])
    expect(ledger.told.filter(({ kind }) => kind === 'floor').at(-1)).toMatchObject({ goneAfter: second });
  await other.log.close();
});

test('a history that refuses the id starts again, and says that something may be gone', async () => {
  const [first] = await publish('1');
  await redis.client.call('XSETID', 'fanfare:{p0}:history:c', `${Date.now() + 3_600_000}-0`);
  const [second] = await publish('2');
  expect(await a.log.historyAfter('c', first as string, 10)).toEqual({
    messages: [{ id: second, channel: 'c', data: '2' }],
    more: false,
    gap: 'trimmed',
  });
});

test('a key that holds something else stops an append before anything is written', async () => {
  await publish('1');
  await redis.client.set('fanfare:{p0}:history:taken', 'text');
  await redis.client.lpush('fanfare:{p0}:once:1:c:taken', 'text');
  const before = await redis.client.xlen('fanfare:{p0}:log');
  for (const message of [
    { channel: 'taken', data: '2' },
    { channel: 'c', data: '3', idempotencyKey: 'taken' },
  ])
    await expect(a.log.append(message)).rejects.toMatchObject({ code: 'log_unavailable' });
  expect(await redis.client.xlen('fanfare:{p0}:log')).toBe(before);
  await publish('4');
  expect(a.ledger.data).toEqual(['1', '4']);
});

test('an entry that is not ours is passed over', async () => {
  await redis.client.xadd('fanfare:{p0}:log', '*', 'other', 'thing');
  await publish('1');
  expect(a.ledger.data).toEqual(['1']);
  expect(a.said.some((line) => line.startsWith('warn') && line.includes('foreign'))).toBe(true);
});

test('a tail that does not bring what was appended is not healthy, and a message that the log lost raises the floor', async () => {
  const { tail, ledger } = follow();
  await tail.begun;
  await publish('1');
  await until(() => ledger.data.length === 1, 'the first message');

  // Nothing comes after it: only time tells that it does not come.
  const never = `${Date.now() + 60_000}-0`;
  tail.appended({ id: never, channel: 'c', data: '"never"' });
  expect(tail.trouble).toBeUndefined();
  await until(() => tail.trouble !== undefined, 'the tail to be unhealthy');
  expect(tail.trouble).toBe('the tail of partition 0 does not bring what was appended');
  await until(() => ledger.floors().length === 2, 'the floor to rise');
  expect(compareIds(ledger.floors().at(-1) as string, never)).toBeGreaterThan(0);
  await until(() => tail.trouble === undefined, 'the tail to be healthy');

  // Another message comes after it: it was passed.
  const lost = `${Date.now() + 90_000}-0`;
  tail.appended({ id: lost, channel: 'c', data: '"lost"' });
  await redis.client.xadd('fanfare:{p0}:log', `${Date.now() + 120_000}-0`, 'c', 'c', 'd', '2');
  await until(() => ledger.floors().length === 3, 'the floor to rise again');
  expect(ledger.told.at(-2)).toMatchObject({ kind: 'message', message: { data: '2' } });
  await tail.close();
  expect(ledger.violations).toEqual([]);
});

test('a message that was taken by a master that had been replaced raises the floor, also where its id is that of another', async () => {
  const { tail, ledger } = follow();
  await tail.begun;
  const [first = '', second = ''] = await publish('1', '2');
  await until(() => ledger.data.length === 2, 'the messages');

  // An answer that comes late, for what the tail has brought, means nothing.
  tail.appended({ id: first, channel: 'c', data: '1' });
  tail.appended({ id: second, channel: 'c', data: '' });
  await publish('3');
  await until(() => ledger.data.length === 3, 'the next message');
  expect(ledger.floors()).toHaveLength(1);

  // The tail has passed this one.
  tail.appended({ id: `${first}1`, channel: 'c', data: '"elsewhere"' });
  await until(() => ledger.floors().length === 2, 'the floor to rise');

  const [id = ''] = await publish('4');
  await until(() => ledger.data.includes('4'), 'the next message');
  tail.appended({ id, channel: 'c', data: '"elsewhere"' });
  await until(() => ledger.floors().length === 3, 'the floor to rise again');
  expect(compareIds(ledger.floors().at(-1) as string, id)).toBeGreaterThan(0);
  await tail.close();
  expect(ledger.violations).toEqual([]);
});

/** A tail of its own beside those of the nodes, to be told of appends that there were not. */
function follow(): { tail: Tail; ledger: TailLedger } {
  const ledger = new TailLedger();
  const logger = silentLogger();
  const denials = new Denials(logger);
  const connection = { clientName: 'test', scripts: loadScripts(), logger, metrics: silentMetrics(), denials };
  const locator = createDeployment(redisAddress(redis.url), connection, 1);
  const master = locator.commands('test', 1_000);
  closing.push(master);
  const settings = {
    connection,
    locator,
    from: 'master' as const,
    master,
    partition: 0,
    historyTtlSeconds: 3_600,
    logSize: 1_000,
    timing: QUICK,
  };
  return { tail: new Tail(settings, ledger, 0), ledger };
}
