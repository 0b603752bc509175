import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { until } from '../../../services/gateway/test/support/until.ts';
import { type Cluster, type ClusterOptions, startCluster } from '../../cluster/cluster.ts';
import { isAlive } from './processes.ts';

/** The runner by itself, with a stand-in for the nodes; Redis and NGINX are real. */
const nodeEntry = fileURLToPath(new URL('stand-in-node.ts', import.meta.url));

let temporary: string;
let cluster: Cluster | undefined;
let lines: string[];

// A place of this run's own for temporary folders, so that what is left there is known to be its own.
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'fanfare-test-'));
  await chmod(temporary, 0o711);
  vi.stubEnv('TMPDIR', temporary);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(temporary, { recursive: true, force: true });
});

async function start(options: ClusterOptions = {}): Promise<Cluster> {
  lines = [];
  const onLine = (name: string, line: string) => lines.push(`${name}: ${line}`);
  cluster = await startCluster({ nodes: 2, nodeEntry, onLine, onProgress: (line) => lines.push(line), ...options });
  return cluster;
}

afterEach(async () => {
  await cluster?.abandon();
  cluster = undefined;
});

/** What a node behind the edge says of itself. */
async function ask(url: string): Promise<{ name: string; env: Record<string, string> }> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return (await response.json()) as { name: string; env: Record<string, string> };
}

const pids = (of: Cluster) => of.names.map((name) => of.pid(name) ?? -1);
const folders = () => readdir(temporary);

test('every part serves, and is named with its process and address', async () => {
  const it = await start();
  expect(it.names).toEqual(['redis', 'node-1', 'node-2', 'nginx']);
  for (const name of it.names)
    expect(
      lines.some((line) => line.startsWith(name) && line.includes(`pid ${it.pid(name)} `)),
      name,
    ).toBe(true);
  expect(it.nodes.map((node) => node.url)).toEqual([
    `http://127.0.0.1:${it.port + 1}`,
    `http://127.0.0.1:${it.port + 2}`,
  ]);
  const names = new Set<string>();
  for (let i = 0; i < 4; i++) names.add((await ask(it.url)).name);
  expect([...names].sort()).toEqual(['node-1', 'node-2']);
});

test('nodes get their settings, those of the caller, and nothing else of its environment', async () => {
  const it = await start({ nodes: 1, env: { FANFARE_HISTORY_SIZE: '7', LOG_LEVEL: 'debug' } });
  const { env } = await ask(it.url);
  expect(env).toMatchObject({
    PORT: String(it.port + 1),
    ADMIN_PORT: String(it.port + 101),
    HOST: '127.0.0.1',
    REDIS_URL: it.redisUrl,
    FANFARE_NODE_NAME: 'node-1',
    FANFARE_CONSOLE: 'on',
    FANFARE_TRUSTED_PROXIES: '127.0.0.1',
    FANFARE_HISTORY_SIZE: '7',
    LOG_LEVEL: 'debug',
  });
  expect(env).not.toHaveProperty('VITEST');
});

test('a part that dies is started again, each on its own address', async () => {
  const it = await start();
  const before = new Map(it.names.map((name) => [name, it.pid(name)]));
  for (const name of it.names) {
    await it.kill(name);
    await it.start(name);
    expect(it.pid(name)).not.toBe(before.get(name));
    expect(lines.some((line) => line.startsWith(`cluster: ${name} was ended by SIGKILL`))).toBe(true);
    expect(lines.some((line) => line.startsWith(`cluster: ${name} is back: pid ${it.pid(name)}`))).toBe(true);
  }
  expect((await ask(it.url)).name).toMatch(/^node-[12]$/);
});

test('an NGINX whose master alone was killed comes back: its workers do not keep the port', async () => {
  const it = await start({ nodes: 1 });
  process.kill(it.pid('nginx') ?? 0, 'SIGKILL');
  await until(() => lines.some((line) => line.startsWith('cluster: nginx is back')), 'NGINX to be back');
  expect((await ask(it.url)).name).toBe('node-1');
});

test('with restart off a dead part stays away until it is started', async () => {
  const it = await start({ restart: false });
  await it.kill('node-1');
  expect(it.pid('node-1')).toBeUndefined();
  await until(() => lines.includes('cluster: node-1 was ended by SIGKILL; it is left as it is'), 'the line about it');
  for (let i = 0; i < 4; i++) expect((await ask(it.url)).name).toBe('node-2');
  await it.start('node-1');
  await until(async () => (await ask(it.url)).name === 'node-1', 'node-1 to be used again');
});

test("Redis comes back with what it had: its log is written to a file of the cluster's", async () => {
  const it = await start({ nodes: 1, restart: false });
  const { Redis } = await import('ioredis');
  const client = new Redis(it.redisUrl);
  try {
    await client.xadd('log', '1-1', 'data', 'kept');
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    await it.kill('redis', 'SIGTERM');
    await it.start('redis');
    expect(await client.xrange('log', '-', '+')).toEqual([['1-1', ['data', 'kept']]]);
  } finally {
    client.disconnect();
  }
});

test('stopping drains the nodes first and leaves no process and no file', async () => {
  const it = await start();
  expect(await folders()).toHaveLength(1);
  const running = pids(it);
  await it.stop();
  cluster = undefined;
  expect(running.filter(isAlive)).toEqual([]);
  expect(await folders()).toEqual([]);
  const ends = lines.map((line, i) => (/drains$|ready to exit/.test(line) ? i : -1)).filter((i) => i >= 0);
  expect(ends.map((i) => lines[i]?.split(':')[0])).toEqual([
    expect.stringMatching(/^node/),
    expect.stringMatching(/^node/),
    'redis',
  ]);
});

test('a node that does not leave can be ended with everything else', async () => {
  const it = await start({ nodes: 1, env: { FANFARE_STAND_IN: 'hangs' } });
  const running = pids(it);
  const stopping = it.stop();
  await until(() => lines.includes('node-1: node-1 drains'), 'the node to be asked');
  await it.abandon();
  await stopping;
  expect(running.filter(isAlive)).toEqual([]);
});

test('a node that cannot start is told in one line with its own words, and nothing is left running', async () => {
  const failure = await start({ env: { FANFARE_STAND_IN: 'fails' } }).catch((error: Error) => error);
  expect(failure).toBeInstanceOf(Error);
  expect((failure as Error).message).toMatch(
    /^node-[12] ended with exit code 1 while it was starting: the configuration has a mistake: FANFARE_STAND_IN$/,
  );
  const started = lines.map((line) => /^redis +pid (\d+)/.exec(line)?.[1]).find((pid) => pid !== undefined);
  expect(isAlive(Number(started))).toBe(false);
  expect(await folders()).toEqual([]);
});

test('giving up while it starts leaves nothing behind', async () => {
  const giveUp = new AbortController();
  const started: number[] = [];
  const onProgress = (line: string) => {
    started.push(Number(/pid (\d+)/.exec(line)?.[1]));
    giveUp.abort();
  };
  await expect(startCluster({ nodes: 2, nodeEntry, signal: giveUp.signal, onProgress })).rejects.toThrow();
  expect(started.length).toBeGreaterThan(0);
  expect(started.filter(isAlive)).toEqual([]);
  expect(await folders()).toEqual([]);
});

test('two clusters live side by side', async () => {
  const [one, other] = await Promise.all([start({ nodes: 1 }), startCluster({ nodes: 1, nodeEntry })]);
  try {
    expect((await ask(one.url)).env.REDIS_URL).toBe(one.redisUrl);
    expect((await ask(other.url)).env.REDIS_URL).toBe(other.redisUrl);
    expect(one.redisUrl).not.toBe(other.redisUrl);
  } finally {
    await other.abandon();
  }
});

test('a number of nodes that makes no sense is refused', async () => {
  await expect(startCluster({ nodes: 0 })).rejects.toThrow('a cluster has 1 to 16 nodes');
  await expect(startCluster({ nodes: 17 })).rejects.toThrow('a cluster has 1 to 16 nodes');
});
