import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Children } from '../child.ts';

const HOST = '127.0.0.1';
const POLL_MILLISECONDS = 20;
/** How long Redis has to start. */
const START_MILLISECONDS = 10_000;

export interface RedisServerOptions {
  /** True: every write is on the disk before it is answered (`appendfsync always`, as `npm run cluster` has it). False: no file. */
  readonly onDisk: boolean;
}

/** A redis-server of the bench's own, and a connection to look at it. */
export interface RedisServer {
  readonly url: string;
  readonly client: Redis;
  /** A figure of INFO. */
  figure(name: string): Promise<number>;
  /** How often each command has been called, by its name in INFO commandstats. */
  calls(): Promise<ReadonlyMap<string, number>>;
}

/** Starts the machine's redis-server on a free port, with a folder of its own. It ends with the children. */
export async function startRedisServer(children: Children, options: RedisServerOptions): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-bench-'));
  const port = await freePort();
  const child = spawn('redis-server', words(port, folder, options), { stdio: 'ignore', detached: true });
  const ended = once(child, 'exit').catch(() => undefined);
  const client = new Redis(port, HOST, { retryStrategy: () => POLL_MILLISECONDS });
  // Until it listens, every attempt to connect is one.
  client.on('error', () => {});
  children.add({
    async stop() {
      client.disconnect();
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  });
  const failed = ended.then(() => {
    throw new Error('redis-server does not start: this part of the bench needs it on the PATH');
  });
  const late = pause(START_MILLISECONDS, undefined, { ref: false }).then(() => {
    throw new Error('redis-server does not answer');
  });
  await Promise.race([client.ping(), failed, late]);
  failed.catch(() => {});
  late.catch(() => {});

  const info = async (section: string): Promise<Map<string, string>> => {
    const lines = (await client.info(section)).split('\r\n').filter((line) => /^\w[^:]*:/.test(line));
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
  };
  return {
    url: `redis://${HOST}:${port}`,
    client,
    async figure(name) {
      const value = Number((await info('everything')).get(name));
      if (Number.isNaN(value)) throw new Error(`Redis tells no ${name}`);
      return value;
    },
    async calls() {
      const stats = [...(await info('commandstats'))];
      return new Map(
        stats.map(([name, text]) => [name.replace('cmdstat_', ''), Number(/calls=(\d+)/.exec(text)?.[1])]),
      );
    },
  };
}

function words(port: number, folder: string, { onDisk }: RedisServerOptions): string[] {
  const all = {
    port: String(port),
    bind: HOST,
    dir: folder,
    save: '',
    'maxmemory-policy': 'noeviction',
    appendonly: onDisk ? 'yes' : 'no',
    appendfsync: 'always',
    // A rewrite of the file would fall into some rounds and not into others.
    'auto-aof-rewrite-percentage': '0',
  };
  return Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
