import { type Cursor, parseCursor } from '../cursor.ts';
import type { Logger } from '../logger.ts';
import { compareIds, idBefore, type Message, partitionOf, ZERO_ID } from '../message.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Connection } from './connection.ts';
import { tellGap } from './gap.ts';
import type { History } from './history.ts';
import { newestOfAll } from './newest.ts';
import { Partition } from './partition.ts';
import { Progress } from './progress.ts';
import { Replay } from './replay.ts';
import { SharedReads } from './shared-reads.ts';
import { Subscription } from './subscription.ts';

/** Where a client wants to start. Neither: live, from now on. */
export interface Start {
  /** The cursor that it came with, as it came: text that makes no sense is answered with a gap. */
  readonly cursor?: string;
  /** Up to this many of the newest messages of each channel, instead of a cursor. */
  readonly last?: number;
  /** From the oldest message that is retained, instead of either. */
  readonly oldest?: true;
}

/** What following some channels will begin with, per partition. Made by `plan`; used once, by `subscribe` and `start`. */
export interface Plan {
  readonly start: Start;
  readonly parts: readonly { partition: number; channels: readonly string[]; position: string; known: boolean }[];
  /** Where the client stands now; undefined when only a read of the history will tell. */
  readonly cursor: Cursor | undefined;
}

/** A cursor that makes no sense is told back to its client, but not at any length. */
const MAX_ECHO_LENGTH = 200;

/** This node's meeting point: the tail's batches come in, and go out to whoever follows their channels. */
export class Hub {
  readonly #partitions: readonly Partition[];
  readonly #replays: readonly Replay[];
  readonly #reads: SharedReads;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  #subscriptions = 0;

  /** `recentBytes` is the memory for recent messages over all partitions; `clock`: milliseconds since 1970. */
  constructor(history: History, recentBytes: number, metrics: Metrics, logger: Logger, clock = Date.now) {
    const reads = new SharedReads(history, clock);
    this.#reads = reads;
    this.#partitions = Array.from(
      { length: history.partitions },
      () => new Partition(recentBytes / history.partitions, metrics, clock),
    );
    this.#replays = this.#partitions.map((partition) => new Replay(partition, reads, metrics, clock));
    this.#metrics = metrics;
    this.#logger = logger;
  }

  /** Channels followed by all connections together, counted once for each connection. */
  get subscriptionCount(): number {
    return this.#subscriptions;
  }

  /** Channels that at least one connection follows live. */
  get channelCount(): number {
    return this.#partitions.reduce((count, partition) => count + partition.channels.size, 0);
  }

  /** The id up to which this node has delivered a partition. */
  position(partition: number): string {
    return this.#partition(partition).position;
  }

  /** Takes a batch of one partition's tail. Hot. */
  deliver(partition: number, messages: readonly Message[], position: string): void {
    this.#partition(partition).deliver(messages, position);
  }

  /**
   * The partition's floor rose: whoever follows it live may have missed messages after this node's position, or after `goneAfter` where that is
   * older, and is told. The floor may lie ahead of what was delivered. The first floor is where the partition starts.
   */
  floor(number: number, floor: string, goneAfter?: string): void {
    const partition = this.#partition(number);
    const { position } = partition;
    const after = goneAfter !== undefined && compareIds(goneAfter, position) < 0 ? goneAfter : position;
    this.#reads.forget();
    partition.floor = floor;
    for (const subscription of partition.live()) tellGap(this.#metrics, subscription, after, 'rewound');
    // What is remembered may be gone from the log.
    partition.jump(position === ZERO_ID ? floor : position);
  }

  /** The tail could not read what came between `after` and `position`: it is replayed to everyone from the histories. */
  skipped(number: number, after: string, position: string): void {
    const partition = this.#partition(number);
    const behind = partition.live();
    this.#reads.forget();
    partition.jump(position);
    for (const subscription of behind) {
      partition.leave(subscription);
      subscription.state = 'replaying';
      subscription.position = after;
      void this.#replay(subscription, new Progress('behind'));
    }
  }

  /** Judges where a connection that wants to follow `channels` (at least one, none twice) begins. */
  plan(channels: readonly string[], start: Start): Plan {
    const byPartition = new Map<number, string[]>();
    for (const channel of channels) {
      const partition = partitionOf(channel, this.#partitions.length);
      const group = byPartition.get(partition);
      if (group === undefined) byPartition.set(partition, [channel]);
      else group.push(channel);
    }
    const given = start.cursor === undefined ? undefined : parseCursor(start.cursor, [...byPartition.keys()]);
    const parts = [...byPartition].map(([partition, group]) => {
      const place = given?.get(partition);
      return {
        partition,
        channels: group,
        position: start.oldest ? this.#partition(partition).floor : (place ?? this.#now(partition)),
        known: place !== undefined || start.cursor === undefined,
      };
    });
    const cursor = new Map(parts.map((part) => [part.partition, part.position]));
    return { start, parts, cursor: start.last === undefined ? cursor : undefined };
  }

  /** Makes the subscriptions of a plan. Nothing is delivered before `start`. */
  subscribe(connection: Connection, plan: Plan): Subscription[] {
    return plan.parts.map((part) => {
      this.#subscriptions += part.channels.length;
      return new Subscription(connection, part.partition, part.channels, part.position);
    });
  }

  /** Starts the replay of a plan's subscriptions; each goes live by itself. */
  start(plan: Plan, subscriptions: readonly Subscription[]): void {
    const { cursor, last, oldest } = plan.start;
    if (last !== undefined) {
      void this.#startWithNewest(subscriptions, last);
      return;
    }
    for (const [i, subscription] of subscriptions.entries()) {
      if (subscription.ended) continue;
      const known = plan.parts[i]?.known !== false;
      if (!known) tellGap(this.#metrics, subscription, (cursor ?? '').slice(0, MAX_ECHO_LENGTH), 'unknown');
      const progress = oldest
        ? new Progress('asked', this.position(subscription.partition), subscription.position)
        : new Progress(cursor === undefined ? 'behind' : 'resumed');
      if (!known) progress.outcome = 'gap';
      if (this.#replayOf(subscription).fromMemory(subscription, progress)) this.#caughtUp(subscription, progress);
      else void this.#replay(subscription, progress);
    }
  }

  /** Ends a subscription. Nothing happens to one that has ended already. */
  leave(subscription: Subscription): void {
    if (subscription.state === 'ended') return;
    this.#subscriptions -= subscription.channels.length;
    const { state } = subscription;
    subscription.state = 'ended';
    if (state === 'live') this.#partition(subscription.partition).leave(subscription);
    if (state === 'ahead') this.#partition(subscription.partition).release(subscription);
  }

  /** Ends a subscription for one of its channels only. */
  drop(subscription: Subscription, channel: string): void {
    const rest = subscription.channels.filter((name) => name !== channel);
    if (rest.length === 0) return this.leave(subscription);
    if (subscription.state === 'ended' || rest.length === subscription.channels.length) return;
    this.#subscriptions--;
    if (subscription.state === 'live') this.#partition(subscription.partition).leave(subscription, [channel]);
    subscription.channels = rest;
  }

  /** All partitions' newest messages are read before the first is handed over, so that every cursor on the way is right. */
  async #startWithNewest(subscriptions: readonly Subscription[], count: number): Promise<void> {
    const progress = subscriptions.map(({ partition }) => new Progress('asked', this.position(partition)));
    try {
      const reading = subscriptions.map((each) => this.#replayOf(each).newest(each, count));
      const all = newestOfAll(await Promise.all(reading));
      for (const [i, subscription] of subscriptions.entries()) {
        const first = all[i]?.messages[0];
        const asOf = all[i]?.asOf ?? subscription.position;
        subscription.position = first === undefined ? asOf : idBefore(first.message.id);
      }
      for (const [i, subscription] of subscriptions.entries()) {
        const [asked, newest] = [progress[i], all[i]];
        if (asked === undefined || newest === undefined) continue;
        void this.#replay(subscription, asked, this.#replayOf(subscription).handOver(subscription, newest, asked));
      }
    } catch (error) {
      for (const subscription of subscriptions) this.#sendAway(subscription, error);
    }
  }

  /** `begun`: what is being handed over already. A promise, as what it hands over must not be held here until the replay is over. */
  async #replay(subscription: Subscription, progress: Progress, begun?: Promise<void>): Promise<void> {
    try {
      await begun;
      await this.#replayOf(subscription).run(subscription, progress);
      this.#caughtUp(subscription, progress);
    } catch (error) {
      this.#sendAway(subscription, error);
    }
  }

  #caughtUp(subscription: Subscription, { why, source, outcome }: Progress): void {
    if (subscription.ended) return;
    if (why === 'resumed') this.#metrics.resumed(source, outcome);
    if (why !== 'behind') subscription.connection.caughtUp(subscription.channels);
  }

  #sendAway(subscription: Subscription, error: unknown): void {
    if (subscription.ended) return;
    this.#logger.warn({ err: error, channels: subscription.channels.length }, 'replay failed; the client is sent away');
    subscription.connection.close('log_unavailable');
  }

  /** Where a client begins that wants what is published from now on: past what the log is known to hold already. */
  #now(number: number): string {
    const { position, floor } = this.#partition(number);
    return compareIds(floor, position) > 0 ? floor : position;
  }

  #partition(number: number): Partition {
    const partition = this.#partitions[number];
    if (partition === undefined) throw new RangeError(`there is no partition ${number}`);
    return partition;
  }

  #replayOf(subscription: Subscription): Replay {
    const replay = this.#replays[subscription.partition];
    if (replay === undefined) throw new RangeError(`there is no partition ${subscription.partition}`);
    return replay;
  }
}
