import { Redis } from 'ioredis';
import { closeConnection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';

/** How long one server may take to answer, milliseconds. */
const TIMEOUT_MS = 1_000;

/** How long its connection may take to say goodbye, milliseconds. */
const DISCONNECT_TIMEOUT_MS = 100;

/** Asks one server one thing, on a connection of its own that `signal` cuts. Rejects with what went wrong. */
export async function ask<T>(
  endpoint: Endpoint,
  connectionName: string,
  question: (redis: Redis) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const redis = new Redis({
    ...endpoint,
    lazyConnect: true,
    enableReadyCheck: false,
    connectionName,
    connectTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: () => null,
  });
  let reason: unknown;
  redis.on('error', (error) => {
    reason = error;
  });
  const cut = () => redis.disconnect();
  signal.addEventListener('abort', cut);
  try {
    await redis.connect();
    return await question(redis);
  } catch (error) {
    throw reason ?? error;
  } finally {
    signal.removeEventListener('abort', cut);
    await closeConnection(redis);
  }
}
