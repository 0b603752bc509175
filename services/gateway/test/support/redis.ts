import { Redis } from 'ioredis';
import { startDockerRedis } from './redis-docker.ts';
import { startLocalRedis } from './redis-local.ts';

export interface TestRedisOptions {
  /** When Redis writes its append-only file through to the disk. Default: `everysec`. */
  readonly fsync?: 'always' | 'everysec';
}

/** A real Redis of a test's own: append-only file, no snapshots, on an address that stays when it starts again. */
export interface TestRedis {
  readonly url: string;
  /** For what a test wants to look at or to spoil; connects again by itself. */
  readonly client: Redis;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, with its files, or (`empty`) without them. Resolves when it answers. */
  start(files?: 'kept' | 'empty'): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing answers. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): Promise<void>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/** What a tier does; TestRedis is this with a client. */
export type RedisServer = Omit<TestRedis, 'client'>;

type Tier = 'local' | 'docker';

/** TEST_REDIS: `local` (the machine's own redis-server; the default) or `docker` (testcontainers). */
export function redisTier(): Tier {
  const tier = process.env.TEST_REDIS ?? 'local';
  if (tier !== 'local' && tier !== 'docker') throw new Error(`TEST_REDIS is "${tier}": local or docker`);
  return tier;
}

/** Starts a Redis on the tier that TEST_REDIS chooses. */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const start = redisTier() === 'docker' ? startDockerRedis : startLocalRedis;
  return withClient(await start(options));
}

/** Adds a client to a Redis. */
export function withClient<Server extends RedisServer>(server: Server): Server & TestRedis {
  const client = new Redis(server.url, { retryStrategy: () => 50 });
  // It is meant to fail: tests kill this Redis.
  client.on('error', () => {});
  return {
    ...server,
    client,
    async stop() {
      client.disconnect();
      await server.stop();
    },
  };
}
