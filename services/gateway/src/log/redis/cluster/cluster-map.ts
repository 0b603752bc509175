import { setTimeout as pause } from 'node:timers/promises';
import type { HostPort, RedisAddress } from '../../../redis-address.ts';
import { ask } from '../ask.ts';
import { backoffMs } from '../backoff.ts';
import type { ConnectionSettings } from '../connection.ts';
import { endpointAt, type Located, type Locator, type TailFrom } from '../endpoint.ts';
import { reasonOf } from '../failure.ts';
import { hashTag } from '../keys.ts';
import { oneOf, shuffled } from '../shuffle.ts';
import { redirectOf } from './redirect.ts';
import { slotOf } from './slot.ts';

/** Between two looks at the map, at least, milliseconds: a cluster that is down is not asked all the time. */
const MIN_PAUSE_MS = 100;

/** A range of slots as CLUSTER SLOTS replies it: first and last slot, then the nodes that have it, the master first. */
type SlotRange = [first: number, last: number, ...nodes: [host: string | null, port: number, ...more: unknown[]][]];

/**
 * Which master of a Redis Cluster holds each partition, and which replicas that has.
 *
 * It is looked up when it is not known, when a connection breaks or a command is not answered in time, and corrected by
 * each MOVED. It may be out of date; then what is asked says so.
 */
export class ClusterMap implements Locator {
  readonly address: RedisAddress;
  readonly #settings: ConnectionSettings;
  readonly #slots: readonly number[];
  readonly #owners: (HostPort | undefined)[];
  /** By partition. */
  #replicas: readonly (readonly HostPort[])[] = [];
  /** All nodes that the cluster told of: any may be asked next. */
  #nodes: readonly HostPort[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #closing = new AbortController();
  #refreshing: Promise<void> | undefined;
  #trouble = '';

  constructor(address: RedisAddress, settings: ConnectionSettings, partitions: number) {
    this.address = address;
    this.#settings = settings;
    this.#slots = Array.from({ length: partitions }, (_, partition) => slotOf(hashTag(partition)));
    this.#owners = Array.from({ length: partitions });
    void this.#findAll();
  }

  /** Why a partition's master is not known. */
  get trouble(): string {
    return this.#trouble || 'some slots are held by no master';
  }

  /** Undefined while it is not known. */
  ownerOf(partition: number): HostPort | undefined {
    return this.#owners[partition];
  }

  /** `changed` is called after each change of an owner. */
  watch(changed: () => void): void {
    this.#watchers.add(changed);
  }

  /** A node said that the partition has moved. Others may have, too. */
  moved(partition: number, to: HostPort): void {
    this.#owners[partition] = to;
    this.#tell();
    this.refresh();
  }

  /** Looks at the map again, soon. */
  refresh(): void {
    void this.#refresh().catch(() => {});
  }

  async locate(partition: number, failure: unknown, from: TailFrom): Promise<Located> {
    const redirect = redirectOf(failure, this.#owners[partition]);
    if (redirect?.kind === 'ask') return this.#located(redirect.node, { asking: true });
    if (redirect?.kind === 'moved') this.moved(partition, redirect.node);
    else if (failure !== undefined || this.#owners[partition] === undefined) await this.#refresh();
    // Replicas come and go without a word. Where the map cannot be had, the one from before will do.
    else if (from === 'replica') await this.#refresh().catch(() => {});
    const replica = from === 'replica' ? oneOf(this.#replicas[partition] ?? []) : undefined;
    if (replica !== undefined) return this.#located(replica, { replica: true, readonly: true });
    const owner = this.#owners[partition];
    if (owner === undefined) throw new Error('no master of the cluster holds the partition');
    return this.#located(owner);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#watchers.clear();
    await this.#refreshing?.catch(() => {});
  }

  /** What came of a look that is under way, or was just now, is good for all who ask. */
  #refresh(): Promise<void> {
    if (this.#refreshing !== undefined) return this.#refreshing;
    const refreshing = this.#askAround();
    this.#refreshing = refreshing;
    const forget = async () => {
      await pause(MIN_PAUSE_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
      this.#refreshing = undefined;
    };
    refreshing.then(
      () => {
        this.#trouble = '';
      },
      (error) => {
        this.#trouble = reasonOf(error);
      },
    );
    void refreshing.then(forget, forget);
    return refreshing;
  }

  /** Until every partition has been found once. */
  async #findAll(): Promise<void> {
    const { logger, denials } = this.#settings;
    const { signal } = this.#closing;
    let told = '';
    for (let attempt = 1; !signal.aborted && this.#owners.includes(undefined); attempt++) {
      await this.#refresh().catch(() => {});
      const reason = this.trouble;
      if (signal.aborted || !this.#owners.includes(undefined)) return;
      if (reason !== told && !denials.heard(reason))
        logger.warn({ reason }, 'the Redis Cluster cannot be used; trying again');
      told = reason;
      await pause(backoffMs(attempt), undefined, { signal }).catch(() => {});
    }
  }

  /** Asks one node after another until one answers. */
  async #askAround(): Promise<void> {
    const strangers = this.address.nodes.filter((node) => !this.#nodes.some((known) => isSame(known, node)));
    let failure: unknown;
    for (const node of [...shuffled(this.#nodes), ...shuffled(strangers)]) {
      if (this.#closing.signal.aborted) return;
      try {
        const name = `${this.#settings.clientName}:map`;
        const { signal } = this.#closing;
        const ranges = await ask(endpointAt(node, this.address), name, (redis) => redis.cluster('SLOTS'), signal);
        this.#learn(ranges as SlotRange[], node);
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** No host means that of who was asked. */
  #learn(ranges: readonly SlotRange[], by: HostPort): void {
    const told = ranges.map(([first, last, ...nodes]) => ({
      first,
      last,
      nodes: nodes.map(([host, port]) => ({ host: host || by.host, port })).filter(({ host }) => host !== '?'),
    }));
    this.#nodes = told
      .flatMap(({ nodes }) => nodes)
      .filter((node, i, all) => all.findIndex((other) => isSame(node, other)) === i);
    const holders = this.#slots.map(
      (slot) => told.find(({ first, last }) => first <= slot && slot <= last)?.nodes ?? [],
    );
    this.#replicas = holders.map(([, ...replicas]) => replicas);
    holders.forEach(([master], partition) => {
      this.#owners[partition] = master;
    });
    this.#tell();
  }

  #located(node: HostPort, kind: Partial<Located> = {}): Located {
    return { endpoint: endpointAt(node, this.address), asking: false, replica: false, readonly: false, ...kind };
  }

  #tell(): void {
    for (const changed of this.#watchers) changed();
  }
}

function isSame(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port;
}
