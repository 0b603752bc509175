import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { Random } from '../fuzz/random.ts';
import { FaultScene, redisForTest } from '../support/fault-scene.ts';
import { startRedisProxy } from '../support/redis-proxy.ts';

const TROUBLE_MS = 15_000;

test('connections to Redis that are cut and fall silent at random lose nothing, double nothing, and make no gap', async () => {
  const redis = await redisForTest();
  const proxies = await Promise.all([startRedisProxy(redis.url), startRedisProxy(redis.url)]);
  onTestFinished(async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
  const [one, two] = proxies.map(({ url }) => ({ REDIS_URL: url }));
  const scene = await FaultScene.start(one as { REDIS_URL: string }, two);

  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  onTestFailed(() => console.error(`SEED=${seed} makes the same choices again`));
  proxies.forEach((proxy, i) => {
    proxy.trouble(new Random(seed + i));
  });
  await pause(TROUBLE_MS / 3);
  scene.strays.close();
  await pause(TROUBLE_MS / 3);
  scene.strays.resume(scene.nodes[1].url);
  await pause(TROUBLE_MS / 3);
  for (const proxy of proxies) proxy.calm();

  await scene.expectNothingLostInSilence();
  expect(scene.ledger.missing()).toEqual([]);
  const sum = (kind: 'cuts' | 'silences') => proxies.reduce((count, { troubles }) => count + troubles[kind], 0);
  console.info(`${sum('cuts')} connections were cut, ${sum('silences')} fell silent`);
  expect(sum('cuts')).toBeGreaterThan(10);
  expect(sum('silences')).toBeGreaterThan(0);
});
