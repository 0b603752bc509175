import { FanfareError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { idTime, type Message, type NewMessage, partitionOf } from '../../message.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Retention } from '../../retention.ts';
import type { Appended, HistoryPage, Log, TailListener } from '../log.ts';
import { EmbeddedSharedState } from './embedded-shared-state.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { EmbeddedPartition } from './partition.ts';

/** Memory for messages, about, over all partitions. The oldest go first, and who asks for them is told of a gap. */
const MAX_BYTES = 128 * 1024 * 1024;

export interface EmbeddedLogOptions extends Retention {
  /** ≥ 1. */
  readonly partitions: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Memory for messages, about. Default: 128 MiB. */
  readonly maxBytes?: number;
  /** Milliseconds since 1970. Default: the system's. */
  readonly clock?: () => number;
}

/** A log in this process' memory, for one node: what it holds ends with the process. */
export function createEmbeddedLog(options: EmbeddedLogOptions): Log {
  return new EmbeddedLog(options);
}

class EmbeddedLog implements Log {
  readonly partitions: number;
  readonly source = 'memory';
  readonly shared: EmbeddedSharedState;
  readonly #options: EmbeddedLogOptions;
  readonly #clock: () => number;
  readonly #partitions: readonly EmbeddedPartition[];
  readonly #keys = new IdempotencyKeys();
  /** What was appended in this turn of the event loop, by partition. */
  readonly #news = new Map<number, Message[]>();
  #listener: TailListener | undefined;
  #handingOn: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(options: EmbeddedLogOptions) {
    const { partitions, maxBytes = MAX_BYTES, clock = Date.now } = options;
    this.partitions = partitions;
    this.#options = options;
    this.#clock = clock;
    this.shared = new EmbeddedSharedState(clock);
    const now = clock();
    this.#partitions = Array.from(
      { length: partitions },
      () => new EmbeddedPartition(options, maxBytes / partitions, now),
    );
  }

  get trouble(): string | undefined {
    if (this.#closed) return 'the log is closed';
    return this.#listener === undefined ? 'the log is not followed yet' : undefined;
  }

  async follow(listener: TailListener, recentBytes: number): Promise<void> {
    if (this.#closed) return;
    this.#listener = listener;
    for (const [number, partition] of this.#partitions.entries()) {
      const { messages, after } = partition.newest(recentBytes / this.partitions, this.#clock());
      this.#tell(() => listener.floor(number, partition.floor));
      if (after !== partition.floor) this.#tell(() => listener.skipped(number, partition.floor, after));
      if (messages.length > 0) this.#tell(() => listener.deliver(number, messages, partition.end));
    }
  }

  async append(message: NewMessage): Promise<Appended> {
    if (this.#closed) throw new FanfareError('log_unavailable', 'The log is closed. The message was not published.');
    const now = this.#clock();
    const { channel, idempotencyKey } = message;
    if (idempotencyKey !== undefined) {
      const first = this.#keys.find(channel, idempotencyKey, now);
      if (first !== undefined) return { id: first, replayed: true };
    }
    const number = partitionOf(channel, this.partitions);
    const appended = this.#partition(number).append(message, now);
    if (idempotencyKey !== undefined) this.#keys.use(channel, idempotencyKey, appended.id, now);
    if (this.#listener !== undefined) this.#announce(number, appended);
    return { id: appended.id, replayed: false };
  }

  appendMany(messages: readonly NewMessage[]): Promise<readonly (Appended | Error)[]> {
    return Promise.all(messages.map((message) => this.append(message).catch((error: Error) => error)));
  }

  async historyAfter(channel: string, after: string, limit: number): Promise<HistoryPage> {
    return this.#partition(partitionOf(channel, this.partitions)).after(channel, after, limit, this.#clock());
  }

  async historyLast(channel: string, limit: number): Promise<readonly Message[]> {
    return this.#partition(partitionOf(channel, this.partitions)).last(channel, limit, this.#clock());
  }

  async end(partition: number): Promise<string> {
    return this.#partition(partition).end;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.shared.close();
    clearImmediate(this.#handingOn);
    this.#handingOn = undefined;
    this.#news.clear();
  }

  #announce(partition: number, message: Message): void {
    const news = this.#news.get(partition);
    if (news === undefined) this.#news.set(partition, [message]);
    else news.push(message);
    // After the turn's I/O, not after each callback: what many requests published in one turn is one batch.
    this.#handingOn ??= setImmediate(() => this.#handOn());
  }

  #handOn(): void {
    this.#handingOn = undefined;
    const news = [...this.#news];
    this.#news.clear();
    for (const [partition, messages] of news) {
      const end = messages.at(-1)?.id;
      if (end === undefined) continue;
      this.#options.metrics.tailLag(Math.max(0, this.#clock() - idTime(end)) / 1000);
      this.#tell((listener) => listener.deliver(partition, messages, end));
    }
  }

  /** An error of the listener must not reach whoever published, or stop what follows. */
  #tell(call: (listener: TailListener) => void): void {
    if (this.#listener === undefined) return;
    try {
      call(this.#listener);
    } catch (error) {
      this.#options.metrics.logError('tail');
      this.#options.logger.error({ err: error }, 'what the tail brought could not be handed on');
    }
  }

  #partition(number: number): EmbeddedPartition {
    const partition = this.#partitions[number];
    if (partition === undefined) throw new RangeError(`there is no partition ${number}`);
    return partition;
  }
}
