import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

export const REDIS_MODES = ['standalone', 'sentinel', 'cluster'] as const;
export type RedisMode = (typeof REDIS_MODES)[number];

/** Where one process listens. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

interface Account {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** Certificates as PEM texts. */
export interface RedisTls {
  /** Who signed the servers' certificates; undefined: one of those that Node trusts. */
  readonly ca: string | undefined;
  /** What this node shows of itself, where the servers ask for it; both or none. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Where Redis is, and as whom this node comes. */
export interface RedisAddress extends Account {
  readonly mode: RedisMode;
  /** `standalone`: the one. `sentinel`: the Sentinels. `cluster`: some of its nodes; they tell of the others. */
  readonly nodes: readonly HostPort[];
  readonly database: number;
  /** Undefined: in the clear. */
  readonly tls: RedisTls | undefined;
  /** For `sentinel`: the name of the master that the Sentinels watch, and as whom they are asked. */
  readonly sentinel: (Account & { readonly master: string }) | undefined;
}

/** `redis[s]://[[user]:password@]host[:port][,host[:port]…][/database][?name=value&…]` */
const FORM = /^(rediss?):\/\/(?:([^?]*)@)?([^@/?#]+)(?:\/(\d{0,5}))?(?:\?([^#]*))?$/;
const NODE = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d{1,5}))?$/;

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

/**
 * Reads a REDIS_URL. What is wrong with it goes to `problem`, without any of the values: they may be passwords. What
 * comes back then is of no use.
 */
export function readRedisUrl(
  url: string,
  mode: RedisMode,
  certificates: RedisTls,
  problem: (text: string) => void,
): RedisAddress {
  const [, protocol, account = '', list = '', database = '', query = ''] = FORM.exec(url) ?? [];
  if (protocol === undefined) problem('must be a URL like redis://127.0.0.1:6379 (or rediss:// for TLS)');
  const decode = (text: string): string | undefined => {
    try {
      return decodeURIComponent(text) || undefined;
    } catch {
      problem('has a % that begins no encoded character: write it as %25');
      return undefined;
    }
  };
  const colon = account.indexOf(':');
  const [user, secret] = colon < 0 ? [account, ''] : [account.slice(0, colon), account.slice(colon + 1)];
  if (user !== '' && secret === '') problem('names a user without a password');

  const nodes = list.split(',').flatMap((text): HostPort[] => {
    const [, host, port = mode === 'sentinel' ? SENTINEL_PORT : REDIS_PORT] = NODE.exec(text) ?? [];
    if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535)
      return [{ host: host.replace(/^\[|\]$/g, ''), port: Number(port) }];
    if (protocol !== undefined) problem('must name its hosts as host or host:port, separated by commas');
    return [];
  });
  if (mode === 'standalone' && nodes.length > 1)
    problem('names several hosts: that needs REDIS_MODE=cluster or REDIS_MODE=sentinel');
  if (mode === 'cluster' && Number(database) !== 0) problem('names a database: a Redis Cluster has only number 0');

  const parameters = new URLSearchParams(query);
  const sentinel = readSentinel(parameters);
  const known = mode === 'sentinel' ? SENTINEL_PARAMETERS : [];
  for (const name of parameters.keys())
    if (!known.includes(name))
      problem(
        SENTINEL_PARAMETERS.includes(name)
          ? `has the parameter ${name}, which is for REDIS_MODE=sentinel`
          : 'has an unknown parameter',
      );
  if (mode === 'sentinel' && protocol !== undefined && sentinel.master === '')
    problem('must name the master that the Sentinels watch: redis://sentinel-a:26379,sentinel-b:26379/?master=name');

  return {
    mode,
    nodes,
    username: decode(user),
    password: decode(secret),
    database: Number(database),
    tls: protocol === 'rediss' ? certificates : undefined,
    sentinel: mode === 'sentinel' ? sentinel : undefined,
  };
}

const SENTINEL_PARAMETERS = ['master', 'sentinelUsername', 'sentinelPassword'];

function readSentinel(parameters: URLSearchParams): NonNullable<RedisAddress['sentinel']> {
  return {
    master: parameters.get('master') ?? '',
    username: parameters.get('sentinelUsername') ?? undefined,
    password: parameters.get('sentinelPassword') ?? undefined,
  };
}

/** What is wrong with a certificate in PEM; undefined when nothing is. */
export function certificateProblem(pem: string): string | undefined {
  if (pem === '') return undefined;
  try {
    new X509Certificate(pem);
    return undefined;
  } catch {
    return 'is no certificate in PEM';
  }
}

/** What is wrong with a private key in PEM; undefined when nothing is. */
export function privateKeyProblem(pem: string): string | undefined {
  if (pem === '') return undefined;
  try {
    createPrivateKey(pem);
    return undefined;
  } catch {
    return 'is no private key in PEM without a passphrase';
  }
}

/** True when the key belongs to the certificate. Both are fine by themselves. */
export function isPair(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key });
    return true;
  } catch {
    return false;
  }
}
