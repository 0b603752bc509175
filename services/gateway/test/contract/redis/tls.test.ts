import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RedisAddress } from '../../../src/redis-address.ts';
import { withClient } from '../../support/redis.ts';
import { ACCOUNT, RIGHTS, setUser } from '../../support/redis-access.ts';
import { redisAddress } from '../../support/redis-address.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { startLocalRedis } from '../../support/redis-local.ts';
import { startSentinel } from '../../support/redis-sentinel.ts';
import { makeTls, type TestTls } from '../../support/redis-tls.ts';
import { until } from '../../support/until.ts';
import { openLogNode, startLogNode } from './node.ts';
import { channelsOf } from './steady.ts';

let tls: TestTls;

beforeAll(async () => {
  tls = await makeTls();
});

afterAll(() => tls.remove());

async function startStandalone() {
  let tlsPort = 0;
  const server = await startLocalRedis({}, async () => {
    const settings = await tls.settings();
    tlsPort = settings['tls-port'];
    return settings;
  });
  const redis = withClient(server);
  await setUser(redis.client, RIGHTS);
  const url = `rediss://${ACCOUNT}127.0.0.1:${tlsPort}`;
  return { restricted: redisAddress(url, 'standalone', tls.certificates), stop: redis.stop };
}

const deployments: Record<string, () => Promise<{ restricted: RedisAddress; stop(): Promise<void> }>> = {
  'one Redis': startStandalone,
  'a Redis Cluster': () => startRedisCluster({ tls }),
  Sentinels: () => startSentinel({ tls }),
};

test.each(Object.keys(deployments))('%s behind TLS, which asks for a certificate, and a user', async (name) => {
  const redis = await deployments[name]?.();
  if (redis === undefined) throw new Error(`there is no ${name}`);
  try {
    expect(redis.restricted.tls).toBe(tls.certificates);
    const partitions = 3;
    const node = await startLogNode(redis.restricted, { partitions });
    const channels = channelsOf(partitions);
    for (const channel of channels) await node.log.append({ channel, data: '1' });
    await until(() => node.ledger.data.length === partitions, 'the messages');
    for (const channel of channels) expect(await node.log.historyLast(channel, 1)).toHaveLength(1);
    await node.log.close();

    const stranger = { ...redis.restricted, tls: { ...tls.certificates, ca: undefined } };
    const other = openLogNode(stranger);
    const followed = other.log.follow(other.ledger, 0);
    await until(() => other.said.length > 0, 'a complaint about the certificate');
    expect(other.log.trouble).toBeDefined();
    await other.log.close();
    await followed;
  } finally {
    await redis.stop();
  }
});
