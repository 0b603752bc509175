import { expect, test } from 'vitest';
import { CHANNELS, FaultScene, PUBLISHERS, redisForTest } from '../support/fault-scene.ts';
import type { TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

test('a Redis that is killed and started again with its append-only file has lost nothing, and nobody is told of a gap', async () => {
  const redis = await redisForTest();
  const scene = await FaultScene.on(redis);
  for (let kill = 1; kill <= 2; kill++) {
    scene.strays.close();
    await redis.kill();
    await until(() => scene.refusals('log_unavailable') >= kill * PUBLISHERS, 'publishes to be refused');
    await redis.start();
    await scene.more(20);
    scene.strays.resume(scene.nodes[kill % 2 === 0 ? 0 : 1].url);
  }
  await scene.expectNothingLostInSilence();
  expect(scene.ledger.missing()).toEqual([]);
});

test('a Redis that comes back empty is told to everyone as a gap, also to who was away, and by a node that starts later', async () => {
  const redis = await redisForTest();
  const scene = await FaultScene.on(redis);
  await expectRewound(scene, redis, 'empty');
});

test('a Redis that is restored from an old snapshot is told to everyone as a gap, also to who was away, and by a node that starts later', async () => {
  // Without an append-only file, what it starts from is the last snapshot.
  const redis = await redisForTest({}, { appendonly: 'no' });
  const scene = await FaultScene.on(redis);
  await redis.client.save();
  await scene.more(20);
  await expectRewound(scene, redis, 'kept');
});

/** Kills Redis, which then has lost at least the last messages, and checks that everyone is told. */
async function expectRewound(scene: FaultScene, redis: TestRedis, files: 'kept' | 'empty'): Promise<void> {
  scene.strays.close();
  scene.moreStrays.close();
  await scene.more(5);
  await redis.kill();
  scene.ledger.expectGap({ reason: 'rewound', channels: CHANNELS });
  await redis.start(files);
  await scene.more(20);
  await scene.ready();
  scene.strays.resume(scene.nodes[1].url);
  scene.moreStrays.resume((await scene.startThird()).url);
  await scene.expectNothingLostInSilence();
  // Those who were away have missed something for good.
  expect(scene.ledger.missing(scene.strays.names)).not.toEqual([]);
}
