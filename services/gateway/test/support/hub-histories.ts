import fc from 'fast-check';
import type { Start } from '../../src/hub/hub.ts';
import type { Retention } from '../../src/retention.ts';
import { DeliveryOracle } from './delivery-oracle.ts';
import { Follower, type Habits } from './hub-follower.ts';
import { TailedLog } from './tailed-log.ts';
import { TailedNode } from './tailed-node.ts';

/** One thing that happens to a cluster. Numbers choose among what there is. */
type Happening =
  | {
      readonly do: 'append';
      readonly channels: readonly number[];
      readonly times: number;
      readonly size: number;
      readonly ttlSeconds: number | undefined;
    }
  | { readonly do: 'advance'; readonly node: number; readonly partition: number; readonly count: number }
  | { readonly do: 'trim'; readonly partition: number; readonly keep: number }
  | { readonly do: 'rewind'; readonly partition: number; readonly count: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'restart'; readonly node: number; readonly newest: number }
  | { readonly do: 'connect'; readonly client: number; readonly node: number }
  /** Everyone who had come comes to one node at once. */
  | { readonly do: 'storm'; readonly node: number }
  | { readonly do: 'disconnect' | 'drain' | 'beat'; readonly client: number }
  | { readonly do: 'look' | 'answer' | 'fail'; readonly node: number; readonly newest: boolean };

/** `settle`: the event loop goes on before what comes next. */
type HubStep = Happening & { readonly settle: boolean };

interface ClientKind extends Habits {
  readonly channels: readonly number[];
  readonly start: { readonly kind: 'live' | 'last' | 'oldest' | 'nonsense' | 'future' | 'zero' };
}

/** A cluster, generated, and its life. */
export interface HubHistory {
  readonly partitions: number;
  readonly retention: Retention;
  readonly recentBytes: number;
  readonly nodes: number;
  readonly clients: readonly ClientKind[];
  readonly steps: readonly HubStep[];
}

/** With two partitions, on either of them; `none` keeps no history. */
const CHANNELS = ['a', 'a:1', 'b', 'none'];

const STARTS: Record<ClientKind['start']['kind'], Start> = {
  live: {},
  last: { last: 3 },
  oldest: { oldest: true },
  nonsense: { cursor: 'nonsense' },
  future: { cursor: '9999999999999-0' },
  zero: { cursor: '0-0' },
};

/** Steps that do not lead there in the end are too many. */
const MAX_ROUNDS = 2_000;

export function hubHistories(length: number): fc.Arbitrary<HubHistory> {
  const node = fc.nat(2);
  const client = fc.nat(3);
  const partition = fc.nat(1);
  const amount = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(40, 10_000));
  const happening: fc.Arbitrary<Happening> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('append'),
        channels: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
        times: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(2, 100) }),
        size: fc.constantFrom(1, 1, 1, 20_000),
        ttlSeconds: fc.option(fc.constantFrom(1, 4), { nil: undefined, freq: 5 }),
      }),
    },
    { weight: 10, arbitrary: fc.record({ do: fc.constant('advance'), node, partition, count: amount }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('trim'), partition, keep: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rewind'), partition, count: fc.nat(4) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(1, 900, 3_000, 6_000, 12_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart'), node, newest: fc.constantFrom(0, 2, 10_000) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('connect'), client, node }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('storm'), node }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('disconnect', 'beat'), client }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('drain'), client }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('look'), node, newest: fc.boolean() }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('answer'), node, newest: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail'), node, newest: fc.boolean() }) },
  );
  const settle = fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false));
  return fc.record({
    partitions: fc.constantFrom(1, 2),
    retention: fc
      .record({
        historySize: fc.constantFrom(3, 150, 10_000),
        historyTtlSeconds: fc.constantFrom(10, 3_600, 3_600),
        none: fc.boolean(),
      })
      .map(({ none, ...kept }) => ({
        ...kept,
        namespaces: new Map(none ? [['none', { ...kept, historySize: 0 }]] : []),
      })),
    recentBytes: fc.constantFrom(1, 1, 4_000, 1_000_000),
    nodes: fc.constantFrom(1, 2, 2, 3),
    clients: fc.array(
      fc.record({
        channels: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 3 }),
        start: fc.record({
          kind: fc.constantFrom('live', 'live', 'live', 'last', 'last', 'oldest', 'nonsense', 'future', 'zero'),
        }),
        cursors: fc.constantFrom('one', 'each'),
        slow: fc.boolean(),
        closesAtWrite: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined, freq: 8 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    steps: fc.array(
      fc.tuple(happening, settle).map(([what, then]) => ({ ...what, settle: then })),
      { minLength: 5, maxLength: length },
    ),
  }) as fc.Arbitrary<HubHistory>;
}

/** Lives through a generated history. Returns what was wrong; in the end every client must be live and have everything. */
export async function liveThroughHub(history: HubHistory): Promise<string[]> {
  const cluster = new Cluster(history);
  for (const step of history.steps) {
    cluster.take(step);
    if (step.settle) await settled();
    if (cluster.problems.length > 0) return cluster.problems;
  }
  await cluster.end();
  return cluster.problems;
}

/** All that was resolved has been acted on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class Cluster {
  readonly #history: HubHistory;
  readonly #log: TailedLog;
  readonly #nodes: TailedNode[];
  readonly #oracles: DeliveryOracle[] = [];
  readonly #clients: Follower[];
  readonly #late: string[] = [];
  #sent = 0;

  constructor(history: HubHistory) {
    const { partitions, retention, recentBytes, nodes, clients } = history;
    this.#history = history;
    this.#log = new TailedLog(partitions, retention);
    this.#nodes = Array.from({ length: nodes }, () => new TailedNode(this.#log, recentBytes, 0));
    this.#clients = clients.map(({ channels, start, ...habits }, i) => {
      const astray = start.kind === 'nonsense' || start.kind === 'future' || start.kind === 'zero';
      const oracle = new DeliveryOracle(this.#log, retention, `client ${i}`, astray);
      this.#oracles.push(oracle);
      const names = channels.map((channel) => CHANNELS[channel] ?? 'a');
      return new Follower(names, STARTS[start.kind], habits, oracle);
    });
  }

  get problems(): string[] {
    return [...this.#late, ...this.#oracles.flatMap(({ problems }) => problems)];
  }

  take(step: Happening): void {
    const { partitions } = this.#history;
    switch (step.do) {
      case 'append':
        for (let i = 0; i < (step.size === 1 ? step.times : 1); i++)
          for (const channel of step.channels) this.#append(channel, step.size, step.ttlSeconds);
        break;
      case 'advance':
        this.#node(step.node).advance(step.partition % partitions, step.count);
        break;
      case 'trim':
        this.#log.trim(step.partition % partitions, step.keep);
        break;
      case 'rewind':
        this.#log.rewind(step.partition % partitions, step.count);
        break;
      case 'wait':
        this.#log.nowMs += step.ms;
        break;
      case 'restart':
        this.#restart(step.node % this.#nodes.length, step.newest);
        break;
      case 'connect':
        this.#client(step.client).connect(this.#node(step.node));
        break;
      case 'storm':
        for (const client of this.#clients) if (client.hasCome) client.connect(this.#node(step.node));
        break;
      case 'disconnect':
        this.#client(step.client).disconnect();
        break;
      case 'drain':
        this.#client(step.client).drain();
        break;
      case 'beat':
        this.#client(step.client).beat();
        break;
      default: {
        const { reads } = this.#node(step.node);
        const wanted = step.do === 'look' ? reads.filter(({ looked }) => !looked) : reads;
        wanted.at(step.newest ? -1 : 0)?.[step.do]();
      }
    }
  }

  /** Lets everything come to rest: whoever had come must be live then, and have everything. */
  async end(): Promise<void> {
    await this.#restWithNews();
    // One after the other: what was read for the first may be handed to the others, too.
    for (const client of this.#clients) {
      if (!client.hasCome || client.connected) continue;
      client.connect(this.#node(0));
      await this.#rest();
    }
    for (const client of this.#clients) if (client.hasCome) client.connect(this.#node(1));
    await this.#restWithNews();
    for (const [i, client] of this.#clients.entries()) {
      if (!client.hasCome || !client.connected) continue;
      if (!client.live) this.#late.push(`client ${i} hangs`);
      client.beat();
    }
  }

  /** The worst moment: what is being read has been looked up already when more is appended, and answered when the tails have brought it. */
  async #restWithNews(): Promise<void> {
    await settled();
    for (const node of this.#nodes) for (const read of node.reads) read.look();
    for (let i = 0; i < 2 * CHANNELS.length; i++) this.#append(i % CHANNELS.length, 1, undefined);
    await this.#rest();
  }

  async #rest(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      for (const node of this.#nodes)
        for (let partition = 0; partition < this.#log.partitions; partition++) node.advance(partition, 10_000);
      for (const client of this.#clients) client.drain();
      for (const node of this.#nodes) for (const read of [...node.reads]) read.answer();
      await settled();
      const restless = this.#clients.some((client) => client.connected && !client.live);
      if (!restless && this.#nodes.every(({ reads }) => reads.length === 0)) return;
    }
    this.#late.push('it does not come to rest');
  }

  #append(channel: number, size: number, ttlSeconds: number | undefined): void {
    const data = `"${++this.#sent}${'x'.repeat(size)}"`;
    const event = this.#sent % 3 === 0 ? { event: 'e' } : {};
    const ttl = ttlSeconds === undefined ? {} : { ttlSeconds };
    this.#log.append({ channel: CHANNELS[channel] ?? 'a', data, ...event, ...ttl });
  }

  #restart(index: number, newest: number): void {
    for (const client of this.#clients) if (client.node === this.#nodes[index]) client.disconnect();
    this.#nodes[index] = new TailedNode(this.#log, this.#history.recentBytes, newest);
  }

  #node(index: number): TailedNode {
    return this.#nodes[index % this.#nodes.length] as TailedNode;
  }

  #client(index: number): Follower {
    return this.#clients[index % this.#clients.length] as Follower;
  }
}
