import { setTimeout as pause } from 'node:timers/promises';
import type { HostPort } from '../../../redis-address.ts';
import { type Command, CommandConnection, type Commands, type ConnectionSettings } from '../connection.ts';
import { connectionTrouble } from '../denials.ts';
import { endpointAt } from '../endpoint.ts';
import { notConnected } from '../failure.ts';
import type { ClusterMap } from './cluster-map.ts';
import { redirectOf } from './redirect.ts';

/** Before a command is sent a third time, and each time after that, milliseconds. */
const REPEAT_MS = 50;

/**
 * The connections for one kind of command in a Redis Cluster: one to each master that holds a partition.
 *
 * Not ioredis' own Cluster: that sends a command again when its connection broke, though it may have been carried out; or
 * else it does not tell whether it was ever written. A publisher is told which.
 */
export class ClusterConnections implements Commands {
  readonly #map: ClusterMap;
  readonly #settings: ConnectionSettings;
  readonly #partitions: number;
  readonly #purpose: string;
  readonly #timeoutMs: number;
  readonly #opened: (connection: CommandConnection) => void;
  /** By `host:port`. */
  readonly #connections = new Map<string, CommandConnection>();
  readonly #retiring = new Set<CommandConnection>();
  readonly #firstReady = Promise.withResolvers<void>();
  #closed = false;

  /** `timeoutMs`: see CommandConnection. `opened` is called with each connection that is made. */
  constructor(
    map: ClusterMap,
    settings: ConnectionSettings,
    partitions: number,
    purpose: string,
    timeoutMs: number,
    opened: (connection: CommandConnection) => void,
  ) {
    this.#map = map;
    this.#settings = settings;
    this.#partitions = partitions;
    this.#purpose = purpose;
    this.#timeoutMs = timeoutMs;
    this.#opened = opened;
    map.watch(() => this.#settle());
  }

  get ready(): boolean {
    return this.trouble === undefined;
  }

  get trouble(): string | undefined {
    for (let partition = 0; partition < this.#partitions; partition++) {
      const master = this.#masterOf(partition);
      const trouble = master === undefined ? connectionTrouble(this.#map.trouble) : master.trouble;
      if (trouble !== undefined) return trouble;
    }
    return undefined;
  }

  get untilReady(): Promise<void> {
    return this.#firstReady.promise;
  }

  async run<T>(partition: number, command: Command<T>): Promise<T> {
    const deadline = performance.now() + this.#timeoutMs;
    let asked: HostPort | undefined;
    for (let redirections = 0; ; redirections++) {
      const node = asked ?? this.#map.ownerOf(partition);
      if (node === undefined || this.#closed) throw notConnected();
      const connection = this.#to(node);
      try {
        if (redirections > 0) await readyBy(connection, deadline);
        return await connection.run(partition, command, asked !== undefined);
      } catch (error) {
        const redirect = redirectOf(error, node);
        if (redirect === undefined || performance.now() > deadline) {
          if (!isReply(error)) this.#map.refresh();
          throw error;
        }
        if (redirect.kind === 'moved') this.#map.moved(partition, redirect.node);
        asked = redirect.kind === 'ask' ? redirect.node : undefined;
        if (redirections > 0 || redirect.kind === 'later') await pause(REPEAT_MS);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#firstReady.resolve();
    const all = [...this.#connections.values(), ...this.#retiring];
    this.#connections.clear();
    await Promise.all(all.map((connection) => connection.close()));
  }

  #masterOf(partition: number): CommandConnection | undefined {
    const owner = this.#map.ownerOf(partition);
    return owner === undefined ? undefined : this.#connections.get(keyOf(owner));
  }

  #to(node: HostPort): CommandConnection {
    const key = keyOf(node);
    const known = this.#connections.get(key);
    if (known !== undefined) return known;
    const endpoint = endpointAt(node, this.#map.address);
    const connection = new CommandConnection(this.#settings, endpoint, `${this.#purpose}@${key}`, this.#timeoutMs);
    this.#connections.set(key, connection);
    // A master that went away may have been replaced.
    connection.redis.on('close', () => this.#map.refresh());
    connection.redis.on('ready', () => {
      if (this.ready) this.#firstReady.resolve();
    });
    this.#opened(connection);
    return connection;
  }

  /** After a change of the map: connections to where the partitions are now, and to nowhere else. */
  #settle(): void {
    const needed = new Set<string>();
    for (let partition = 0; partition < this.#partitions; partition++) {
      const owner = this.#map.ownerOf(partition);
      if (owner === undefined) continue;
      needed.add(keyOf(owner));
      this.#to(owner);
    }
    for (const [key, connection] of this.#connections) {
      if (needed.has(key)) continue;
      this.#connections.delete(key);
      this.#retiring.add(connection);
      void connection.retire().finally(() => this.#retiring.delete(connection));
    }
  }
}

function keyOf({ host, port }: HostPort): string {
  return `${host}:${port}`;
}

/** CLUSTERDOWN is one too, but says that the map is of no use. */
function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && !error.message.startsWith('CLUSTERDOWN');
}

async function readyBy(connection: CommandConnection, deadline: number): Promise<void> {
  const late = pause(Math.max(0, deadline - performance.now()), undefined, { ref: false });
  await Promise.race([connection.untilReady, late]);
}
