import type { Redis } from 'ioredis';
import type { Children } from '../child.ts';
import { HISTORY_SIZE, type LogChild, startLogProcess } from './processes.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';

/** Bytes of Redis' memory (used_memory) for each message, by what holds it. */
export interface MessageBytes {
  readonly dataBytes: number;
  readonly log: number;
  readonly history: number;
  readonly idempotencyKey: number;
}

/** Bytes of Redis' memory for each channel whose history has so many messages; its key is part of it. */
export interface ChannelBytes {
  readonly messages: number;
  readonly bytes: number;
}

export interface MemoryFigures {
  readonly messages: readonly MessageBytes[];
  readonly channels: readonly ChannelBytes[];
}

const DATA_BYTES = [100, 1024, 4096];
/** For the bytes per message: long histories, so that it is the message that counts. */
const MESSAGES = 5_000;
const CHANNELS = 20;
const HISTORY_MESSAGES = [1, 3, 10, 100];
/** Of the messages in the histories that are measured by the channel. */
export const CHANNEL_DATA_BYTES = 100;
const MOST_CHANNELS = 2_000;
const MOST_MESSAGES = 20_000;
const DELETED_AT_ONCE = 500;

/** Measures a Redis of its own, without a file: what is on the disk takes no memory. The caller stops the children. */
export async function measureMemory(children: Children): Promise<MemoryFigures> {
  const redis = await startRedisServer(children, { onDisk: false });
  const writer = await startLogProcess(children, 'the process that appends', redis.url);
  await writer.ask('close', undefined);
  const messages: MessageBytes[] = [];
  for (const dataBytes of DATA_BYTES) messages.push(await messageBytes(writer, redis, dataBytes));
  const channels: ChannelBytes[] = [];
  for (const count of HISTORY_MESSAGES) channels.push(await channelBytes(writer, redis, count));
  return { messages, channels };
}

async function messageBytes(writer: LogChild, redis: RedisServer, dataBytes: number): Promise<MessageBytes> {
  const empty = await fillAnew(writer, redis, { channels: CHANNELS, messages: MESSAGES, dataBytes, keyed: true });
  const full = await redis.figure('used_memory');
  await deleteAll(redis.client, '*:once:*');
  const withoutKeys = await redis.figure('used_memory');
  await deleteAll(redis.client, '*:history:*');
  const logAlone = await redis.figure('used_memory');
  return {
    dataBytes,
    log: (logAlone - empty) / MESSAGES,
    history: (withoutKeys - logAlone) / MESSAGES,
    idempotencyKey: (full - withoutKeys) / MESSAGES,
  };
}

async function channelBytes(writer: LogChild, redis: RedisServer, messages: number): Promise<ChannelBytes> {
  const channels = Math.min(MOST_CHANNELS, MOST_MESSAGES / messages);
  const request = { channels, messages: messages * channels, dataBytes: CHANNEL_DATA_BYTES, keyed: false };
  await fillAnew(writer, redis, request);
  const full = await redis.figure('used_memory');
  await deleteAll(redis.client, '*:history:*');
  return { messages, bytes: (full - (await redis.figure('used_memory'))) / channels };
}

/** Fills an empty Redis; resolves to what it took when it was empty, but had carried out the scripts once. */
async function fillAnew(
  writer: LogChild,
  redis: RedisServer,
  request: { channels: number; messages: number; dataBytes: number; keyed: boolean },
): Promise<number> {
  await writer.ask('open', { url: redis.url, historySize: HISTORY_SIZE });
  await writer.ask('fill', { ...request, messages: 1 });
  await redis.client.flushall('SYNC');
  // Its connections take memory too.
  await writer.ask('close', undefined);
  const empty = await redis.figure('used_memory');
  await writer.ask('open', { url: redis.url, historySize: HISTORY_SIZE });
  await writer.ask('fill', request);
  await writer.ask('close', undefined);
  return empty;
}

/** Deletes the keys of a pattern, as DEL does: at once. */
async function deleteAll(client: Redis, pattern: string): Promise<void> {
  const keys = await client.keys(pattern);
  for (let i = 0; i < keys.length; i += DELETED_AT_ONCE) await client.del(...keys.slice(i, i + DELETED_AT_ONCE));
}
