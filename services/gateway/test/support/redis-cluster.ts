import type { RedisAddress } from '../../src/redis-address.ts';
import { type TestRedis, withClient } from './redis.ts';
import { ACCOUNT, CLUSTER_RIGHTS, RIGHTS, setUser } from './redis-access.ts';
import { redisAddress } from './redis-address.ts';
import { freePort, type LocalRedis, startLocalRedis } from './redis-local.ts';
import type { TestTls } from './redis-tls.ts';
import { until } from './until.ts';

const MASTERS = 3;
const SLOTS = 16_384;

/** A node of it; `port` is for the clear, `tlsPort` is there with TLS. */
export type ClusterNode = LocalRedis & TestRedis & { readonly tlsPort?: number };

/** A Redis Cluster of a test's own, of real processes on this machine: three masters with a replica each. */
export interface TestRedisCluster {
  /** The masters as they were at the start, then their replicas in the same order. */
  readonly nodes: readonly ClusterNode[];
  /** For a user with the least rights, which a node that is started again does not know any more. */
  readonly restricted: RedisAddress;
  readonly address: RedisAddress;
  /** The same as a node's REDIS_URL. */
  readonly url: string;
  /** Which of the nodes that run is the master for that key. */
  masterOf(key: string): Promise<ClusterNode>;
  /** Changes `nodeTimeoutMs`, on the nodes that run: a machine under load makes living ones look dead when that is short. */
  setNodeTimeout(milliseconds: number): Promise<void>;
  /** Forgets all data. */
  flush(): Promise<void>;
  /** Moves the slot of that key, with what is in it, to another master; `meanwhile` runs when all keys have moved. */
  moveSlot(key: string, to: ClusterNode, meanwhile?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** How a test's cluster is set up. */
export interface TestClusterOptions {
  /** After how long a node that does not answer is replaced (cluster-node-timeout). Default: 5,000. */
  readonly nodeTimeoutMs?: number;
  /** The address is then for TLS. */
  readonly tls?: TestTls;
}

/** Starts a cluster, and waits until every node knows all others and the replicas have their data. */
export async function startRedisCluster(options: TestClusterOptions = {}): Promise<TestRedisCluster> {
  const { tls } = options;
  const nodes = await Promise.all(Array.from({ length: 2 * MASTERS }, () => startNode(options)));
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    await form(nodes);
    await Promise.all(nodes.map(({ client }) => setUser(client, [...RIGHTS, ...CLUSTER_RIGHTS])));
  } catch (error) {
    await stop();
    throw error;
  }

  async function masterOf(key: string): Promise<ClusterNode> {
    for (const node of nodes) {
      const slot = await node.client.cluster('KEYSLOT', key).catch(() => undefined);
      if (slot === undefined) continue;
      const ranges = await node.client.cluster('SLOTS');
      const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2]?.[1];
      const master = nodes.find((candidate) => candidate.port === port);
      if (master !== undefined) return master;
    }
    throw new Error(`no node knows a master for ${key}`);
  }

  const list = nodes.map(({ port, tlsPort = port }) => `127.0.0.1:${tlsPort}`).join(',');
  const scheme = tls === undefined ? 'redis' : 'rediss';
  return {
    nodes,
    url: `${scheme}://${list}`,
    address: redisAddress(`${scheme}://${list}`, 'cluster', tls?.certificates),
    restricted: redisAddress(`${scheme}://${ACCOUNT}${list}`, 'cluster', tls?.certificates),
    masterOf,
    async setNodeTimeout(milliseconds) {
      const running = nodes.filter(({ client }) => client.status === 'ready');
      await Promise.all(running.map(({ client }) => client.config('SET', 'cluster-node-timeout', milliseconds)));
    },
    async flush() {
      for (const { client } of nodes) if ((await client.role())[0] === 'master') await client.flushall();
    },
    async moveSlot(key, to, meanwhile = async () => {}) {
      const from = await masterOf(key);
      const slot = await from.client.cluster('KEYSLOT', key);
      const [fromId, toId] = await Promise.all([idOf(from), idOf(to)]);
      await to.client.cluster('SETSLOT', slot, 'IMPORTING', fromId);
      await from.client.cluster('SETSLOT', slot, 'MIGRATING', toId);
      for (;;) {
        const keys = await from.client.cluster('GETKEYSINSLOT', slot, 10);
        if (keys.length === 0) break;
        await from.client.migrate('127.0.0.1', to.port, '', 0, 10_000, 'KEYS', ...keys);
      }
      await meanwhile();
      for (const node of [to, from]) await node.client.cluster('SETSLOT', slot, 'NODE', toId);
    },
    stop,
  };
}

async function startNode({ nodeTimeoutMs = 5_000, tls }: TestClusterOptions): Promise<ClusterNode> {
  let tlsPort: number | undefined;
  const server = await startLocalRedis({}, async () => {
    const secure = await tls?.settings();
    tlsPort = secure?.['tls-port'];
    return {
      'cluster-enabled': 'yes',
      'cluster-config-file': 'nodes.conf',
      'cluster-node-timeout': nodeTimeoutMs,
      'cluster-port': await freePort(),
      'repl-diskless-sync-delay': 0,
      // A replica is listed when it has got something; until then these pings are all there is.
      'repl-ping-replica-period': 1,
      // A promoted replica without a replica of its own serves all the same.
      'cluster-allow-replica-migration': 'no',
      ...(secure === undefined ? {} : { ...secure, 'tls-cluster': 'yes' }),
    };
  });
  return { ...withClient(server), ...(tlsPort === undefined ? {} : { tlsPort }) };
}

/** Gives the masters their slots, makes all nodes known to one another, and the second half replicas of the first. */
async function form(nodes: readonly ClusterNode[]): Promise<void> {
  await Promise.all(nodes.map(({ client }, i) => client.cluster('SET-CONFIG-EPOCH', i + 1)));
  for (let i = 0; i < MASTERS; i++) {
    const from = Math.floor((i * SLOTS) / MASTERS);
    const to = Math.floor(((i + 1) * SLOTS) / MASTERS) - 1;
    await nodes[i]?.client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
  }
  for (const { client, port, tlsPort = port } of nodes) {
    const [, busPort] = (await client.config('GET', 'cluster-port')) as string[];
    // Everyone is introduced to everyone: word of mouth takes seconds.
    for (const other of nodes)
      if (other.client !== client) await other.client.call('CLUSTER', 'MEET', '127.0.0.1', tlsPort, busPort ?? '');
  }
  const everywhere = (what: string, wanted: string) =>
    until(async () => {
      const infos = await Promise.all(nodes.map(({ client }) => client.cluster('INFO')));
      return infos.every((info) => info.includes(wanted));
    }, what);
  await everywhere('all nodes to know one another', `cluster_known_nodes:${nodes.length}`);
  await Promise.all(
    nodes.slice(MASTERS).map(async ({ client }, i) => {
      const master = await idOf(nodes[i] as ClusterNode);
      const replicate = () =>
        client.cluster('REPLICATE', master).then(
          () => true,
          () => false,
        );
      // Nodes that have been introduced know each other's names only after a handshake.
      await until(replicate, 'a replica to take its master');
    }),
  );
  await until(async () => {
    const infos = await Promise.all(nodes.slice(MASTERS).map(({ client }) => client.info('replication')));
    return infos.every((info) => info.includes('master_link_status:up'));
  }, 'the replicas to have their data');
  await everywhere('the cluster to be whole', 'cluster_state:ok');
  await until(async () => {
    const maps = await Promise.all(nodes.map(({ client }) => client.cluster('SLOTS')));
    return maps.every((ranges) => ranges.length === MASTERS && ranges.every((range) => range.length === 4));
  }, 'every node to know the replicas');
}

async function idOf({ client }: ClusterNode): Promise<string> {
  return String(await client.cluster('MYID'));
}
