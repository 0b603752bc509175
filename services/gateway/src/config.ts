import { hostname } from 'node:os';
import { AUTH_SETTINGS, type AuthSettings, readAuth, type SubjectLimits } from './config-auth.ts';
import { Environment, oneOf } from './environment.ts';
import { MAX_TTL_SECONDS } from './message.ts';
import {
  certificateProblem,
  isPair,
  privateKeyProblem,
  REDIS_MODES,
  type RedisAddress,
  type RedisMode,
  readRedisUrl,
} from './redis-address.ts';
import { proxyProblem } from './request/client-address.ts';
import { originProblem } from './request/origins.ts';
import { type Kept, MAX_HISTORY_SIZE, type Retention, readNamespaces } from './retention.ts';

/** Everything that can be set, checked and frozen. Names carry their units. */
export interface Config extends SubjectLimits {
  readonly port: number;
  readonly adminPort: number;
  readonly host: string;
  /** Undefined: the embedded log, for one node. */
  readonly redis: RedisAddress | undefined;
  readonly logLevel: string;
  readonly nodeName: string;
  readonly partitions: number;
  readonly retention: Retention;
  /** Replicas of Redis that must have a message before its publisher is answered. */
  readonly minReplicas: number;
  /** Where a node reads the log from. */
  readonly tailFrom: 'master' | 'replica';
  readonly recentBytes: number;
  readonly heartbeatIntervalSeconds: number;
  readonly heartbeatTimeoutSeconds: number;
  readonly maxConnections: number;
  /** 0: no limit. */
  readonly maxConnectionsPerIp: number;
  /** 0: no limit. */
  readonly maxConnectionAgeSeconds: number;
  readonly maxChannelsPerConnection: number;
  readonly maxMessageBytes: number;
  readonly maxBacklogBytes: number;
  readonly maxClientRatePerSecond: number;
  readonly handshakeTimeoutSeconds: number;
  readonly drainSeconds: number;
  readonly compression: boolean;
  readonly allowedOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  /** Undefined: everybody may do everything, and SubjectLimits are 0. */
  readonly auth: AuthSettings | undefined;
  readonly console: boolean;
}

/** Every mistake in the environment, in one message. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
  }
}

const KiB = 1024;
const MiB = 1024 * KiB;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

const MAX_CONNECTIONS = 50_000;
/** What a process has open besides its public port's sockets. */
const OTHER_FILES = 100;

/** However few connections there may be, so many more can be told that the node is full. */
const SPARE_SOCKETS = 50;

/**
 * Sockets that the public port may have: its connections, and a tenth more and some for publishers, pages being loaded, and
 * requests that are refused.
 */
export function maxSockets(maxConnections: number): number {
  return Math.ceil(1.1 * maxConnections) + SPARE_SOCKETS;
}

/**
 * Reads the configuration from environment variables; `NAME_FILE` reads `NAME` from a file. `openFiles`: how many the process
 * may have. Throws ConfigError, which names every bad value, and every `FANFARE_` variable that is not known.
 */
export function readConfig(env: NodeJS.ProcessEnv, openFiles = Number.POSITIVE_INFINITY): Config {
  const source = new Environment(env, (name) => AUTH_SETTINGS.has(name) || /^REDIS_(URL|KEY)$/.test(name));
  const host = source.text('HOST', '127.0.0.1', hostProblem);
  const loopback = isLoopback(host);
  const access = readAuth(source, loopback || hostProblem(host) !== undefined ? undefined : host);
  // Below the 30–60 s after which common proxies and mobile networks forget a silent connection.
  const heartbeatIntervalSeconds = source.seconds('FANFARE_HEARTBEAT_INTERVAL', 25, 0.2, 3600);
  const config: Config = Object.freeze({
    port: source.integer('PORT', 8080, 0, 65_535),
    adminPort: source.integer('ADMIN_PORT', 8081, 0, 65_535),
    host,
    redis: readRedis(source),
    logLevel: source.text('LOG_LEVEL', 'info', oneOf(LOG_LEVELS)),
    nodeName: source.text(
      'FANFARE_NODE_NAME',
      hostname()
        .replace(/[^A-Za-z0-9_.-]/g, '-')
        .slice(0, 63) || 'node',
      nodeNameProblem,
    ),
    // All partitions of a cluster must be set alike: the number decides where a namespace lives.
    partitions: source.integer('FANFARE_PARTITIONS', 1, 1, 64),
    retention: readRetention(source),
    minReplicas: source.integer('FANFARE_MIN_REPLICAS', 0, 0, 100),
    tailFrom:
      source.text('FANFARE_TAIL_FROM', 'master', oneOf(['master', 'replica'])) === 'replica' ? 'replica' : 'master',
    recentBytes: source.integer('FANFARE_RECENT_BYTES', 64 * MiB, MiB, 16 * 1024 * MiB),
    heartbeatIntervalSeconds,
    heartbeatTimeoutSeconds: source.seconds(
      'FANFARE_HEARTBEAT_TIMEOUT',
      Math.min(10, heartbeatIntervalSeconds / 2),
      0.1,
      // Known to be dead before it is asked again.
      heartbeatIntervalSeconds * 0.9,
    ),
    // At about 6 KB each, 300 MB of memory; fewer where the system allows fewer open files.
    maxConnections: source.integer(
      'FANFARE_MAX_CONNECTIONS',
      Math.max(1, Math.min(MAX_CONNECTIONS, Math.floor((openFiles - OTHER_FILES - SPARE_SOCKETS) / 1.1))),
      1,
      10_000_000,
    ),
    // Off: a whole company may come from one address, and behind a proxy that is not trusted everybody does.
    maxConnectionsPerIp: source.integer('FANFARE_MAX_CONNECTIONS_PER_IP', 0, 0, 10_000_000),
    maxConnectionAgeSeconds: source.seconds('FANFARE_MAX_CONNECTION_AGE', 0, 0, 31_536_000),
    maxChannelsPerConnection: source.integer('FANFARE_MAX_CHANNELS_PER_CONNECTION', 100, 1, 10_000),
    maxMessageBytes: source.integer('FANFARE_MAX_MESSAGE_BYTES', 64 * KiB, KiB, 4 * MiB),
    maxBacklogBytes: source.integer('FANFARE_MAX_BACKLOG_BYTES', MiB, 64 * KiB, 1024 * MiB),
    // Frames, and KiB of messages, of one WebSocket client, with ten seconds' worth at once: room for a service that publishes
    // much, and a few hundredths of a core for one that only floods.
    maxClientRatePerSecond: source.integer('FANFARE_MAX_CLIENT_RATE', 1000, 1, 1_000_000),
    handshakeTimeoutSeconds: source.seconds('FANFARE_HANDSHAKE_TIMEOUT', 10, 0.1, 300),
    drainSeconds: source.seconds('FANFARE_DRAIN_SECONDS', 30, 0, 3600),
    compression: source.text('FANFARE_COMPRESSION', 'on', oneOf(['on', 'off'])) === 'on',
    allowedOrigins: source.list('FANFARE_ALLOWED_ORIGINS', originProblem),
    trustedProxies: source.list('FANFARE_TRUSTED_PROXIES', proxyProblem),
    ...access,
    console: source.text('FANFARE_CONSOLE', loopback ? 'on' : 'off', oneOf(['on', 'off'])) === 'on',
  });
  if (config.maxConnectionAgeSeconds > 0 && config.maxConnectionAgeSeconds < heartbeatIntervalSeconds)
    source.problem(
      'FANFARE_MAX_CONNECTION_AGE must be 0, or at least FANFARE_HEARTBEAT_INTERVAL: it is told at heartbeats',
    );
  const neededFiles = maxSockets(config.maxConnections) + OTHER_FILES;
  if (neededFiles > openFiles && openFiles > OTHER_FILES)
    source.problem(
      `FANFARE_MAX_CONNECTIONS=${config.maxConnections} needs ${neededFiles} open files, and this process may have ${openFiles}: raise that (ulimit -n), or lower it`,
    );
  if (config.minReplicas > 0 && config.redis === undefined)
    source.problem('FANFARE_MIN_REPLICAS needs REDIS_URL: the embedded log has no replicas');
  if (config.tailFrom === 'replica' && config.redis?.mode !== 'sentinel' && config.redis?.mode !== 'cluster')
    source.problem(
      'FANFARE_TAIL_FROM=replica needs REDIS_MODE=sentinel or REDIS_MODE=cluster, which know the replicas',
    );
  if (config.port !== 0 && config.port === config.adminPort) source.problem('PORT and ADMIN_PORT must differ');
  source.refuseUnknown();
  if (source.problems.length > 0) throw new ConfigError(source.problems);
  return config;
}

function hostProblem(value: string): string | undefined {
  return /^[A-Za-z0-9.:-]+$/.test(value)
    ? undefined
    : `must be a host name or an IP address, not ${JSON.stringify(value)}`;
}

function nodeNameProblem(value: string): string | undefined {
  return /^[A-Za-z0-9_.-]{1,63}$/.test(value) ? undefined : 'must be 1–63 characters of A–Z a–z 0–9 _ . -';
}

function readRetention(source: Environment): Retention {
  const others: Kept = {
    // Messages kept per channel.
    historySize: source.integer('FANFARE_HISTORY_SIZE', 1000, 1, MAX_HISTORY_SIZE),
    // A day: a laptop that slept over night resumes without a gap.
    historyTtlSeconds: source.integer('FANFARE_HISTORY_TTL', 86_400, 1, MAX_TTL_SECONDS),
  };
  const rules = source.text('FANFARE_RETENTION', '', () => undefined);
  const namespaces = readNamespaces(rules, others, (problem) => source.problem(`FANFARE_RETENTION: ${problem}`));
  return { ...others, namespaces };
}

/** Undefined: there is no REDIS_URL. Its value is never repeated: it may hold a password. */
function readRedis(source: Environment): RedisAddress | undefined {
  const url = source.text('REDIS_URL', '', () => undefined);
  const text = source.text('REDIS_MODE', 'standalone', oneOf(REDIS_MODES));
  const mode: RedisMode = REDIS_MODES.find((known) => known === text) ?? 'standalone';
  const ca = source.text('REDIS_CA', '', certificateProblem);
  const cert = source.text('REDIS_CERT', '', certificateProblem);
  const key = source.text('REDIS_KEY', '', privateKeyProblem);
  for (const [name, value] of Object.entries({ REDIS_CA: ca, REDIS_CERT: cert, REDIS_KEY: key }))
    if (value !== '' && !url.startsWith('rediss://'))
      source.problem(`${name} is for TLS: REDIS_URL must begin with rediss://`);
  if ((cert === '') !== (key === '')) source.problem('REDIS_CERT and REDIS_KEY go together: set both or none');
  else if (
    cert !== '' &&
    certificateProblem(cert) === undefined &&
    privateKeyProblem(key) === undefined &&
    !isPair(cert, key)
  )
    source.problem('REDIS_KEY is not the key of REDIS_CERT');
  if (url === '') return undefined;
  const certificates = { ca: ca || undefined, cert: cert || undefined, key: key || undefined };
  return readRedisUrl(url, mode, certificates, (problem) => source.problem(`REDIS_URL: ${problem}`));
}

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
