import { compareIds, ZERO_ID } from '../message.ts';
import type { EncodedMessage } from '../wire/encoded-message.ts';

/** A queue with an index: the oldest leaves in front without moving the rest, except once in a while. */
class Queue {
  #items: (EncodedMessage | undefined)[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  at(index: number): EncodedMessage {
    return this.#items[this.#start + index] as EncodedMessage;
  }

  push(item: EncodedMessage): void {
    this.#items.push(item);
  }

  shift(): EncodedMessage | undefined {
    const item = this.#items[this.#start];
    if (item === undefined) return undefined;
    this.#items[this.#start++] = undefined;
    if (this.#start > 64 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }

  /** Index of the first message that comes after `id`. */
  firstAfter(id: string): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareIds(this.at(middle).message.id, id) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * One partition's newest messages, held in memory so that a reconnect storm costs no read of the log.
 * Bounded by bytes; the oldest go first. Everything after `since` is here.
 */
export class Recent {
  readonly #maxBytes: number;
  readonly #all = new Queue();
  readonly #byChannel = new Map<string, Queue>();
  #bytes = 0;
  #since = ZERO_ID;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Every message of the partition with a later id than this, up to the newest that was pushed, is held. */
  get since(): string {
    return this.#since;
  }

  /** Forgets everything: what comes next comes after `since`. */
  reset(since: string): void {
    while (this.#all.length > 0) this.#evict();
    this.#since = since;
  }

  /** Adds the newest message, and lets go of the oldest while they take more than the limit. */
  push(message: EncodedMessage): void {
    this.#all.push(message);
    let queue = this.#byChannel.get(message.message.channel);
    if (queue === undefined) {
      queue = new Queue();
      this.#byChannel.set(message.message.channel, queue);
    }
    queue.push(message);
    this.#bytes += message.memoryBytes;
    while (this.#bytes > this.#maxBytes && this.#all.length > 1) this.#evict();
  }

  /**
   * Messages of these channels after `after` (which must not be older than `since`), oldest first, until they hold
   * about `maxBytes` of data; `complete` when these are all.
   */
  after(
    channels: readonly string[],
    after: string,
    maxBytes: number,
  ): { messages: EncodedMessage[]; complete: boolean } {
    const heads: { queue: Queue; index: number }[] = [];
    for (const channel of channels) {
      const queue = this.#byChannel.get(channel);
      if (queue === undefined) continue;
      const index = queue.firstAfter(after);
      if (index < queue.length) heads.push({ queue, index });
    }
    const messages: EncodedMessage[] = [];
    let bytes = 0;
    while (heads.length > 0) {
      if (bytes >= maxBytes) return { messages, complete: false };
      let oldest = 0;
      for (let i = 1; i < heads.length; i++) if (isOlder(heads[i], heads[oldest])) oldest = i;
      const head = heads[oldest] as { queue: Queue; index: number };
      const message = head.queue.at(head.index++);
      messages.push(message);
      bytes += message.message.data.length;
      if (head.index === head.queue.length) heads.splice(oldest, 1);
    }
    return { messages, complete: true };
  }

  /** Up to `limit` of the channel's newest messages, oldest first; undefined when fewer than `limit` are held here. */
  last(channel: string, limit: number): EncodedMessage[] | undefined {
    const queue = this.#byChannel.get(channel);
    if (queue === undefined || queue.length < limit) return undefined;
    return Array.from({ length: limit }, (_, i) => queue.at(queue.length - limit + i));
  }

  #evict(): void {
    const oldest = this.#all.shift();
    if (oldest === undefined) return;
    this.#bytes -= oldest.memoryBytes;
    this.#since = oldest.message.id;
    const queue = this.#byChannel.get(oldest.message.channel);
    queue?.shift();
    if (queue?.length === 0) this.#byChannel.delete(oldest.message.channel);
  }
}

function isOlder(
  a: { queue: Queue; index: number } | undefined,
  b: { queue: Queue; index: number } | undefined,
): boolean {
  return (
    a !== undefined && b !== undefined && compareIds(a.queue.at(a.index).message.id, b.queue.at(b.index).message.id) < 0
  );
}
