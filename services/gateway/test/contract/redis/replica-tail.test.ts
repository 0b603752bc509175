import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareIds } from '../../../src/message.ts';
import { type SentinelNode, startSentinel, type TestSentinel } from '../../support/redis-sentinel.ts';
import { cutReplication } from '../../support/replication.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';

const LOG = 'fanfare:{p0}:log';

let redis: TestSentinel;
let master: SentinelNode;
let a: LogNode;
let b: LogNode;

beforeEach(async () => {
  redis = await startSentinel();
  master = await redis.master();
  const start = (clientName: string) => startLogNode(redis.address, { clientName, tailFrom: 'replica' });
  [a, b] = await Promise.all([start('a'), start('b')]);
});

afterEach(async () => {
  await Promise.all([a.log.close(), b.log.close()]);
  await redis.stop();
  expect([...a.ledger.violations, ...b.ledger.violations]).toEqual([]);
});

/** Where the tail of a node reads; undefined while it reads nowhere. */
async function readBy(clientName: string): Promise<SentinelNode | undefined> {
  for (const node of redis.nodes) {
    const list = await node.client.client('LIST').catch(() => '');
    if (String(list).includes(`name=${clientName}:tail-0`)) return node;
  }
  return undefined;
}

async function publish(...data: string[]): Promise<void> {
  for (const each of data) await a.log.append({ channel: 'c', data: each });
  await until(() => [a, b].every(({ ledger }) => ledger.data.includes(data.at(-1) as string)), 'the messages');
}

const healthy = () => until(() => a.log.trouble === undefined && b.log.trouble === undefined, 'both to be healthy');
const risen = () => until(() => [a, b].every(({ ledger }) => ledger.floors().length > 1), 'the floor to rise');

test('a replica is read; one that ends is left for the master at once, and another one is read later', async () => {
  const first = await readBy('b');
  expect(first?.port).not.toBe(master.port);
  await publish('1');
  await first?.kill();
  await publish('2', '3');
  await healthy();
  const other = redis.nodes.find((node) => node !== master && node !== first);
  await until(async () => (await readBy('b')) === other, 'the other replica to be read', 60);
  await publish('4');
  for (const { ledger } of [a, b]) {
    expect(ledger.data).toEqual(['1', '2', '3', '4']);
    expect(ledger.floors()).toHaveLength(1);
  }
});

test('while there is no replica the master is read', async () => {
  await Promise.all(redis.nodes.filter((node) => node !== master).map((node) => node.kill()));
  await publish('1', '2');
  await healthy();
  for (const name of ['a', 'b']) expect((await readBy(name))?.port).toBe(master.port);
  expect(b.ledger.data).toEqual(['1', '2']);
});

test('a replica that is cut off from its master brings nothing: the node notices, and leaves it', async () => {
  await publish('1');
  const stale = (await readBy('b')) as SentinelNode;
  await stale.client.replicaof('NO', 'ONE');
  await a.log.append({ channel: 'c', data: '2' });
  await until(() => b.said.includes('warn: the tail has lost the log; trying again'), 'the node to notice');
  await healthy();
  for (const { ledger } of [a, b]) {
    await until(() => ledger.data.length === 2, 'the message');
    expect(ledger.data).toEqual(['1', '2']);
    expect(ledger.floors()).toHaveLength(1);
  }
});

test('what only replicas have that left their master is told by a floor on every node, also while all logs go on', async () => {
  await publish('1');
  const stale = redis.nodes.filter((node) => node !== master);
  await Promise.all(stale.map(({ client }) => client.replicaof('NO', 'ONE')));
  await until(async () => {
    await Promise.all(stale.map(({ client }) => client.xadd(LOG, '*', 'c', 'c', 'd', '"elsewhere"')));
    await master.client.xadd(LOG, '*', 'c', 'c', 'd', '"here"');
    return [a, b].every(({ ledger }) => ledger.floors().length > 1);
  }, 'the floor to rise');
  for (const { ledger } of [a, b]) expect(ledger.data).toContain('"elsewhere"');
  await healthy();
  await publish('2');
  expect(a.ledger.floors().at(-1)).toBe(b.ledger.floors().at(-1));
});

test('a replica that comes to hold something else under its readers: what they had read before is told by a floor', async () => {
  await publish('1');
  const dump = await master.client.dumpBuffer(LOG);
  await publish('2', '3');
  // The replicas get all of it at once, and nobody's connection ends, as in a resynchronisation between two reads.
  const later = Date.now() + 1_000;
  await master.client
    .multi()
    .restore(LOG, 0, dump as Buffer, 'REPLACE')
    .xadd(LOG, `${later}-0`, 'c', 'c', 'd', '4')
    .exec();
  await until(() => [a, b].every(({ ledger }) => ledger.data.includes('4')), 'what stands there instead');
  await master.client.xadd(LOG, '*', 'c', 'c', 'd', '5');
  await risen();
  for (const { ledger } of [a, b]) {
    await until(() => ledger.data.includes('5'), 'the last message');
    expect(ledger.data).toEqual(['1', '2', '3', '4', '5']);
    expect(compareIds(ledger.floors().at(-1) as string, `${later}-0`)).toBeGreaterThan(0);
  }
  await healthy();
  await publish('6');
  expect(a.ledger.floors()).toEqual(b.ledger.floors());
});

test('a master that comes back empty, so that replicas forget all while they are read, is told by a floor', async () => {
  await publish('1', '2');
  const replica = (await readBy('b')) as SentinelNode;
  await master.kill();
  await master.start('empty');
  await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'), 'the link');
  await risen();
  await healthy();
  await publish('3');
  for (const { ledger } of [a, b]) expect(ledger.data).toEqual(['1', '2', '3']);
});

test('replicas that are cut off, and come back behind the master, are no loss and no gap', async () => {
  await publish('1');
  await cutReplication(master);
  await publish('2', '3');
  await healthy();
  for (const name of ['a', 'b']) expect((await readBy(name))?.port).toBe(master.port);
  await master.client.acl('SETUSER', 'default', '+psync', '+sync');
  await until(
    async () => (await Promise.all(['a', 'b'].map(readBy))).every((node) => node !== undefined && node !== master),
    'replicas to be read again',
    60,
  );
  await publish('4');
  for (const { ledger } of [a, b]) {
    expect(ledger.data).toEqual(['1', '2', '3', '4']);
    expect(ledger.floors()).toHaveLength(1);
    expect(ledger.skips).toEqual([]);
  }
});
