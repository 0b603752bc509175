import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Appended } from '../../../src/log/log.ts';
import { compareIds } from '../../../src/message.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { appendSurely, type LogNode, startLogNode } from './node.ts';

let redis: TestRedis;
let nodes: LogNode[];

beforeEach(async () => {
  redis = await startRedis({ fsync: 'always' });
  nodes = await Promise.all([startLogNode(redis.url), startLogNode(redis.url)]);
});

afterEach(async () => {
  await Promise.all(nodes.map(({ log }) => log.close()));
  await redis.stop();
  for (const { ledger } of nodes) expect(ledger.violations).toEqual([]);
});

test('a Redis that is killed and comes back with its file loses nothing that was taken, and doubles nothing', async () => {
  const taken = new Map<string, string>();
  let stopped = false;
  const publishers = nodes.map(async ({ log }, n) => {
    for (let i = 0; !stopped; i++) {
      const data = `${n * 1e6 + i}`;
      taken.set(await appendSurely(log, `c${i % 3}`, data), data);
    }
  });
  for (let round = 0; round < 3; round++) {
    const enough = taken.size + 300;
    await until(() => taken.size >= enough, 'messages to be taken');
    await redis.kill();
    await redis.start();
  }
  stopped = true;
  await Promise.all(publishers);
  for (const { ledger } of nodes) {
    await until(() => ledger.messages.length >= taken.size, 'all messages at the tail');
    expect(ledger.messages.map(({ id, data }) => [id, data])).toEqual([...taken].sort(([a], [b]) => compareIds(a, b)));
    expect(ledger.floors()).toHaveLength(1);
    expect(ledger.skips).toEqual([]);
  }
});

test('a Redis that comes back empty raises the floor on every node, and on those that start later', async () => {
  const [a, b] = nodes as [LogNode, LogNode];
  await appendSurely(a.log, 'c', '1');
  await until(() => a.ledger.data.length + b.ledger.data.length === 2, 'the first message at both');
  await redis.kill();
  await redis.start('empty');
  await until(() => a.ledger.floors().length > 1 && b.ledger.floors().length > 1, 'the floor to rise');
  const newest = () => a.ledger.floors().at(-1) as string;
  const lost = a.ledger.messages[0]?.id as string;
  expect(compareIds(newest(), lost)).toBeGreaterThan(0);

  const id = await appendSurely(b.log, 'c', '2');
  await until(() => a.ledger.data.length + b.ledger.data.length === 4, 'the second message at both');
  const late = await startLogNode(redis.url);
  nodes.push(late);
  expect(a.ledger.floors().at(-1)).toBe(b.ledger.floors().at(-1));
  expect(late.ledger.floors()).toEqual([newest()]);
  expect(late.ledger.messages).toEqual([{ id, channel: 'c', data: '2' }]);
  expect(a.said.filter((line) => line.includes('empty or rewound')).length).toBeGreaterThan(0);
});

test('while Redis is away appends are refused at once, as not published, and health shows it', async () => {
  const { log, said, ledger } = nodes[0] as LogNode;
  expect(log.trouble).toBeUndefined();
  await redis.kill();
  await until(() => log.trouble !== undefined, 'the log to be unhealthy');
  await until(async () => (await refusal(log.append({ channel: 'c', data: '1' }))) === 'log_unavailable', 'a refusal');
  expect(await refusal(log.historyAfter('c', '0-0', 10))).toBe('log_unavailable');
  expect(await refusal(log.historyLast('c', 10))).toBe('log_unavailable');
  expect(await refusal(log.end(0))).toBe('log_unavailable');
  await redis.start();
  await until(() => log.trouble === undefined, 'the log to be healthy');
  await appendSurely(log, 'c', '2');
  await until(() => ledger.data.includes('2'), 'the message');
  expect(ledger.data).toEqual(['2']);
  // Once for each change, however many attempts lay between.
  expect(said.filter((line) => line.includes('the tail has lost the log'))).toHaveLength(1);
  expect(said.filter((line) => line.includes('the tail follows the log'))).toHaveLength(2);
});

test('a log that starts before its Redis follows as soon as that is there', async () => {
  await redis.kill();
  const starting = startLogNode(redis.url);
  await redis.start();
  const late = await starting;
  nodes.push(late);
  expect(late.log.trouble).toBeUndefined();
});

test('a log whose Redis never comes can be closed', async () => {
  const { log } = nodes[0] as LogNode;
  await redis.kill();
  await until(() => log.trouble !== undefined, 'the log to be unhealthy');
  await log.close();
  expect(await refusal(log.append({ channel: 'c', data: '1' }))).toBe('log_unavailable');
});

function refusal(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    (outcome) => `taken: ${JSON.stringify(outcome as Appended)}`,
    (error) => error.code,
  );
}
