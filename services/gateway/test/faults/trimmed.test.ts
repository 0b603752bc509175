import { expect, test } from 'vitest';
import { FaultScene, redisForTest } from '../support/fault-scene.ts';

/** To each channel, while a node stands still: fewer than a history holds. */
const MISSED = 500;
/** Entries that the log keeps of that: more than one read brings, as always. */
const LOG_SIZE = 600;

test('a node that stood still while the log was trimmed fills up from the histories, with a gap only where they are trimmed too', async () => {
  const redis = await redisForTest();
  const scene = await FaultScene.on(redis);
  const [, two] = scene.nodes;
  scene.strays.close();
  two.process.kill('SIGSTOP');
  await scene.publishMany(MISSED);
  // Those on the first node have read it all before it goes.
  await scene.more(20);
  await redis.client.xtrim('fanfare:{p0}:log', 'MAXLEN', LOG_SIZE);
  await redis.client.xtrim('fanfare:{p0}:history:news', 'MAXLEN', MISSED / 2);
  const late = [...scene.staying[1].names, ...scene.moreStrays.names, ...scene.strays.names];
  scene.ledger.expectGap({ reason: 'trimmed', channels: ['news'], to: late });
  two.process.kill('SIGCONT');
  await scene.more(20);
  scene.strays.resume(two.url);
  await scene.expectNothingLostInSilence();
  expect(scene.ledger.missing(scene.staying[0].names)).toEqual([]);
});
