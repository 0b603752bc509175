import { isIP, type Socket } from 'node:net';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { HostPort } from '../../redis-address.ts';
import { backoffMs } from './backoff.ts';
import { connectionTrouble, type Denials } from './denials.ts';
import type { Endpoint } from './endpoint.ts';
import { notConnected, reasonOf } from './failure.ts';
import type { ScriptCommands, Scripts } from './scripts.ts';

/** Connecting takes at most this long, milliseconds. */
const CONNECT_TIMEOUT_MS = 3_000;

/** Redis reads its files when it starts; it is asked this often, at least, whether it is done. Milliseconds. */
const MAX_LOADING_RETRY_MS = 500;

/** How long a connection that we close may take to say goodbye before it is cut. Milliseconds. */
const DISCONNECT_TIMEOUT_MS = 100;

/** A connection that knows the scripts. */
export type LogRedis = Redis & ScriptCommands;

/** What all connections of a log have in common. */
export interface ConnectionSettings {
  /** Shown by CLIENT LIST, with the connection's purpose. */
  readonly clientName: string;
  readonly scripts: Scripts;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** What Redis said to connections that it does not let in. */
  readonly denials: Denials;
}

/**
 * Sends a command. `begin` is to be called right before it, each time that it is sent: where the slot is only on its way to
 * that server, each command must say that it knows (ASKING).
 */
export type Command<T> = (connection: CommandConnection, begin: () => void) => Promise<T>;

/** The connections for commands of one kind. */
export interface Commands {
  /** True while every partition can be reached. */
  readonly ready: boolean;
  /** Why one cannot, in a line; undefined while they are ready. */
  readonly trouble: string | undefined;
  /** Resolves when that is so for the first time, or when they are closed. */
  readonly untilReady: Promise<void>;
  /**
   * Runs a command on a connection to the master that holds the partition; again on another one, where Redis says that
   * it did nothing and who does it. Rejects with `log_unavailable` when there is no connection to send it on, else with
   * what the command failed with.
   */
  run<T>(partition: number, command: Command<T>): Promise<T>;
  /** Lets go of them; commands in flight are rejected. */
  close(): Promise<void>;
}

type Options = Omit<RedisOptions, 'replyMapping'>;

function connection(settings: ConnectionSettings, endpoint: Endpoint, purpose: string, options: Options): LogRedis {
  return new Redis({
    ...endpoint,
    ...options,
    connectionName: `${settings.clientName}:${purpose}`,
    scripts: settings.scripts,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: MAX_LOADING_RETRY_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    // What cannot be sent now fails now: the caller is told, and nothing runs later behind its back.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
  }) as LogRedis;
}

/**
 * A connection for one session of a tail: it is not made again when it breaks. `connect()` opens it. It counts as dead,
 * and is cut, when a command has waited `silenceMs` for a sign of life.
 */
export function sessionConnection(
  settings: ConnectionSettings,
  endpoint: Endpoint,
  purpose: string,
  silenceMs: number,
): LogRedis {
  return connection(settings, endpoint, purpose, {
    lazyConnect: true,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    socketTimeout: silenceMs,
  });
}

/**
 * Ends a connection that leads elsewhere than to the new master. One that is being made is let be: ioredis would not try
 * again. A master that is told by its name is taken to be the one that is connected where the port is the same.
 */
export function leaveFor({ host, port }: HostPort, redis: Redis, reconnect: boolean): void {
  if (redis.status !== 'connect' && redis.status !== 'ready') return;
  const { remoteAddress, remotePort } = redis.stream as Socket;
  if (remotePort === port && (remoteAddress === host || isIP(host) === 0)) return;
  redis.disconnect(reconnect);
}

/** Closes a connection; resolves when its socket is gone. */
export async function closeConnection(redis: Redis): Promise<void> {
  // Between two attempts there is no socket, and ioredis tells of no end.
  const gone = redis.status === 'end' || redis.status === 'wait' || redis.status === 'reconnecting';
  const ended = gone ? Promise.resolve() : new Promise<void>((resolve) => redis.once('end', () => resolve()));
  redis.disconnect();
  await ended;
}

/**
 * The connection for one kind of command, made again for ever when it breaks. Commands in flight at that moment are
 * rejected, and never sent again: a script may have run, and only the caller knows whether it may run twice.
 */
export class CommandConnection implements Commands {
  readonly redis: LogRedis;
  readonly #settings: ConnectionSettings;
  readonly #purpose: string;
  #lastError = '';
  /** What went wrong since there was a connection. */
  #reason = '';
  #state: 'new' | 'ready' | 'lost' = 'new';
  readonly #firstReady = Promise.withResolvers<void>();
  #corked = false;
  #closed = false;

  /** `timeoutMs`: how long a command may take. A connection that is silent for as long is cut and made again. */
  constructor(settings: ConnectionSettings, endpoint: Endpoint, purpose: string, timeoutMs: number) {
    this.#settings = settings;
    this.#purpose = purpose;
    this.redis = connection(settings, endpoint, purpose, {
      commandTimeout: timeoutMs,
      // A little later, so that the commands fail by their own time-out and not by a cut that hides which one was slow.
      socketTimeout: timeoutMs + 500,
      maxRetriesPerRequest: 0,
      retryStrategy: backoffMs,
      sentinelRetryStrategy: backoffMs,
      // After a failover this may still lead to the old master: connecting again finds the new one.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    });
    this.redis.on('error', (error) => {
      this.#lastError = reasonOf(error);
      this.#reason = this.#lastError;
      settings.metrics.logError('connect');
    });
    this.redis.on('ready', () => this.#became('ready'));
    this.redis.on('close', () => this.#became('lost'));
  }

  get ready(): boolean {
    return this.redis.status === 'ready';
  }

  get trouble(): string | undefined {
    return this.ready ? undefined : connectionTrouble(this.#reason);
  }

  get untilReady(): Promise<void> {
    return this.#firstReady.promise;
  }

  run<T>(_partition: number, command: Command<T>, asking = false): Promise<T> {
    // What is wrong with ASKING, the command itself will say.
    const begin = () => void (asking && this.redis.asking().catch(() => {}));
    return this.ready ? command(this, begin) : Promise.reject(notConnected());
  }

  /**
   * Call before a command: all that this turn of the event loop sends then goes out in one write. Measured on two cores
   * with 256 appends at once: 48,000 a second, against 20,000 with a write for each and 28,000 with ioredis' own
   * pipelining, which waits for one batch's reply before it sends the next.
   */
  gather(): void {
    if (this.#corked || !this.ready) return;
    const { stream } = this.redis;
    this.#corked = true;
    stream.cork();
    setImmediate(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#firstReady.resolve();
    await closeConnection(this.redis);
  }

  /** Closes it when the commands in flight have been answered, or given up. */
  async retire(): Promise<void> {
    this.#closed = true;
    this.#firstReady.resolve();
    await this.redis.quit().catch(() => {});
    await closeConnection(this.redis);
  }

  #became(state: 'ready' | 'lost'): void {
    const { logger, denials } = this.#settings;
    const denied = state === 'lost' && denials.heard(this.#lastError);
    if (state === this.#state || this.#closed) return;
    this.#state = state;
    const fields = { connection: this.#purpose };
    if (state === 'ready') {
      this.#reason = '';
      this.#firstReady.resolve();
      logger.info(fields, 'connected to Redis');
    } else if (!denied) logger.warn({ ...fields, reason: this.#lastError }, 'no connection to Redis; trying again');
    this.#lastError = '';
  }
}
