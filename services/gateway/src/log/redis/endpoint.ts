import type { RedisOptions } from 'ioredis';
import type { HostPort, RedisAddress } from '../../redis-address.ts';

/** How long a Sentinel may take to answer, milliseconds. */
const SENTINEL_TIMEOUT_MS = 1_000;

/** What leads to a Redis: where it is, and as whom this node comes. */
export type Endpoint = Pick<
  RedisOptions,
  | 'host'
  | 'port'
  | 'username'
  | 'password'
  | 'db'
  | 'tls'
  | 'sentinels'
  | 'name'
  | 'sentinelUsername'
  | 'sentinelPassword'
  | 'sentinelCommandTimeout'
  | 'sentinelTLS'
  | 'enableTLSForSentinelMode'
>;

/** Where tails read. */
export type TailFrom = 'master' | 'replica';

/** Where one session of a tail goes. */
export interface Located {
  readonly endpoint: Endpoint;
  /** True when each command must say that it knows that the slot is only on its way there (ASKING). */
  readonly asking: boolean;
  /** True when it is a replica: good for reads only, and maybe behind. */
  readonly replica: boolean;
  /** True when the connection must say first that what a replica has will do (READONLY). */
  readonly readonly: boolean;
  /** Tells when another master takes over, where that can be known; the answer ends it. */
  readonly watch?: (replaced: (by: HostPort) => void) => () => void;
}

/** Says where a partition's log can be read. */
export interface Locator {
  /**
   * Leads to the partition's master, or to one of its replicas where `from` says so and one can be used. `failure`: what
   * the session before this one ended with. Rejects while no master can be found.
   */
  locate(partition: number, failure: unknown, from: TailFrom): Promise<Located>;
}

/** Leads to that server. */
export function endpointAt({ host, port }: HostPort, address: RedisAddress): Endpoint {
  return { ...accountOf(address), host, port };
}

/** Leads to that Sentinel. */
export function sentinelAt({ host, port }: HostPort, { sentinel, tls }: RedisAddress): Endpoint {
  const { username, password } = sentinel ?? {};
  return { host, port, username, password, ...(tls === undefined ? {} : { tls: { ...tls } }) };
}

/** Leads to the one Redis, or to whichever the Sentinels say is the master at the time of connecting. */
export function endpointOf(address: RedisAddress): Endpoint {
  const { sentinel, nodes, tls } = address;
  const [only] = nodes;
  if (only === undefined) throw new Error('the address names no Redis');
  if (sentinel === undefined) return endpointAt(only, address);
  return {
    ...accountOf(address),
    sentinels: nodes.map(({ host, port }) => ({ host, port })),
    name: sentinel.master,
    sentinelUsername: sentinel.username,
    sentinelPassword: sentinel.password,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    ...(tls === undefined ? {} : { sentinelTLS: { ...tls }, enableTLSForSentinelMode: true }),
  };
}

function accountOf({ username, password, database, tls }: RedisAddress): Endpoint {
  return { username, password, db: database, ...(tls === undefined ? {} : { tls: { ...tls } }) };
}
