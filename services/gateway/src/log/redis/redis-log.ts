import type { Logger } from '../../logger.ts';
import type { Message, NewMessage } from '../../message.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { RedisAddress } from '../../redis-address.ts';
import { longestTtlSeconds, type Retention } from '../../retention.ts';
import type { Appended, HistoryPage, Log, TailListener } from '../log.ts';
import type { SharedState } from '../shared-state.ts';
import { Appender } from './appender.ts';
import type { CommandConnection, Commands, ConnectionSettings } from './connection.ts';
import { Denials } from './denials.ts';
import { createDeployment, type Deployment } from './deployment.ts';
import type { TailFrom } from './endpoint.ts';
import { HistoryReader } from './history-reader.ts';
import { RedisSharedState } from './redis-shared-state.ts';
import { Replication } from './replication.ts';
import { loadScripts } from './scripts.ts';
import { TAIL_TIMING, Tail, type TailTiming } from './tail/tail.ts';

/**
 * Entries that a partition's log holds, at least (Redis trims whole nodes of its tree: `MAXLEN ~`). It has to cover what
 * tails miss while they are away, and what a node reads at its start; older messages are in the histories.
 */
const LOG_SIZE = 100_000;

/** How long one command may take, milliseconds. */
const COMMAND_TIMEOUT_MS = 5_000;

export interface RedisLogOptions extends Retention {
  readonly address: RedisAddress;
  /** ≥ 1, and the same on every node. */
  readonly partitions: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Replicas that must have a message before its append is answered. Default: 0. */
  readonly minReplicas?: number;
  /** How this node's connections are named in CLIENT LIST; no spaces. Default: `fanfare`. */
  readonly clientName?: string;
  /** Entries that each partition's log holds, at least. Default: 100,000. */
  readonly logSize?: number;
  /** Default: 5,000. */
  readonly commandTimeoutMs?: number;
  readonly tailTiming?: TailTiming;
  /** Where tails read. `replica` needs Sentinels or a Cluster. Default: `master`. */
  readonly tailFrom?: TailFrom;
}

/** The shared log on Redis Streams (Redis 7 or newer). Connects at once, and for ever again. */
export function createRedisLog(options: RedisLogOptions): Log {
  return new RedisLog(options);
}

/**
 * Appends and reads of histories have a connection each: a page of history can be megabytes, and a reconnect storm asks
 * for many, while a publish must not wait behind their replies. Every tail has its own, as its reads block.
 */
class RedisLog implements Log {
  readonly partitions: number;
  readonly source = 'redis';
  readonly shared: SharedState;
  readonly #options: RedisLogOptions;
  readonly #settings: ConnectionSettings;
  readonly #deployment: Deployment;
  readonly #publishing: Commands;
  readonly #reading: Commands;
  readonly #appender: Appender;
  readonly #history: HistoryReader;
  #tails: readonly Tail[] = [];
  #closed = false;

  constructor(options: RedisLogOptions) {
    const { address, partitions, logger, metrics, commandTimeoutMs = COMMAND_TIMEOUT_MS } = options;
    const { clientName = 'fanfare', minReplicas = 0, logSize = LOG_SIZE } = options;
    this.partitions = partitions;
    this.#options = options;
    this.#settings = { clientName, logger, metrics, scripts: loadScripts(), denials: new Denials(logger) };
    this.#deployment = createDeployment(address, this.#settings, partitions);
    this.#publishing = this.#deployment.commands('publish', commandTimeoutMs, (connection) => {
      connection.redis.on('ready', () => void this.#warnOfEviction(connection));
    });
    this.#reading = this.#deployment.commands('history', commandTimeoutMs);
    const replication = minReplicas > 0 ? new Replication(minReplicas, commandTimeoutMs, this.#settings) : undefined;
    const appending = { partitions, retention: options, logSize, replication };
    this.#appender = new Appender(this.#publishing, appending, this.#settings, (partition, held) =>
      this.#tails[partition]?.appended(held),
    );
    // Beside appends, not behind pages of history; but where appends wait for replicas, all that comes behind them would.
    const swift = replication === undefined ? this.#publishing : this.#reading;
    this.shared = new RedisSharedState(swift, partitions, this.#settings);
    this.#history = new HistoryReader(this.#reading, partitions, options, this.#settings);
  }

  get trouble(): string | undefined {
    const connections = this.#publishing.trouble ?? this.#reading.trouble;
    if (connections !== undefined || this.#tails.length === 0) return connections ?? 'the log is not followed yet';
    for (const { trouble } of this.#tails) if (trouble !== undefined) return trouble;
    return undefined;
  }

  async follow(listener: TailListener, recentBytes: number): Promise<void> {
    if (this.#closed) return;
    const { logSize = LOG_SIZE, tailTiming: timing = TAIL_TIMING, tailFrom: from = 'master' } = this.#options;
    this.#tails = Array.from({ length: this.partitions }, (_, partition) => {
      const settings = {
        connection: this.#settings,
        locator: this.#deployment,
        from,
        // Not the one for appends: that may have to wait for replicas.
        master: this.#reading,
        partition,
        historyTtlSeconds: longestTtlSeconds(this.#options),
        logSize,
        timing,
      };
      return new Tail(settings, listener, recentBytes / this.partitions);
    });
    await Promise.all(this.#tails.map((tail) => tail.begun));
    await Promise.all([this.#publishing.untilReady, this.#reading.untilReady]);
  }

  append(message: NewMessage): Promise<Appended> {
    return this.#appender.append(message);
  }

  /** All go out in one write, so that they are one round trip. */
  appendMany(messages: readonly NewMessage[]): Promise<readonly (Appended | Error)[]> {
    return Promise.all(messages.map((message) => this.#appender.append(message).catch((error: Error) => error)));
  }

  historyAfter(channel: string, after: string, limit: number): Promise<HistoryPage> {
    return this.#history.after(channel, after, limit);
  }

  historyLast(channel: string, limit: number): Promise<readonly Message[]> {
    return this.#history.last(channel, limit);
  }

  end(partition: number): Promise<string> {
    return this.#history.end(partition);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([
      this.#deployment.close(),
      ...this.#tails.map((tail) => tail.close()),
      this.#publishing.close(),
      this.#reading.close(),
    ]);
  }

  /** A Redis that evicts keys when its memory is full loses histories without a trace: no gap would be told. */
  async #warnOfEviction({ redis }: CommandConnection): Promise<void> {
    // An account that may not ask (ACL) is no reason not to work.
    const info = await redis.info('memory').catch(() => '');
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    const limit = /^maxmemory:(\d+)/m.exec(info)?.[1];
    if (policy === undefined || policy === 'noeviction' || limit === '0') return;
    this.#options.logger.error({ policy }, 'Redis may evict histories: set its maxmemory-policy to noeviction');
  }
}
