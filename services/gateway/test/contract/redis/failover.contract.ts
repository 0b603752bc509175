import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RedisAddress } from '../../../src/redis-address.ts';
import type { TestRedis } from '../../support/redis.ts';
import type { LocalRedis } from '../../support/redis-local.ts';
import { cutReplication } from '../../support/replication.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';
import { channelsOf, SteadyPublishers } from './steady.ts';

/** One of several. */
export type FailoverNode = LocalRedis & TestRedis;

/** Redis with replicas that take over. */
export interface FailoverRedis {
  readonly address: RedisAddress;
  /** The master of partition 0, and of those that are with it. */
  master(): Promise<FailoverNode>;
  /** One of its replicas. */
  replica(): Promise<FailoverNode>;
  /** Waits until another one is the master; the old one need not answer. */
  promoted(old: FailoverNode): Promise<void>;
  stop(): Promise<void>;
}

export interface FailoverOptions {
  readonly partitions: number;
  readonly tailFrom?: 'replica';
}

/** What a scenario works with. */
export interface FailoverScene<Redis extends FailoverRedis> {
  readonly redis: Redis;
  readonly nodes: readonly [LogNode, LogNode];
  readonly channels: readonly string[];
  readonly publishers: SteadyPublishers;
  /** Until all nodes are healthy. */
  healthy(): Promise<void>;
}

/**
 * What two nodes under load must come through when a master is replaced, whoever replaces it. The answer leads to the
 * scene of the test that runs.
 */
export function failoverContract<Redis extends FailoverRedis>(
  name: string,
  start: () => Promise<Redis>,
  { partitions, tailFrom }: FailoverOptions,
): () => FailoverScene<Redis> {
  const channels = channelsOf(partitions);
  let scene: FailoverScene<Redis>;
  const current = () => scene;

  beforeEach(async () => {
    const redis = await start();
    const open = () =>
      startLogNode(redis.address, { partitions, commandTimeoutMs: 1_000, ...(tailFrom && { tailFrom }) });
    const nodes: [LogNode, LogNode] = await Promise.all([open(), open()]);
    const publishers = new SteadyPublishers(nodes, channels);
    const healthy = () =>
      until(() => nodes.every(({ log }) => log.trouble === undefined), 'all nodes to be healthy', 60);
    scene = { redis, nodes, channels, publishers, healthy };
  });

  afterEach(async () => {
    await scene.publishers.abandon();
    await Promise.all(scene.nodes.map(({ log }) => log.close()));
    await scene.redis.stop();
  });

  const demoted = (old: FailoverNode) =>
    until(async () => (await old.client.role())[0] === 'slave', 'the old master to be a replica', 60);

  describe(name, () => {
    test('a master that is killed is replaced by a replica: nothing is lost in silence, doubled or out of order', async () => {
      const { redis, publishers, healthy } = scene;
      await publishers.more(20);
      const master = await redis.master();
      await master.kill();
      await redis.promoted(master);
      await publishers.more(20);
      await master.start();
      await demoted(master);
      await healthy();
      await publishers.more(20);
      console.info(`longest pause: ${publishers.longestPauseMs} ms`);
      await publishers.settle(partitions);
    });

    test('what a promoted replica had not got is told by a floor on every node, whoever published it', async () => {
      const { redis, nodes, publishers, healthy } = scene;
      await publishers.more(20);
      const master = await redis.master();
      await cutReplication(master);
      await publishers.more(20);
      await master.kill();
      await redis.promoted(master);
      await publishers.more(20);
      await healthy();
      await publishers.settle(partitions);
      for (const { ledger } of nodes) expect(ledger.floors(0).length).toBeGreaterThan(1);
    });

    test('a master that stands still is replaced, and does no harm when it goes on', async () => {
      const { redis, publishers, healthy } = scene;
      await publishers.more(20);
      const master = await redis.master();
      await master.pause();
      await redis.promoted(master);
      await publishers.more(20);
      await master.resume();
      await demoted(master);
      await healthy();
      await publishers.more(20);
      console.info(`longest pause: ${publishers.longestPauseMs} ms`);
      await publishers.settle(partitions);
    });

    test('a replica that is killed takes nothing along', async () => {
      const { redis, nodes, publishers, healthy } = scene;
      await publishers.more(20);
      const replica = await redis.replica();
      await replica.kill();
      await publishers.more(20);
      await replica.start();
      await healthy();
      await publishers.more(20);
      await publishers.settle(partitions);
      for (const { ledger } of nodes)
        for (let partition = 0; partition < partitions; partition++) expect(ledger.floors(partition)).toHaveLength(1);
    });
  });
  return current;
}
