import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FaultScene, redisForTest } from '../support/fault-scene.ts';

/** Longer than a node waits for an answer, so that publishes time out and tails are replaced. */
const SILENCE_MS = 10_000;

test('a Redis that stands still for ten seconds and goes on has lost nothing, and nobody is told of a gap', async () => {
  const redis = await redisForTest();
  const scene = await FaultScene.on(redis);
  scene.strays.close();
  await redis.pause();
  await pause(SILENCE_MS);
  await redis.resume();
  await scene.ready();
  scene.strays.resume(scene.nodes[1].url);
  await scene.more(20);
  await scene.expectNothingLostInSilence();
  expect(scene.ledger.missing()).toEqual([]);
  expect(scene.refusals('log_timeout')).toBeGreaterThan(0);
});
