import type { GapReason, Message, NewMessage } from '../message.ts';
import type { SharedState } from './shared-state.ts';

/**
 * How long an idempotency key holds: a retry within it gets the first one's id. Long enough for a publisher that was
 * down for a deploy, short enough that a key costs Redis nothing for long.
 */
export const IDEMPOTENCY_TTL_SECONDS = 3_600;

/** A message's place in the log after an append. */
export interface Appended {
  readonly id: string;
  /** True when an earlier append with the same idempotency key had already taken it; `id` is that first one's. */
  readonly replayed: boolean;
}

/** What one look into a channel's history found. */
export interface HistoryPage {
  /** Oldest first. */
  readonly messages: readonly Message[];
  /** True when there may be more after the last of `messages`. */
  readonly more: boolean;
  /** Set when some message between the asked-for id and the first of `messages` is gone. */
  readonly gap?: GapReason;
}

/**
 * Where the tail hands on what it reads. Calls for one partition come one after another, in the log's order. They must
 * not throw: an error is logged, and the tail goes on after what that call brought.
 *
 * A partition starts with `floor`; then `skipped` from the floor on, when the log has more (or had more) than the newest
 * messages that were asked for; then those, by `deliver`, when there are any. From then on the listener knows where the
 * tail stands by the last of its calls: the floor, or the `position`.
 */
export interface TailListener {
  /**
   * Cursors below `floor` can no longer be trusted to be complete. Called first of all, and again as soon as it is known that the
   * floor rises (a Redis that came back empty or rewound): whoever followed the partition may have missed messages after
   * the tail's position, or after `goneAfter` where that is older. What the log holds up to the floor is still delivered.
   */
  floor(partition: number, floor: string, goneAfter?: string): void;
  /** `messages` (maybe none) follow on all that was delivered before; the tail now stands at `position`. */
  deliver(partition: number, messages: readonly Message[], position: string): void;
  /**
   * What the log held after `after` up to `position` is not delivered, and can be read from the channels' histories
   * only: at the start what is older than the newest messages, later what was trimmed before the tail came to it. The
   * tail goes on from `position`: the next entry that it brings is the oldest one that the log still holds after it.
   * `position` need not be the id of a message. After the start, `after` is where the tail stood, or the floor when
   * that rose in what was trimmed.
   */
  skipped(partition: number, after: string, position: string): void;
}

/**
 * The shared log: every message of every node, in one order per partition, and each channel's history.
 * One contract suite holds all implementations to this.
 */
export interface Log {
  /** How many partitions there are, ≥ 1. */
  readonly partitions: number;
  /** Where a replay from here comes from, for the metrics. */
  readonly source: 'memory' | 'redis';
  /** Small things beside the log that all nodes share, each for a time. */
  readonly shared: SharedState;

  /**
   * Makes the log where there is none, hands the newest messages (as many as the log still holds since its floor, up to
   * `recentBytes` of data over all partitions, oldest first) to the listener, and then follows every partition until
   * `close`. Resolves when each partition has been read to the end that it had at the call, and appends can be taken;
   * retries until then. Also resolves when the log is closed meanwhile. To be called once.
   */
  follow(listener: TailListener, recentBytes: number): Promise<void>;

  /**
   * Appends one message, atomically with its history and its idempotency key.
   * Rejects with FanfareError `log_unavailable` (surely not appended), `log_timeout` or `not_replicated` (it may have been).
   */
  append(message: NewMessage): Promise<Appended>;

  /** Appends many in one round trip per partition. The outcomes stand in the order of the messages. Never rejects. */
  appendMany(messages: readonly NewMessage[]): Promise<readonly (Appended | Error)[]>;

  /**
   * Up to `limit` (≥ 1) messages of the channel that come after the id `after`; fewer when they are large. Judges whether something after `after`
   * is gone (see HistoryPage.gap): never "whole" when something is; the floor is the caller's to judge. Messages older
   * than the history's time to live count as gone. Rejects with FanfareError `log_unavailable`.
   */
  historyAfter(channel: string, after: string, limit: number): Promise<HistoryPage>;

  /**
   * Up to `limit` of the newest messages that the channel's history holds, and about 1 MiB of them, oldest first. Rejects
   * like historyAfter.
   */
  historyLast(channel: string, limit: number): Promise<readonly Message[]>;

  /** The id of the newest entry in the partition's log; ZERO_ID when there is no log. Rejects like historyAfter. */
  end(partition: number): Promise<string>;

  /**
   * Undefined while appends can be taken and the tails are known to follow the log: each gets answers in time, and brings what this node
   * appends and what others see at its end. Else why not, in a line for who looks after the node, with no secrets; so also before `follow`.
   * Changes are logged by the implementation.
   */
  readonly trouble: string | undefined;

  /** Stops following and lets go of every connection and timer. */
  close(): Promise<void>;
}
