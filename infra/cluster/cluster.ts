import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificate, selfSigned } from './certificate.ts';
import { Guardian } from './guardian.ts';
import { NGINX, type Provided, provide, REDIS } from './install.ts';
import { thisMachine } from './machine.ts';
import { maxBodyBytes, nginxPart, streamTimeoutSeconds } from './nginx.ts';
import { nodePart } from './node.ts';
import { ClusterError, type Part } from './part.ts';
import { ReopenablePipe } from './pipe.ts';
import { choosePorts, type Ports } from './ports.ts';
import { redisPart } from './redis.ts';
import { Supervisor, type Surroundings } from './supervisor.ts';

export const MAX_NODES = 16;

export interface ClusterOptions {
  /** How many nodes: 1–16, 3 unless given. */
  readonly nodes?: number;
  /** The edge's port; nodes get the next ones, their admin ports a hundred further on. A free block unless given. */
  readonly port?: number;
  /** A free one unless given. */
  readonly redisPort?: number;
  /** Clients come by https, over HTTP/2 and HTTP/1.1, with a certificate made for this run. Off unless true. */
  readonly tls?: boolean;
  /** Start a part again that died by itself. On unless false. */
  readonly restart?: boolean;
  /** Settings for the nodes: `FANFARE_*` and LOG_LEVEL. */
  readonly env?: Readonly<Record<string, string>>;
  /** NGINX's timeout for streams; what fits the heartbeat in `env` unless given. */
  readonly streamTimeoutSeconds?: number;
  /** Where Redis and NGINX come from; found or installed unless given. */
  readonly programs?: { readonly redis: Provided; readonly nginx: Provided };
  /** Another program in place of the gateway. */
  readonly nodeEntry?: string;
  /** Gets every line that a part writes; from `cluster` what happens to the parts. */
  readonly onLine?: (name: string, line: string) => void;
  /** Gets a line for people: each part when it serves, and what is being done meanwhile. */
  readonly onProgress?: (line: string) => void;
  /** Gives up starting. What has been started is stopped. */
  readonly signal?: AbortSignal;
}

export interface NodeAddress {
  readonly name: string;
  readonly url: string;
  readonly adminUrl: string;
}

/** A cluster that serves. Its parts are called `redis`, `node-1` …, and `nginx`. */
export interface Cluster {
  /** The edge: `http://127.0.0.1:8080`, with TLS `https://…`. */
  readonly url: string;
  /** With TLS: the PEM file of the edge's certificate, which nobody has signed. */
  readonly certificate: string | undefined;
  readonly port: number;
  readonly redisUrl: string;
  readonly nodes: readonly NodeAddress[];
  readonly names: readonly string[];
  /** The part's process, or undefined while it has none. Of a part in Docker it is the client's. */
  pid(name: string): number | undefined;
  /** Sends a signal to the part and waits until it has ended. SIGKILL, unless given, takes its children along. */
  kill(name: string, signal?: NodeJS.Signals): Promise<void>;
  /** Sends a signal that does not end the part (SIGSTOP, SIGCONT, SIGHUP). */
  signal(name: string, signal: NodeJS.Signals): Promise<void>;
  /** Starts a part that is down, or waits for one that is on its way back, until it serves. */
  start(name: string): Promise<void>;
  /** Stops everything in order: the nodes drain, then NGINX, then Redis. Leaves no process and no file. */
  stop(): Promise<void>;
  /** Ends everything at once. Leaves no process and no file. */
  abandon(): Promise<void>;
}

/**
 * Starts Redis, nodes and NGINX on this machine and waits until all of them serve.
 * Throws ClusterError with one line when something cannot be had; nothing is left running then.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const nodes = options.nodes ?? 3;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES)
    throw new ClusterError(`a cluster has 1 to ${MAX_NODES} nodes`);
  // What is taken is said before anything is installed; and looked at again below, as installing takes its time.
  await choosePorts(nodes, options.port, options.redisPort);
  const programs = options.programs ?? (await findPrograms(options));
  // A port that was free when it was chosen can be taken a moment later by somebody else who chooses.
  for (let attempt = 1; ; attempt++) {
    const ports = await choosePorts(nodes, options.port, options.redisPort);
    try {
      return await startOn(ports, programs, options);
    } catch (error) {
      const collision = error instanceof ClusterError && /address already in use/i.test(error.message);
      if (!collision || options.port !== undefined || attempt === 3) throw error;
    }
  }
}

async function findPrograms(options: ClusterOptions): Promise<{ redis: Provided; nginx: Provided }> {
  const say = options.onProgress ?? (() => {});
  const machine = thisMachine(say, options.signal);
  const redis = await provide(REDIS, machine);
  options.signal?.throwIfAborted();
  const nginx = await provide(NGINX, machine);
  options.signal?.throwIfAborted();
  return { redis, nginx };
}

async function startOn(
  ports: Ports,
  programs: { redis: Provided; nginx: Provided },
  options: ClusterOptions,
): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'fanfare-cluster-'));
  // Workers of an NGINX that root started belong to another user, who must get through to their files.
  chmodSync(folder, 0o711);
  const guardian = new Guardian(folder);
  const log = options.onLine ?? (() => {});
  const progress = options.onProgress ?? (() => {});
  const all: Supervisor[] = [];
  let output: ReopenablePipe | undefined;

  const clear = async () => {
    output?.close();
    await rm(folder, { recursive: true, force: true });
    await guardian.dismiss();
  };
  const abandon = once(async () => {
    await Promise.all(all.map((part) => part.abandon()));
    await clear();
  });
  const start = async (part: Supervisor) => {
    await part.start(options.signal);
    progress(`${part.part.name.padEnd(8)} pid ${String(part.pid ?? '?').padEnd(8)} ${part.part.address}`);
  };

  try {
    // In NGINX's own folder, which is all that it sees when it runs in Docker.
    const tls = options.tls === true ? await selfSigned(join(folder, 'nginx')) : undefined;
    const parts = layOut(ports, programs, options, folder, tls);
    for (const { command } of [parts.redis, parts.nginx])
      if (command.container !== undefined) guardian.container(command.container);
    output = new ReopenablePipe(join(folder, 'nginx.output'), (line) => log('nginx', line));
    const surroundings: Surroundings = { guardian, log, restart: options.restart ?? true };
    const redis = new Supervisor(parts.redis, surroundings);
    const nodes = parts.nodes.map((part) => new Supervisor(part, surroundings));
    const nginx = new Supervisor(parts.nginx, { ...surroundings, stdout: output });
    all.push(redis, ...nodes, nginx);

    await start(redis);
    await Promise.all(nodes.map(start));
    await start(nginx);

    const stop = once(async () => {
      // Connections hang on the nodes: they go first and send their clients away politely. NGINX stays until then, so
      // that whoever comes back early gets its answer; Redis stays as long as anyone could publish.
      await Promise.all(nodes.map((node) => node.stop()));
      await nginx.stop();
      await redis.stop();
      await clear();
    });
    return handle(ports, tls, all, stop, abandon);
  } catch (error) {
    await abandon();
    throw error;
  }
}

function handle(
  ports: Ports,
  tls: Certificate | undefined,
  all: readonly Supervisor[],
  stop: Cluster['stop'],
  abandon: Cluster['abandon'],
): Cluster {
  const find = (name: string): Supervisor => {
    const part = all.find((candidate) => candidate.part.name === name);
    if (part === undefined) throw new ClusterError(`there is no part called ${name}`);
    return part;
  };
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${ports.edge}`,
    certificate: tls?.certificate,
    port: ports.edge,
    redisUrl: `redis://127.0.0.1:${ports.redis}`,
    nodes: ports.nodes.map((node, i) => ({
      name: `node-${i + 1}`,
      url: `http://127.0.0.1:${node.public}`,
      adminUrl: `http://127.0.0.1:${node.admin}`,
    })),
    names: all.map((part) => part.part.name),
    pid: (name) => find(name).pid,
    kill: (name, signal = 'SIGKILL') => find(name).kill(signal),
    signal: (name, signal) => find(name).signal(signal),
    start: (name) => find(name).start(),
    stop,
    abandon,
  };
}

/** What is asked for several times is done once, and all wait for it. */
function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= action();
    return done;
  };
}

/** The parts, from their ports. */
function layOut(
  ports: Ports,
  programs: { redis: Provided; nginx: Provided },
  options: ClusterOptions,
  folder: string,
  tls: Certificate | undefined,
): { redis: Part; nodes: Part[]; nginx: Part } {
  const env = options.env ?? {};
  const containers = `fanfare-${randomBytes(4).toString('hex')}`;
  const number = (name: string) => (Number(env[name]) > 0 ? Number(env[name]) : undefined);
  const settings = {
    port: ports.edge,
    ...(tls === undefined ? {} : { tls }),
    nodePorts: ports.nodes.map((node) => node.public),
    streamTimeoutSeconds:
      options.streamTimeoutSeconds ??
      streamTimeoutSeconds(number('FANFARE_HEARTBEAT_INTERVAL'), number('FANFARE_HEARTBEAT_TIMEOUT')),
    maxBodyBytes: maxBodyBytes(number('FANFARE_MAX_MESSAGE_BYTES')),
  };
  return {
    redis: redisPart(programs.redis, ports.redis, join(folder, 'redis'), `${containers}-redis`),
    nodes: ports.nodes.map((node, i) =>
      nodePart({
        name: `node-${i + 1}`,
        port: node.public,
        adminPort: node.admin,
        redisUrl: `redis://127.0.0.1:${ports.redis}`,
        env,
        ...(options.nodeEntry === undefined ? {} : { entry: options.nodeEntry }),
      }),
    ),
    nginx: nginxPart(programs.nginx, settings, join(folder, 'nginx'), `${containers}-nginx`),
  };
}
