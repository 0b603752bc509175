import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisServer, TestRedisOptions } from './redis.ts';
import { untilRedisAnswers } from './redis-ping.ts';

const HOST = '127.0.0.1';
const APPEND_FOLDER = 'appendonlydir';

/** Below the ports that the system hands out for outgoing connections: a killed Redis finds its port free again. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** Settings of Redis by their names in redis.conf. */
export type RedisSettings = Readonly<Record<string, string | number>>;

/** How a test's Redis on this machine is set up. */
export interface LocalRedisOptions extends TestRedisOptions {
  /** Environment variables besides those of the test. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A Redis on this machine. */
export interface LocalRedis extends RedisServer {
  readonly port: number;
}

/**
 * Starts the machine's own redis-server in a folder of its own. `more`: settings besides those of all tests, asked for with
 * each attempt to find free ports.
 */
export async function startLocalRedis(
  options: LocalRedisOptions,
  more: (port: number) => Promise<RedisSettings> = async () => ({}),
): Promise<LocalRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-redis-'));
  let port = 0;
  let words: string[] = [];
  let process: LocalProcess | undefined;
  while (process === undefined) {
    port = await freePort();
    words = [...redisArguments(port, folder, options), ...argumentsOf(await more(port))];
    // Undefined when somebody else took a port in between.
    process = await launch(port, words, options.env);
  }
  let running = process;
  return {
    url: `redis://${HOST}:${port}`,
    port,
    kill: () => running.end('SIGKILL'),
    async start(files = 'kept') {
      if (files === 'empty') await rm(join(folder, APPEND_FOLDER), { recursive: true, force: true });
      const next = await launch(port, words, options.env);
      if (next === undefined) throw new Error(`redis-server does not start again on port ${port}`);
      running = next;
    },
    pause: async () => running.signal('SIGSTOP'),
    resume: async () => running.signal('SIGCONT'),
    async stop() {
      await running.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A process of redis-server. */
export interface LocalProcess {
  signal(signal: NodeJS.Signals): void;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Starts redis-server, and waits until it answers. Undefined when a port was taken. `env`: variables besides our own. */
export async function launch(
  port: number,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<LocalProcess | undefined> {
  const child = spawn('redis-server', words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...globalThis.process.env, ...env },
  });
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-4_000);
    });
  const ended = endOf(child);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const answers = await untilRedisAnswers(HOST, port, () => hasEnded).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  if (!answers) {
    const error = await ended;
    if (/address already in use/i.test(said)) return undefined;
    if (error?.code === 'ENOENT') throw new Error('these tests need redis-server on the PATH (or TEST_REDIS=docker)');
    throw new Error(`redis-server ended: ${error?.message ?? said}`);
  }
  return {
    signal: (signal) => child.kill(signal),
    async end(signal) {
      if (!hasEnded) child.kill(signal);
      await ended;
    },
  };
}

function endOf(child: ChildProcess): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    child.once('error', resolve);
    child.once('exit', () => resolve(undefined));
  });
}

/** How a test's Redis is set up, on both tiers. */
export function redisArguments(port: number, folder: string, { fsync = 'everysec' }: TestRedisOptions): string[] {
  const settings = { port, dir: folder, save: '', appendonly: 'yes', appendfsync: fsync, appenddirname: APPEND_FOLDER };
  return argumentsOf(settings);
}

function argumentsOf(settings: RedisSettings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const server = createServer().listen(port, HOST);
    const free = await Promise.race([
      once(server, 'listening').then(() => true),
      new Promise<boolean>((resolve) => server.once('error', () => resolve(false))),
    ]).catch(() => false);
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
