import { compareIds, type GapReason, idTime, type Message, type NewMessage } from '../../message.ts';
import { Queue } from '../../queue.ts';
import { keptOf, longestTtlSeconds, type Retention } from '../../retention.ts';
import { expiryBound } from '../completeness.ts';
import { aliveIn, type HistoryEntry, MAX_LAST_SIZE, pageOf } from '../history-page.ts';
import type { HistoryPage } from '../log.ts';

/** What a message takes in memory besides its data, about. */
const OVERHEAD_BYTES = 300;
/** What a channel takes that has messages, about: counting it bounds their number too. */
const CHANNEL_BYTES = 500;
/** Characters that make V8 keep a text with two bytes for each. */
const WIDE = /[^\0-\xff]/;

function bytesOf({ data }: Message): number {
  return (WIDE.test(data) ? 2 : 1) * data.length + OVERHEAD_BYTES;
}

/** One partition of the embedded log: its messages in one order, and the same ones by channel. */
export class EmbeddedPartition {
  /** Nothing from before this process is known. */
  readonly floor: string;
  readonly #retention: Retention;
  readonly #ttlSeconds: number;
  readonly #maxBytes: number;
  readonly #log = new Queue<Message>();
  readonly #channels = new Map<string, Queue<HistoryEntry>>();
  #bytes = 0;
  /** Newest id. */
  #end: string;
  /** Newest id that was removed because of its age, or to make room. Messages go strictly oldest first for these. */
  #removed: string;

  constructor(retention: Retention, maxBytes: number, nowMs: number) {
    this.#retention = retention;
    this.#ttlSeconds = longestTtlSeconds(retention);
    this.#maxBytes = maxBytes;
    this.floor = `${nowMs}-0`;
    this.#end = this.floor;
    this.#removed = this.floor;
  }

  get end(): string {
    return this.#end;
  }

  append({ channel, event, data, ttlSeconds }: NewMessage, nowMs: number): Message {
    this.#expire(nowMs);
    const id = this.#nextId(nowMs);
    const message: Message = {
      id,
      channel,
      ...(event === undefined ? {} : { event }),
      data: ownCopy(data),
      ...(ttlSeconds === undefined ? {} : { expiresMs: idTime(id) + ttlSeconds * 1000 }),
    };
    let history = this.#channels.get(channel);
    if (history === undefined) {
      history = new Queue();
      this.#channels.set(channel, history);
      this.#bytes += CHANNEL_BYTES;
    }
    const { historySize } = keptOf(this.#retention, channel);
    const place = { id, previous: history.newest?.id ?? this.#removed };
    history.push(historySize === 0 ? place : { ...place, message });
    if (history.length > Math.max(1, historySize)) history.shift();
    this.#log.push(message);
    this.#bytes += bytesOf(message);
    while (this.#bytes > this.#maxBytes && this.#log.length > 1) this.#removeOldest();
    return message;
  }

  after(channel: string, after: string, limit: number, nowMs: number): HistoryPage {
    this.#expire(nowMs);
    const history = this.#channels.get(channel) ?? new Queue<HistoryEntry>();
    const bound = this.#bound(channel, nowMs);
    const end = history.newest?.id ?? this.#removed;
    let gap: GapReason | undefined;
    let from = after;
    let start = history.findFirst(({ id }) => compareIds(id, after) > 0);
    for (;;) {
      const entries = history.slice(start, Math.min(start + limit, history.length));
      start += entries.length;
      const page = pageOf({ after: from, entries, more: start < history.length, end, bound, nowMs });
      gap ??= page.gap;
      // A page of which nothing is left is none.
      if (page.messages.length > 0 || !page.more) return gap === undefined ? page : { ...page, gap };
      from = entries.at(-1)?.id ?? from;
    }
  }

  last(channel: string, limit: number, nowMs: number): Message[] {
    this.#expire(nowMs);
    const history = this.#channels.get(channel);
    const messages: Message[] = [];
    const bound = this.#bound(channel, nowMs);
    let size = 0;
    for (let i = (history?.length ?? 0) - 1; i >= 0 && messages.length < limit && size < MAX_LAST_SIZE; i--) {
      const entry = history?.at(i);
      const message = entry === undefined ? undefined : aliveIn(entry, bound, nowMs);
      if (message === undefined) continue;
      messages.push(message);
      size += message.data.length;
    }
    return messages.reverse();
  }

  /** The newest messages, up to `maxBytes` of data, oldest first, and the id after which they are all that there is. */
  newest(maxBytes: number, nowMs: number): { messages: Message[]; after: string } {
    this.#expire(nowMs);
    const { length } = this.#log;
    let start = length;
    let bytes = 0;
    for (; start > 0; start--) {
      bytes += this.#log.at(start - 1)?.data.length ?? 0;
      if (bytes > maxBytes) break;
    }
    return { messages: this.#log.slice(start, length), after: this.#log.at(start - 1)?.id ?? this.#removed };
  }

  /** Later than all before, also when the clock was set back. */
  #nextId(nowMs: number): string {
    const dash = this.#end.indexOf('-');
    const lastMs = idTime(this.#end);
    this.#end = nowMs > lastMs ? `${nowMs}-0` : `${lastMs}-${Number(this.#end.slice(dash + 1)) + 1}`;
    return this.#end;
  }

  #bound(channel: string, nowMs: number): string {
    return expiryBound(nowMs, keptOf(this.#retention, channel).historyTtlSeconds);
  }

  #expire(nowMs: number): void {
    const bound = expiryBound(nowMs, this.#ttlSeconds);
    for (let oldest = this.#log.at(0); oldest !== undefined; oldest = this.#log.at(0)) {
      if (compareIds(oldest.id, bound) >= 0) break;
      this.#removeOldest();
    }
  }

  #removeOldest(): void {
    const message = this.#log.shift();
    if (message === undefined) return;
    this.#bytes -= bytesOf(message);
    this.#removed = message.id;
    const history = this.#channels.get(message.channel);
    // The history may have let go of it before, being full.
    if (history?.at(0)?.id !== message.id) return;
    history.shift();
    if (history.length > 0) return;
    this.#channels.delete(message.channel);
    this.#bytes -= CHANNEL_BYTES;
  }
}

/** The text in memory of its own: a part of a request's text would keep the whole request's alive. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}
