import { expect, onTestFinished, test } from 'vitest';
import { startFakeClock } from '../support/fake-clock.ts';
import { FaultScene, PUBLISHERS, redisForTest } from '../support/fault-scene.ts';
import { until } from '../support/until.ts';

const HOUR = 3600;

test.skipIf(process.platform !== 'linux')(
  "Redis' clock may be set back and forward, also while it is away: ids rise, nothing is lost or doubled, nobody is told of a gap",
  async () => {
    const clock = await startFakeClock();
    onTestFinished(() => clock.stop());
    const redis = await redisForTest({ env: clock.env });
    const scene = await FaultScene.on(redis);
    const behind = async () => Math.round(Date.now() / 1000 - Number((await redis.client.time())[0]));
    expect(await behind()).toBeLessThan(HOUR / 60);

    for (const seconds of [-HOUR, HOUR / 2, -HOUR]) {
      await clock.shift(seconds);
      await until(async () => Math.abs((await behind()) + seconds) < HOUR / 60, 'the clock of Redis to be set');
      await scene.more(20);
    }
    scene.strays.close();
    await redis.kill();
    await until(() => scene.refusals('log_unavailable') >= PUBLISHERS, 'publishes to be refused');
    await redis.start();
    await scene.more(20);
    scene.strays.resume(scene.nodes[1].url);
    await clock.shift(0);
    await scene.expectNothingLostInSilence();
    expect(scene.ledger.missing()).toEqual([]);
  },
);
