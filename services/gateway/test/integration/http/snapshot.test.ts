import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

const WRITES = 300;
const READERS = 40;

/** What README.md shows: write, publish, keep the position beside what was written; read both together, and follow from there. */
let redis: TestRedis;
let nodes: Gateway[];

beforeAll(async () => {
  redis = await startRedis();
  nodes = await Promise.all([startGateway({ REDIS_URL: redis.url }), startGateway({ REDIS_URL: redis.url })]);
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.kill()));
  await redis?.stop();
});

test('a snapshot and what follows on its position leave no hole, whatever node follows, and whoever writes meanwhile', async () => {
  const [one, two] = nodes as [Gateway, Gateway];
  const row = { total: 0, position: await publish(one.url, 'orders:42', 0) };
  const write = async (url: string): Promise<void> => {
    row.total++;
    row.position = await publish(url, 'orders:42', row.total);
    await pause(Math.random() * 5);
  };
  const readers: { total: number; stream: SseClient }[] = [];
  const read = async (): Promise<void> => {
    for (let i = 0; i < READERS; i++) {
      const { total, position } = row;
      const url = (i % 2 === 0 ? one : two).url;
      readers.push({ total, stream: new SseClient(`${url}/v1/sse?channel=orders:42&after=${position}`) });
      await pause(Math.random() * 20);
    }
  };
  const writer = async (url: string): Promise<void> => {
    for (let i = 0; i < WRITES / 2; i++) await write(url);
  };
  await Promise.all([writer(one.url), writer(two.url), read()]);
  await publish(one.url, 'orders:42', 'end');

  for (const { total, stream } of readers) {
    await until(() => stream.messages.some(({ data }) => data === '"end"'), 'the last change');
    const followed = new Set(stream.messages.map(({ data }) => JSON.parse(data)));
    const missing = Array.from({ length: WRITES - total }, (_, i) => total + 1 + i).filter((n) => !followed.has(n));
    expect(missing).toEqual([]);
    expect(stream.of('fanfare:gap')).toEqual([]);
    stream.close();
  }
  expect(readers.some(({ total }) => total > 0 && total < WRITES)).toBe(true);
});
