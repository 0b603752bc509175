import { expect, onTestFinished, test } from 'vitest';
import { partitionOf } from '../../src/message.ts';
import { CHANNELS, FaultScene, PUBLISHERS } from '../support/fault-scene.ts';
import type { TestRedis } from '../support/redis.ts';
import { startRedisCluster, type TestRedisCluster } from '../support/redis-cluster.ts';
import { startSentinel, type TestSentinel } from '../support/redis-sentinel.ts';
import { cutReplication } from '../support/replication.ts';
import { until } from '../support/until.ts';

const PARTITIONS = 4;

/** After how long a master is replaced: quickly when it was killed, and not at all while it lives. Milliseconds. */
const DOWN_AFTER = { dead: 1_000, alive: 60_000 };
/** The same in Redis Cluster. */
const NODE_TIMEOUT = { dead: 2_000, alive: 60_000 };

test('Sentinel: what a promoted replica had not got is told to everyone as a gap in its place', async () => {
  const redis = await sentinelForTest();
  const scene = await FaultScene.start({ REDIS_URL: redis.url, REDIS_MODE: 'sentinel' });
  await expectLossTold(scene, await sentinelVictim(redis));
});

test('Sentinel: with FANFARE_MIN_REPLICAS what was accepted survives the master, and reaches everyone', async () => {
  const redis = await sentinelForTest();
  const env = { REDIS_URL: redis.url, REDIS_MODE: 'sentinel', FANFARE_MIN_REPLICAS: '1' };
  const scene = await FaultScene.start(env);
  const { master, replace } = await sentinelVictim(redis);
  await cutReplication(master);
  await until(() => scene.refusals('not_replicated') >= 2 * PUBLISHERS, 'publishes to be refused', 60);
  scene.strays.close();
  // Taken by the old master and by no other, some messages were seen all the same; they are published again.
  scene.ledger.expectGap({ reason: 'rewound', channels: CHANNELS, due: false });
  await replace();
  await scene.more(20);
  await scene.ready();
  scene.strays.resume(scene.nodes[1].url);
  await scene.expectNothingLostInSilence();
  expect(scene.ledger.missing(scene.stayed)).toEqual([]);
});

test('Redis Cluster: what a promoted replica had not got is told as a gap, to those who follow its partitions', async () => {
  const redis = await clusterForTest();
  const env = { REDIS_URL: redis.url, REDIS_MODE: 'cluster', FANFARE_PARTITIONS: `${PARTITIONS}` };
  const scene = await FaultScene.start(env);
  await expectLossTold(scene, await clusterVictim(redis));
});

test('Redis Cluster: with FANFARE_MIN_REPLICAS what was accepted survives the master, and reaches everyone', async () => {
  const redis = await clusterForTest();
  const scene = await FaultScene.start({
    REDIS_URL: redis.url,
    REDIS_MODE: 'cluster',
    FANFARE_PARTITIONS: `${PARTITIONS}`,
    FANFARE_MIN_REPLICAS: '1',
  });
  const { master, channels, replace } = await clusterVictim(redis);
  await cutReplication(master);
  await until(() => scene.refusals('not_replicated') >= 2 * PUBLISHERS, 'publishes to be refused', 60);
  scene.strays.close();
  scene.ledger.expectGap({ reason: 'rewound', channels, due: false });
  await replace();
  // The one that was promoted has no replica but the old master.
  await master.start();
  await scene.more(20);
  await scene.ready();
  scene.strays.resume(scene.nodes[1].url);
  await scene.expectNothingLostInSilence();
  expect(scene.ledger.missing(scene.stayed)).toEqual([]);
});

async function sentinelForTest(): Promise<TestSentinel> {
  const redis = await startSentinel({ downAfterMs: DOWN_AFTER.alive });
  onTestFinished(() => redis.stop());
  return redis;
}

async function clusterForTest(): Promise<TestRedisCluster> {
  const redis = await startRedisCluster({ nodeTimeoutMs: NODE_TIMEOUT.alive });
  onTestFinished(() => redis.stop());
  return redis;
}

/** A master that is to be replaced by one of its replicas. */
interface Victim {
  readonly master: TestRedis;
  /** The channels that it has. */
  readonly channels: readonly string[];
  /** Kills it, and resolves when another is in its place. */
  replace(): Promise<void>;
}

/** Lets the master take what no replica gets, and then go: that is lost, and whoever should have got it is told. */
async function expectLossTold(scene: FaultScene, { master, channels, replace }: Victim): Promise<void> {
  await cutReplication(master);
  await scene.more(20);
  scene.strays.close();
  await scene.more(5);
  scene.ledger.expectGap({ reason: 'rewound', channels });
  await replace();
  await scene.more(20);
  await scene.ready();
  scene.strays.resume(scene.nodes[1].url);
  await scene.expectNothingLostInSilence();
  expect(scene.ledger.missing(scene.strays.names)).not.toEqual([]);
}

async function sentinelVictim(redis: TestSentinel): Promise<Victim> {
  const master = await redis.master();
  const replace = async () => {
    await redis.setDownAfter(DOWN_AFTER.dead);
    await master.kill();
    await until(async () => (await redis.master()) !== master, 'a replica to be promoted', 60);
    await redis.setDownAfter(DOWN_AFTER.alive);
  };
  return { master, channels: CHANNELS, replace };
}

/** The master of partition 0. */
async function clusterVictim(redis: TestRedisCluster): Promise<Victim> {
  const masterOf = (partition: number) => redis.masterOf(`fanfare:{p${partition}}:log`);
  const master = await masterOf(0);
  const channels: string[] = [];
  for (const channel of CHANNELS)
    if ((await masterOf(partitionOf(channel, PARTITIONS))) === master) channels.push(channel);
  expect(channels.length).toBeLessThan(CHANNELS.length);
  const replace = async () => {
    await redis.setNodeTimeout(NODE_TIMEOUT.dead);
    await master.kill();
    const others = redis.nodes.filter((node) => node !== master);
    await until(
      async () => {
        const maps = await Promise.all(others.map(({ client }) => client.cluster('SLOTS')));
        return maps.every((ranges) => ranges.every(([, , owner]) => owner?.[1] !== master.port));
      },
      'a replica to be promoted',
      60,
    );
    await redis.setNodeTimeout(NODE_TIMEOUT.alive);
  };
  return { master, channels, replace };
}
