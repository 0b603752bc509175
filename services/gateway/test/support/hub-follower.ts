import { formatCursor } from '../../src/cursor.ts';
import type { Batch } from '../../src/hub/batch.ts';
import { Connection } from '../../src/hub/connection.ts';
import type { Start } from '../../src/hub/hub.ts';
import type { Subscription } from '../../src/hub/subscription.ts';
import type { GapReason, Message } from '../../src/message.ts';
import type { DeliveryOracle } from './delivery-oracle.ts';
import type { TailedNode } from './tailed-node.ts';

/** How a client reads, and what it does not do for ever. */
export interface Habits {
  /** One cursor for all channels, as on an event stream, or one for each, as on a WebSocket. */
  readonly cursors: 'one' | 'each';
  /** Takes what waits only when it is told to. */
  readonly slow: boolean;
  /** The write at which each of its connections is closed, as too slow. */
  readonly closesAtWrite?: number;
}

/** A client that comes and goes, on any node, with the cursor that it holds. */
export class Follower {
  readonly channels: readonly string[];
  readonly #habits: Habits;
  readonly #oracle: DeliveryOracle;
  readonly #first: Start;
  /** By channel, or under '' for all. */
  readonly #cursors = new Map<string, string>();
  #connection: FollowerConnection | undefined;

  constructor(channels: readonly string[], first: Start, habits: Habits, oracle: DeliveryOracle) {
    this.channels = channels;
    this.#first = first;
    this.#habits = habits;
    this.#oracle = oracle;
  }

  get connected(): boolean {
    return this.#connection?.closed === false;
  }

  get live(): boolean {
    return this.#connection?.live === true;
  }

  get hasCome(): boolean {
    return this.#connection !== undefined;
  }

  get node(): TailedNode | undefined {
    return this.#connection?.node;
  }

  /** Comes to a node, from wherever it was. */
  connect(node: TailedNode): void {
    this.disconnect();
    const connection = new FollowerConnection(node, this.#habits, this.#oracle, this.#cursors);
    this.#connection = connection;
    const groups = this.#habits.cursors === 'one' ? [this.channels] : this.channels.map((channel) => [channel]);
    for (const group of groups) {
      const cursor = this.#cursors.get(this.#habits.cursors === 'one' ? '' : (group[0] ?? ''));
      connection.follow(group, cursor === undefined ? this.#first : { cursor });
    }
  }

  /** Goes without a word. */
  disconnect(): void {
    this.#connection?.close();
  }

  /** Takes what waits. */
  drain(): void {
    this.#connection?.drain();
  }

  /** Is told where it stands, as with a heartbeat. */
  beat(): void {
    this.#connection?.beat();
  }
}

class FollowerConnection extends Connection {
  readonly transport = 'http';
  readonly node: TailedNode;
  closed = false;
  readonly #habits: Habits;
  readonly #oracle: DeliveryOracle;
  readonly #cursors: Map<string, string>;
  readonly #subscriptions: Subscription[] = [];
  readonly #waiting: (() => void)[] = [];
  /** By channel, the floor that the node knew when it was followed. */
  readonly #floors = new Map<string, string>();
  #writes = 0;

  constructor(node: TailedNode, habits: Habits, oracle: DeliveryOracle, cursors: Map<string, string>) {
    super();
    this.node = node;
    this.#habits = habits;
    this.#oracle = oracle;
    this.#cursors = cursors;
  }

  get live(): boolean {
    return this.#subscriptions.length > 0 && this.#subscriptions.every(({ state }) => state === 'live');
  }

  follow(channels: readonly string[], start: Start): void {
    if (this.closed) return;
    const { hub } = this.node;
    const plan = hub.plan(channels, start);
    const subscriptions = hub.subscribe(this, plan);
    this.#subscriptions.push(...subscriptions);
    for (const { position, partition, channels: names, known } of plan.parts) {
      const from = known && start.cursor !== undefined ? position : hub.position(partition);
      const promised = start.last === undefined && start.oldest === undefined ? from : undefined;
      for (const channel of names) {
        this.#floors.set(channel, this.node.floor(partition));
        this.#oracle.began(channel, promised, start.cursor === undefined, hub.position(partition));
      }
    }
    if (plan.cursor !== undefined) this.#hold(channels, formatCursor(plan.cursor));
    hub.start(plan, subscriptions);
  }

  deliver({ messages }: Batch): number {
    if (this.closed) return 0;
    if (++this.#writes === this.#habits.closesAtWrite) {
      this.close();
      return 0;
    }
    for (const { message } of messages) {
      this.#oracle.received(message, this.#floors.get(message.channel) ?? '0-0');
      this.#hold([message.channel], this.#habits.cursors === 'one' ? this.#cursorAt(message) : message.id);
    }
    return 0;
  }

  drained(): Promise<void> {
    if (!this.#habits.slow || this.closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  gap(channel: string, after: string, reason: GapReason): void {
    if (!this.closed) this.#oracle.gap(this.node, channel, after, reason);
  }

  caughtUp(channels: readonly string[]): void {
    if (this.closed) return;
    for (const { partition, channels: names } of this.#subscriptions)
      for (const channel of names)
        if (channels.includes(channel)) this.#oracle.live(channel, this.node.hub.position(partition));
    if (this.#habits.cursors === 'one') this.beat();
  }

  close(): void {
    this.closed = true;
    for (const subscription of this.#subscriptions) this.node.hub.leave(subscription);
    this.drain();
  }

  drain(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  beat(): void {
    if (this.closed || !this.live) return;
    const places = new Map(this.#subscriptions.map((each) => [each.partition, this.#placeOf(each)]));
    this.#hold(
      this.#subscriptions.flatMap(({ channels }) => channels),
      formatCursor(places),
    );
    for (const { partition, channels } of this.#subscriptions)
      for (const channel of channels) this.#oracle.live(channel, places.get(partition) ?? '');
  }

  /** As the transports do it: this message's id, and of the other partitions what was handed over. */
  #cursorAt({ channel, id }: Message): string {
    const places = new Map<number, string>();
    for (const each of this.#subscriptions) {
      const place = each.channels.includes(channel) ? id : this.#placeOf(each);
      places.set(each.partition, place);
      for (const name of each.channels) this.#oracle.stands(name, place);
    }
    return formatCursor(places);
  }

  #placeOf({ state, partition, position }: Subscription): string {
    return state === 'live' ? this.node.hub.position(partition) : position;
  }

  #hold(channels: readonly string[], cursor: string): void {
    if (this.#habits.cursors === 'one') this.#cursors.set('', cursor);
    else for (const channel of channels) this.#cursors.set(channel, cursor);
  }
}
