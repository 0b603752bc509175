import { compareIds, ZERO_ID } from '../message.ts';
import { Queue } from '../queue.ts';
import type { EncodedMessage, MemoryUse } from '../wire/encoded-message.ts';
import { hasExpired } from './expiry.ts';

/** What a channel of which something is held takes besides its messages: its queue, and its place in the map. */
export const CHANNEL_BYTES = 500;

/**
 * One partition's newest messages, held in memory so that a reconnect storm costs no read of the log.
 * Bounded by bytes, of what the messages have been encoded to as well; the oldest go first. Everything after `since` is here.
 */
export class Recent {
  readonly #maxBytes: number;
  readonly #all = new Queue<EncodedMessage>();
  readonly #byChannel = new Map<string, Queue<EncodedMessage>>();
  readonly #memory: MemoryUse = { bytes: 0 };
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

  /** Adds the newest message, and trims. */
  push(message: EncodedMessage): void {
    this.#all.push(message);
    let queue = this.#byChannel.get(message.message.channel);
    if (queue === undefined) {
      queue = new Queue();
      this.#byChannel.set(message.message.channel, queue);
      this.#memory.bytes += CHANNEL_BYTES;
    }
    queue.push(message);
    message.keep(this.#memory);
    this.trim();
  }

  /**
   * Lets go of the oldest messages while all take more than the limit. To be called after messages that are held here were
   * handed to somebody, which may have encoded them.
   */
  trim(): void {
    while (this.#memory.bytes > this.#maxBytes && this.#all.length > 1) this.#evict();
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
    const heads: Head[] = [];
    for (const channel of channels) {
      const queue = this.#byChannel.get(channel);
      if (queue === undefined) continue;
      const index = queue.findFirst((each) => compareIds(each.message.id, after) > 0);
      if (index < queue.length) heads.push({ queue, index });
    }
    const messages: EncodedMessage[] = [];
    let bytes = 0;
    while (heads.length > 0) {
      if (bytes >= maxBytes) return { messages, complete: false };
      let oldest = 0;
      for (let i = 1; i < heads.length; i++) if (isOlder(heads[i], heads[oldest])) oldest = i;
      const head = heads[oldest];
      const message = head?.queue.at(head.index++);
      if (head === undefined || message === undefined) break;
      messages.push(message);
      bytes += message.message.data.length;
      if (head.index === head.queue.length) heads.splice(oldest, 1);
    }
    return { messages, complete: true };
  }

  /**
   * Up to `limit` of the channel's newest messages that have not expired at `nowMs`, oldest first; undefined when fewer than
   * `limit` are held here.
   */
  last(channel: string, limit: number, nowMs: number): EncodedMessage[] | undefined {
    const queue = this.#byChannel.get(channel);
    if (queue === undefined || queue.length < limit) return undefined;
    const messages: EncodedMessage[] = [];
    for (let i = queue.length - 1; i >= 0 && messages.length < limit; i--) {
      const message = queue.at(i);
      if (message !== undefined && !hasExpired(message, nowMs)) messages.push(message);
    }
    return messages.length < limit ? undefined : messages.reverse();
  }

  #evict(): void {
    const oldest = this.#all.shift();
    if (oldest === undefined) return;
    oldest.release();
    this.#since = oldest.message.id;
    const queue = this.#byChannel.get(oldest.message.channel);
    queue?.shift();
    if (queue?.length !== 0) return;
    this.#byChannel.delete(oldest.message.channel);
    this.#memory.bytes -= CHANNEL_BYTES;
  }
}

/** A channel's queue, and the next message of it that is wanted. */
interface Head {
  readonly queue: Queue<EncodedMessage>;
  index: number;
}

function isOlder(a: Head | undefined, b: Head | undefined): boolean {
  const [first, second] = [a?.queue.at(a.index), b?.queue.at(b.index)];
  return first !== undefined && second !== undefined && compareIds(first.message.id, second.message.id) < 0;
}
