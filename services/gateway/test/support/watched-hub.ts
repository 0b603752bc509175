import { expect } from 'vitest';
import type { History } from '../../src/hub/history.ts';
import { Hub } from '../../src/hub/hub.ts';
import { createEmbeddedLog } from '../../src/log/embedded/embedded-log.ts';
import type { Log } from '../../src/log/log.ts';
import type { Message } from '../../src/message.ts';
import type { Metrics } from '../../src/metrics/metrics.ts';
import { silentLogger, silentMetrics } from './silent.ts';
import { until } from './until.ts';

export interface WatchedHubOptions {
  /** So little by default that every replay needs the history. */
  readonly recentBytes?: number;
  /** The hub's own: milliseconds since 1970. */
  readonly clock?: () => number;
  /** When a message expires, as if its publisher had said so. */
  readonly expiresMs?: (message: Message) => number | undefined;
  readonly metrics?: Metrics;
}

/** A hub on a log whose history can be made to wait, and counts what it is asked. */
export interface WatchedHub {
  readonly hub: Hub;
  readonly log: Log;
  readonly history: History;
  readonly reads: {
    /** How often the history was asked for messages. */
    count: number;
    /** Makes every read that begins from now on wait until what is returned is called. */
    hold(): () => void;
  };
  /** Resolves to the last message's id when the tail has brought it. */
  append(channel: string, ...data: string[]): Promise<string>;
  /** The same for many, each on the channel at its place or all on one; resolves to all ids. */
  appendAll(channels: string | readonly string[], data: readonly string[]): Promise<string[]>;
}

export async function startWatchedHub(options: WatchedHubOptions = {}): Promise<WatchedHub> {
  const { recentBytes = 1, clock = Date.now, expiresMs, metrics = silentMetrics() } = options;
  const logger = silentLogger();
  const log = createEmbeddedLog({ partitions: 1, historySize: 5000, historyTtlSeconds: 3600, logger, metrics });
  const expiring = (messages: readonly Message[]): Message[] =>
    messages.map((message) => {
      const when = expiresMs?.(message);
      return when === undefined ? message : { ...message, expiresMs: when };
    });
  let held: Promise<void> = Promise.resolve();
  const reads = {
    count: 0,
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
  };
  const history: History = {
    partitions: 1,
    source: 'redis',
    async historyAfter(channel, after, limit) {
      reads.count++;
      await held;
      const page = await log.historyAfter(channel, after, limit);
      return { ...page, messages: expiring(page.messages) };
    },
    async historyLast(channel, limit) {
      reads.count++;
      await held;
      return expiring(await log.historyLast(channel, limit));
    },
    end: (partition) => log.end(partition),
  };
  const hub = new Hub(history, recentBytes, metrics, logger, clock);
  await log.follow(
    {
      floor: (partition, floor) => hub.floor(partition, floor),
      deliver: (partition, messages, position) => hub.deliver(partition, expiring(messages), position),
      skipped: (partition, after, position) => hub.skipped(partition, after, position),
    },
    recentBytes,
  );
  const appendAll = async (channels: string | readonly string[], data: readonly string[]): Promise<string[]> => {
    const channelAt = (i: number): string => (typeof channels === 'string' ? channels : (channels[i] ?? ''));
    const outcomes = await log.appendMany(data.map((each, i) => ({ channel: channelAt(i), data: each })));
    const ids = outcomes.map((outcome) =>
      outcome instanceof Error ? expect.unreachable(outcome.message) : outcome.id,
    );
    await until(() => hub.position(0) === ids.at(-1), 'the tail');
    return ids;
  };
  const append = async (channel: string, ...data: string[]): Promise<string> =>
    (await appendAll(channel, data)).at(-1) ?? expect.unreachable('nothing was appended');
  return { hub, log, history, reads, append, appendAll };
}
