import type { History } from '../../src/hub/history.ts';
import { Hub } from '../../src/hub/hub.ts';
import { compareIds, idBefore, type Message } from '../../src/message.ts';
import { silentLogger, silentMetrics } from './silent.ts';
import type { TailedLog } from './tailed-log.ts';

const logger = silentLogger();
const metrics = silentMetrics();

/** A question to the shared log that is under way. */
interface Read {
  /** Looks into the log, if that has not been done. */
  look(): void;
  answer(): void;
  fail(): void;
  looked: boolean;
}

/** A node whose tails move, and whose reads of the history are answered, only when they are told to. */
export class TailedNode {
  readonly hub: Hub;
  /** Oldest first. */
  readonly reads: Read[] = [];
  readonly #log: TailedLog;
  readonly #floors: string[] = [];
  readonly #positions: string[] = [];

  /** `newest`: how many messages of each partition it begins with. */
  constructor(log: TailedLog, recentBytes: number, newest: number) {
    this.#log = log;
    const history: History = {
      partitions: log.partitions,
      source: 'redis',
      historyAfter: (channel, after, limit) => this.#ask(() => log.historyAfter(channel, after, limit)),
      historyLast: (channel, limit) => this.#ask(() => log.historyLast(channel, limit)),
      end: (partition) => this.#ask(() => log.end(partition)),
    };
    this.hub = new Hub(history, recentBytes, metrics, logger, () => log.nowMs);
    for (let partition = 0; partition < log.partitions; partition++) this.#begin(partition, newest);
  }

  /** The floor that the node knows. */
  floor(partition: number): string {
    return this.#floors[partition] ?? '0-0';
  }

  /** The tail brings up to `count` entries, after it has said what it had to skip. */
  advance(partition: number, count: number): void {
    this.#skipTrimmed(partition);
    let messages: Message[] = [];
    const entries = this.#log.entriesAfter(partition, this.#position(partition)).slice(0, count);
    const deliver = (): void => {
      const delivered = messages;
      messages = [];
      this.hub.deliver(partition, delivered, this.#position(partition));
    };
    for (const { id, message } of entries) {
      if (message !== undefined) messages.push(message);
      else {
        if (messages.length > 0) deliver();
        this.#tellFloor(partition, id);
      }
      this.#positions[partition] = id;
    }
    if (entries.length > 0) deliver();
  }

  #begin(partition: number, newest: number): void {
    const floor = this.#log.floor(partition);
    this.#tellFloor(partition, floor);
    this.#positions[partition] = floor;
    const entries = this.#log.entriesAfter(partition, floor);
    const first = entries[Math.max(0, entries.length - newest)];
    const from = first === undefined ? this.#log.end(partition) : idBefore(first.id);
    const skips = entries.length > newest || this.#log.trimmedPast(partition, floor);
    if (skips && compareIds(from, floor) > 0) this.#skip(partition, floor, from);
    this.advance(partition, newest);
  }

  #skipTrimmed(partition: number): void {
    const position = this.#position(partition);
    const [oldest] = this.#log.entriesAfter(partition, position);
    if (!this.#log.trimmedPast(partition, position)) return;
    // Whoever opens the log is told of its floor, wherever the marker is.
    const floor = this.#log.floor(partition);
    this.#tellFloor(partition, floor);
    // A marker says more than that something was trimmed.
    if (oldest?.message === undefined) return;
    const before = idBefore(oldest.id);
    const after = compareIds(floor, before) <= 0 && compareIds(floor, position) > 0 ? floor : position;
    if (compareIds(before, after) > 0) this.#skip(partition, after, before);
  }

  #tellFloor(partition: number, floor: string): void {
    if (compareIds(floor, this.floor(partition)) <= 0) return;
    this.#floors[partition] = floor;
    this.hub.floor(partition, floor);
  }

  #skip(partition: number, after: string, position: string): void {
    this.#positions[partition] = position;
    this.hub.skipped(partition, after, position);
  }

  #position(partition: number): string {
    return this.#positions[partition] ?? '0-0';
  }

  #ask<Answer>(look: () => Answer): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    let found: Answer | undefined;
    const settle = (): void => {
      this.reads.splice(this.reads.indexOf(read), 1);
    };
    const read: Read = {
      looked: false,
      look() {
        if (!this.looked) found = look();
        this.looked = true;
      },
      answer() {
        this.look();
        settle();
        resolve(found as Answer);
      },
      fail() {
        settle();
        reject(new Error('the log cannot be read'));
      },
    };
    this.reads.push(read);
    return promise;
  }
}
