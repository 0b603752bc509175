import type { Children } from '../child.ts';
import { channelName } from './fill.ts';
import { startLogProcess } from './processes.ts';
import { startRedisServer } from './redis-server.ts';
import { perSecond, type Timed } from './timed.ts';

/** A Redis that holds so many channels of a few messages each. */
export interface ManyChannels {
  readonly channels: number;
  readonly messagesPerChannel: number;
  readonly fillSeconds: number;
  /** used_memory and used_memory_rss, bytes. */
  readonly usedBytes: number;
  readonly residentBytes: number;
  /** Of used_memory, per channel: the log and all else included. */
  readonly bytesPerChannel: number;
  /** Appends a second by batches of 1000 while it was filled, the first twentieth and the last. */
  readonly firstAppends: number;
  readonly lastAppends: number;
  /** Channels whose whole history was read, a second, one after another, in no order. */
  readonly replays: number;
}

const MESSAGES_PER_CHANNEL = 3;
export const MANY_DATA_BYTES = 100;
const REPLAYED_CHANNELS = 10_000;
const REPLAY_MILLISECONDS = 2000;
const STEPS = 20;

/** Fills a Redis of its own, with its file on the disk, and looks at it. The caller stops the children. */
export async function measureManyChannels(children: Children, channels: number): Promise<ManyChannels> {
  const redis = await startRedisServer(children, { onDisk: true });
  const child = await startLogProcess(children, 'the process that appends', redis.url);
  await child.ask('fill', { channels: 1, messages: 1, dataBytes: MANY_DATA_BYTES });
  await redis.client.flushall('SYNC');
  const empty = await redis.figure('used_memory');

  const messages = (channels * MESSAGES_PER_CHANNEL) / STEPS;
  const steps: Timed[] = [];
  // Step by step, so that none takes longer than an answer may.
  for (let step = 0; step < STEPS; step++) {
    const had = Math.round(step * messages);
    const until = Math.round((step + 1) * messages);
    steps.push(await child.ask('fill', { channels, had, messages: until - had, dataBytes: MANY_DATA_BYTES }));
  }
  const [usedBytes, residentBytes] = [await redis.figure('used_memory'), await redis.figure('used_memory_rss')];
  // A prime that divides no round number: far apart from one another, and none twice before all were there.
  const numbers = Array.from({ length: REPLAYED_CHANNELS }, (_, i) => (i * 7919) % channels);
  const request = { channels: numbers.map(channelName), milliseconds: REPLAY_MILLISECONDS };
  const replayed = await child.ask('replay', request);
  return {
    channels,
    messagesPerChannel: MESSAGES_PER_CHANNEL,
    fillSeconds: steps.reduce((sum, { milliseconds }) => sum + milliseconds / 1000, 0),
    usedBytes,
    residentBytes,
    bytesPerChannel: (usedBytes - empty) / channels,
    firstAppends: perSecond(steps.slice(0, 1)),
    lastAppends: perSecond(steps.slice(-1)),
    replays: perSecond([replayed]) / MESSAGES_PER_CHANNEL,
  };
}
