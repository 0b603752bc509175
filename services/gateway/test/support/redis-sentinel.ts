import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { RedisAddress } from '../../src/redis-address.ts';
import { type TestRedis, withClient } from './redis.ts';
import { ACCOUNT, RIGHTS, setUser } from './redis-access.ts';
import { redisAddress } from './redis-address.ts';
import {
  freePort,
  type LocalProcess,
  type LocalRedis,
  launch,
  type RedisSettings,
  startLocalRedis,
} from './redis-local.ts';
import type { TestTls } from './redis-tls.ts';
import { until } from './until.ts';

const SENTINELS = 3;
const QUORUM = 2;
const MASTER = 'fanfare-test';
/** What the Sentinels want to hear from whoever asks them. */
const PASSWORD = 'sentinel&secret';

/** A Redis behind them; `port` is for the clear, `tlsPort` is there with TLS. */
export type SentinelNode = LocalRedis & TestRedis & { readonly tlsPort?: number };

/** A master with two replicas and three Sentinels of a test's own, all real processes on this machine. */
export interface TestSentinel {
  /** The master as it was at the start, then its replicas. */
  readonly nodes: readonly SentinelNode[];
  readonly address: RedisAddress;
  /** The same as a node's REDIS_URL. */
  readonly url: string;
  /** For a user with the least rights, which a node that is started again does not know any more. */
  readonly restricted: RedisAddress;
  /** Which node the Sentinels say is the master. */
  master(): Promise<SentinelNode>;
  /** Changes `downAfterMs`: a machine under load makes a living master look dead when that is short. */
  setDownAfter(milliseconds: number): Promise<void>;
  /** Forgets all data. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** How a test's Sentinels are set up. */
export interface TestSentinelOptions {
  /** After how long a master that does not answer is replaced. Default: 5,000. */
  readonly downAfterMs?: number;
  /** The address is then for TLS. */
  readonly tls?: TestTls;
}

/** Starts them all, and waits until each Sentinel knows the others and the replicas. */
export async function startSentinel(options: TestSentinelOptions = {}): Promise<TestSentinel> {
  const { tls } = options;
  const first = await startNode(tls, {});
  const replicaof = `127.0.0.1 ${first.tlsPort ?? first.port}`;
  const replicas = await Promise.all(Array.from({ length: 2 }, () => startNode(tls, { replicaof })));
  const nodes = [first, ...replicas];
  const sentinels: Sentinel[] = [];
  const stop = async () => {
    await Promise.all([...sentinels, ...nodes].map((each) => each.stop()));
  };
  try {
    await until(
      async () => (await first.client.info('replication')).includes(`connected_slaves:${replicas.length}`),
      'the replicas',
    );
    await Promise.all(nodes.map(({ client }) => setUser(client, RIGHTS)));
    for (let i = 0; i < SENTINELS; i++) sentinels.push(await startOne(first.tlsPort ?? first.port, options));
    for (const { client } of sentinels)
      await until(async () => {
        const state = await client.call('SENTINEL', 'MASTER', MASTER);
        const fields = new Map(pairs(state));
        const replicas = (await client.call('SENTINEL', 'REPLICAS', MASTER)) as unknown[];
        const linked = replicas.filter((replica) => new Map(pairs(replica)).get('master-link-status') === 'ok');
        return linked.length === 2 && fields.get('num-other-sentinels') === String(SENTINELS - 1);
      }, 'a Sentinel to know all others');
  } catch (error) {
    await stop();
    throw error;
  }
  const master = async () => {
    const reply = await sentinels[0]?.client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER);
    const port = Array.isArray(reply) ? Number(reply[1]) : Number.NaN;
    const found = nodes.find((node) => (node.tlsPort ?? node.port) === port);
    if (found === undefined) throw new Error('the Sentinels know of no master');
    return found;
  };
  const list = sentinels.map(({ port, tlsPort = port }) => `127.0.0.1:${tlsPort}`).join(',');
  const scheme = tls === undefined ? 'redis' : 'rediss';
  const place = `${list}/?master=${MASTER}&sentinelPassword=${encodeURIComponent(PASSWORD)}`;
  return {
    nodes,
    url: `${scheme}://${place}`,
    address: redisAddress(`${scheme}://${place}`, 'sentinel', tls?.certificates),
    restricted: redisAddress(`${scheme}://${ACCOUNT}${place}`, 'sentinel', tls?.certificates),
    master,
    async setDownAfter(milliseconds) {
      const settings = Object.entries(downAfter(milliseconds)).flat();
      for (const { client } of sentinels) await client.call('SENTINEL', 'SET', MASTER, ...settings);
    },
    async flush() {
      await (await master()).client.flushall();
    },
    stop,
  };
}

async function startNode(tls: TestTls | undefined, more: RedisSettings): Promise<SentinelNode> {
  let tlsPort: number | undefined;
  const server = await startLocalRedis({}, async () => {
    const secure = await tls?.settings();
    tlsPort = secure?.['tls-port'];
    return { 'repl-diskless-sync-delay': 0, ...secure, ...more };
  });
  return { ...withClient(server), ...(tlsPort === undefined ? {} : { tlsPort }) };
}

interface Sentinel {
  readonly port: number;
  readonly tlsPort?: number;
  readonly client: Redis;
  stop(): Promise<void>;
}

async function startOne(masterPort: number, { downAfterMs = 5_000, tls }: TestSentinelOptions): Promise<Sentinel> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-sentinel-'));
  const file = join(folder, 'sentinel.conf');
  let port = 0;
  let tlsPort: number | undefined;
  let process: LocalProcess | undefined;
  while (process === undefined) {
    port = await freePort();
    const secure = await tls?.settings();
    tlsPort = secure?.['tls-port'];
    const lines = [
      ...Object.entries(secure ?? {}).map((setting) => setting.join(' ')),
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `requirepass ${PASSWORD}`,
      `sentinel sentinel-pass ${PASSWORD}`,
      `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} ${QUORUM}`,
      ...Object.entries(downAfter(downAfterMs)).map(([name, value]) => `sentinel ${name} ${MASTER} ${value}`),
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    process = await launch(port, [file, '--sentinel']);
  }
  const running = process;
  const client = new Redis({ host: '127.0.0.1', port, password: PASSWORD, retryStrategy: () => 50 });
  client.on('error', () => {});
  return {
    port,
    ...(tlsPort === undefined ? {} : { tlsPort }),
    client,
    async stop() {
      client.disconnect();
      await running.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function downAfter(milliseconds: number): RedisSettings {
  // A failover that did not succeed is tried again after twice its time-out.
  return { 'down-after-milliseconds': milliseconds, 'failover-timeout': 5 * milliseconds };
}

/** Names and values in turn, as pairs. */
function pairs(flat: unknown): [string, string][] {
  const words = Array.isArray(flat) ? flat.map(String) : [];
  return words.flatMap((word, i): [string, string][] => (i % 2 === 0 ? [[word, words[i + 1] ?? '']] : []));
}
