import { compareIds, idTime, type Message, ZERO_ID } from '../message.ts';
import { type Metrics, TRANSPORTS, type Transport } from '../metrics/metrics.ts';
import { EncodedMessage } from '../wire/encoded-message.ts';
import { Batch } from './batch.ts';
import { Channel, MergedBatches } from './channel.ts';
import type { Connection } from './connection.ts';
import { hasExpired } from './expiry.ts';
import { tellGap } from './gap.ts';
import type { Progress } from './progress.ts';
import { Recent } from './recent.ts';
import type { Subscription } from './subscription.ts';

/** About how much of a replay is handed over at once: well below the smallest backlog at which a reader counts as slow. */
export const REPLAY_CHUNK_BYTES = 32 * 1024;

/** One partition as this node sees it: how far its tail has come, what it remembers, and who follows what. */
export class Partition {
  readonly recent: Recent;
  /** The channels that somebody follows live. */
  readonly channels = new Map<string, Channel>();
  /** Everything up to this id has been delivered here. */
  position = ZERO_ID;
  /** A cursor below this cannot be trusted to be complete. */
  floor = ZERO_ID;
  readonly #metrics: Metrics;
  readonly #clock: () => number;
  readonly #waiting: { subscription: Subscription; wake: () => void }[] = [];

  /** `clock`: milliseconds since 1970. */
  constructor(recentBytes: number, metrics: Metrics, clock: () => number) {
    this.recent = new Recent(recentBytes);
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /**
   * Hands a batch to everyone who follows its channels: one encoding per message and format, one write per connection.
   * The hot path: nothing here is done per connection that could be done once per message or batch.
   */
  deliver(messages: readonly Message[], position: string): void {
    const channels: Channel[] = [];
    for (const message of messages) {
      const encoded = new EncodedMessage(message);
      this.recent.push(encoded);
      const channel = this.channels.get(message.channel);
      if (channel === undefined) continue;
      if (channel.batch === null) {
        channel.batch = new Batch([], true);
        channels.push(channel);
      }
      channel.batch.messages.push(encoded);
    }
    this.position = position;
    try {
      if (channels.length > 0) this.#handOut(channels);
    } finally {
      this.recent.trim();
      if (this.#waiting.length > 0) this.#wakeReached();
    }
  }

  /** Forgets what is remembered: the tail goes on from `position`, and what came before was not delivered here. */
  jump(position: string): void {
    this.recent.reset(position);
    this.position = position;
    if (this.#waiting.length > 0) this.#wakeReached();
  }

  /** Resolves when the tail has come to the subscription's position, or the subscription is released. */
  reached(subscription: Subscription): Promise<void> {
    if (compareIds(subscription.position, this.position) <= 0) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ subscription, wake }));
  }

  /** To be called when a subscription has ended that waits for the tail, which may never come there. */
  release(subscription: Subscription): void {
    this.#wake((each) => each === subscription);
  }

  /**
   * Hands a subscription what memory holds after its position, and makes it live in the same turn when that was all:
   * replay and live meet without a seam because nothing can come in between. Its position must not be older than
   * `recent.since`, nor newer than `position`. False when there is more: call again once the reader has caught up. True when
   * nothing is left to do, also because the subscription has ended.
   */
  join(subscription: Subscription, progress: Progress): boolean {
    const { messages, complete } = this.recent.after(subscription.channels, subscription.position, REPLAY_CHUNK_BYTES);
    this.handOver(subscription, messages, progress);
    // The write itself may have ended it, as too slow.
    if (subscription.ended) return true;
    if (!complete) return false;
    subscription.state = 'live';
    for (const name of subscription.channels) {
      let channel = this.channels.get(name);
      if (channel === undefined) {
        channel = new Channel();
        this.channels.set(name, channel);
      }
      channel.subscriptions.add(subscription);
    }
    return true;
  }

  /** Takes a live subscription out of the sets of these of its channels. */
  leave(subscription: Subscription, channels = subscription.channels): void {
    for (const name of channels) {
      const channel = this.channels.get(name);
      if (channel === undefined) continue;
      channel.subscriptions.delete(subscription);
      if (channel.subscriptions.size === 0) this.channels.delete(name);
    }
  }

  /**
   * Hands replayed messages, which must come right after its position, to a subscription that is not live. Those that have
   * expired are left out, and told as a gap where they were promised.
   */
  handOver(subscription: Subscription, messages: readonly EncodedMessage[], progress: Progress): void {
    const last = messages.at(-1);
    if (last === undefined) return;
    const { connection, position } = subscription;
    const nowMs = this.#clock();
    let alive = messages;
    if (messages.some((message) => hasExpired(message, nowMs))) {
      const missing = messages.filter((each) => hasExpired(each, nowMs) && progress.promises(each.message.id));
      alive = messages.filter((message) => !hasExpired(message, nowMs));
      if (missing.length > 0) {
        progress.outcome = 'gap';
        tellGap(this.#metrics, subscription, position, 'expired', channelsOf(missing));
      }
    }
    subscription.position = last.message.id;
    if (alive.length === 0) return;
    const bytes = connection.deliver(new Batch([...alive]));
    this.#metrics.delivered(connection.transport, alive.length, bytes);
    this.recent.trim();
  }

  /** Every live subscription, once. */
  live(): Set<Subscription> {
    const all = new Set<Subscription>();
    for (const channel of this.channels.values())
      for (const subscription of channel.subscriptions) all.add(subscription);
    return all;
  }

  #handOut(channels: readonly Channel[]): void {
    const connections: Connection[] = [];
    for (const channel of channels) {
      for (const { connection } of channel.subscriptions) {
        if (connection.touched === null) {
          connection.touched = channel;
          connections.push(connection);
        } else if (connection.alsoTouched === null) connection.alsoTouched = [connection.touched, channel];
        else connection.alsoTouched.push(channel);
      }
    }
    const merged = new MergedBatches();
    const counts = new DeliveryCounts();
    let failure: unknown;
    try {
      for (const connection of connections) {
        const { touched, alsoTouched } = connection;
        const batch = alsoTouched === null ? touched?.batch : merged.of(alsoTouched);
        if (!batch) continue;
        try {
          counts.add(connection.transport, batch.messages.length, connection.deliver(batch));
        } catch (error) {
          // Whoever cannot be served is sent to come back with its cursor: that loses nothing, going on would.
          failure ??= error;
          connection.close('internal');
        }
      }
      const oldest = channels[0]?.batch?.messages[0];
      if (oldest !== undefined) this.#metrics.deliveryLag((Date.now() - idTime(oldest.message.id)) / 1000);
    } finally {
      for (const connection of connections) {
        connection.touched = null;
        connection.alsoTouched = null;
      }
      for (const channel of channels) channel.batch = null;
      counts.report(this.#metrics);
    }
    // The tail logs it, and goes on.
    if (failure !== undefined) throw failure;
  }

  #wakeReached(): void {
    this.#wake(({ position }) => compareIds(position, this.position) <= 0);
  }

  #wake(whose: (subscription: Subscription) => boolean): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiting = this.#waiting[i];
      if (waiting === undefined || !whose(waiting.subscription)) continue;
      this.#waiting.splice(i, 1);
      waiting.wake();
    }
  }
}

function channelsOf(messages: readonly EncodedMessage[]): string[] {
  return [...new Set(messages.map(({ message }) => message.channel))];
}

/** What one batch came to, per transport, so that the metrics are told once. */
class DeliveryCounts {
  readonly #messages: Record<Transport, number> = { sse: 0, websocket: 0, http: 0 };
  readonly #bytes: Record<Transport, number> = { sse: 0, websocket: 0, http: 0 };

  add(transport: Transport, messages: number, bytes: number): void {
    this.#messages[transport] += messages;
    this.#bytes[transport] += bytes;
  }

  report(metrics: Metrics): void {
    for (const transport of TRANSPORTS)
      if (this.#messages[transport] > 0)
        metrics.delivered(transport, this.#messages[transport], this.#bytes[transport]);
  }
}
