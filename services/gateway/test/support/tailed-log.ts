import { EmbeddedPartition } from '../../src/log/embedded/partition.ts';
import type { HistoryPage } from '../../src/log/log.ts';
import { compareIds, type Message, type NewMessage, partitionOf } from '../../src/message.ts';
import type { Retention } from '../../src/retention.ts';

const START_MS = 1_763_600_000_000;
const ROOMY = 1e9;

/** What a partition's log holds: a message, or a marker, whose id is a floor. */
export interface LogEntry {
  readonly id: string;
  readonly message?: Message;
}

interface Written extends LogEntry {
  readonly sent?: NewMessage;
  readonly atMs: number;
}

/** One partition: what tails read, and the histories. */
class TailedPartition {
  readonly retention: Retention;
  histories: EmbeddedPartition;
  /** Oldest first, with those that were trimmed. */
  written: Written[] = [];
  /** How many of the oldest were trimmed. */
  trimmed = 0;
  floor: string;

  constructor(retention: Retention) {
    this.retention = retention;
    this.histories = new EmbeddedPartition(retention, ROOMY, START_MS);
    this.floor = this.histories.floor;
  }

  /** Forgets the newest messages, in the log and in the histories, as a Redis does that comes back without its last writes. */
  rewind(count: number): void {
    const marker = this.written.findLastIndex(({ message }) => message === undefined);
    const kept = Math.max(this.written.length - count, marker + 1, this.trimmed);
    this.written = this.written.slice(0, kept);
    this.histories = new EmbeddedPartition(this.retention, ROOMY, START_MS);
    for (const { sent, atMs } of this.written) if (sent !== undefined) this.histories.append(sent, atMs);
  }
}

/** A shared log whose tails are moved by hand, with a clock of its own. Each append has a millisecond of its own. */
export class TailedLog {
  readonly partitions: number;
  /** Every message that was ever appended, by channel, oldest first; also those that were lost. */
  readonly appended = new Map<string, Message[]>();
  nowMs = START_MS;
  /** Messages that were lost in a rewind, by id: the floor that says so. */
  readonly lost = new Map<string, string>();
  /** Ids of messages that were gone before a rewind. It may have brought them back, but for reads that were under way. */
  readonly #wereGone = new Set<string>();
  readonly #partitions: readonly TailedPartition[];

  constructor(partitions: number, retention: Retention) {
    this.partitions = partitions;
    this.#partitions = Array.from({ length: partitions }, () => new TailedPartition(retention));
  }

  append(sent: NewMessage): void {
    const partition = this.#of(sent.channel);
    const atMs = ++this.nowMs;
    const message = partition.histories.append(sent, atMs);
    partition.written.push({ id: message.id, message, sent, atMs });
    const before = this.appended.get(sent.channel);
    if (before === undefined) this.appended.set(sent.channel, [message]);
    else before.push(message);
  }

  /** Loses the newest messages of a partition, and says so with a marker. */
  rewind(number: number, count: number): void {
    const partition = this.#at(number);
    for (const channel of this.appended.keys())
      if (this.#of(channel) === partition) for (const id of this.gone(channel, '0-0')) this.#wereGone.add(id);
    const before = partition.written;
    partition.rewind(count);
    const atMs = ++this.nowMs;
    partition.floor = `${atMs}-0`;
    for (const { id } of before.slice(partition.written.length)) this.lost.set(id, partition.floor);
    partition.written.push({ id: partition.floor, atMs });
  }

  /** Removes all but the newest entries (≥ 1) of what tails read; the histories stay. */
  trim(number: number, keep: number): void {
    const partition = this.#at(number);
    partition.trimmed = Math.max(partition.trimmed, partition.written.length - keep);
  }

  floor(partition: number): string {
    return this.#at(partition).floor;
  }

  end(partition: number): string {
    return this.#at(partition).written.at(-1)?.id ?? this.floor(partition);
  }

  /** What a tail that stands at `position` can read. */
  entriesAfter(number: number, position: string): readonly LogEntry[] {
    const { written, trimmed } = this.#at(number);
    return written.slice(trimmed).filter(({ id }) => compareIds(id, position) > 0);
  }

  /** True when entries after `position` were trimmed. */
  trimmedPast(number: number, position: string): boolean {
    const { written, trimmed } = this.#at(number);
    const newest = written[trimmed - 1];
    return newest !== undefined && compareIds(newest.id, position) > 0;
  }

  /** Ids of the channel's messages after `after` that the histories do not hold, or did not hold once. */
  gone(channel: string, after: string): string[] {
    const held = new Set(this.historyLast(channel, Number.MAX_SAFE_INTEGER).map(({ id }) => id));
    const ids = (this.appended.get(channel) ?? []).map(({ id }) => id).filter((id) => compareIds(id, after) > 0);
    return ids.filter((id) => !held.has(id) || this.#wereGone.has(id));
  }

  historyAfter(channel: string, after: string, limit: number): HistoryPage {
    return this.#of(channel).histories.after(channel, after, limit, this.nowMs);
  }

  historyLast(channel: string, limit: number): readonly Message[] {
    return this.#of(channel).histories.last(channel, limit, this.nowMs);
  }

  #of(channel: string): TailedPartition {
    return this.#at(partitionOf(channel, this.partitions));
  }

  #at(number: number): TailedPartition {
    const partition = this.#partitions[number];
    if (partition === undefined) throw new RangeError(`there is no partition ${number}`);
    return partition;
  }
}
