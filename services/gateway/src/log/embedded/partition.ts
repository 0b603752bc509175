import { compareIds, idTime, type Message, type NewMessage } from '../../message.ts';
import { Queue } from '../../queue.ts';
import type { HistoryPage } from '../log.ts';
import { expiryBound, judgeGap, type Retention } from '../retention.ts';

/** What a message takes in memory besides its data, about. Counting it bounds the number of channels too. */
const OVERHEAD_BYTES = 300;

interface Entry {
  readonly message: Message;
  /** Id of the channel's message before; when none is held, the newest that can have been removed. */
  readonly previous: string;
}

function bytesOf({ message }: Entry): number {
  return message.data.length + OVERHEAD_BYTES;
}

/** One partition of the embedded log: its messages in one order, and the same ones by channel. */
export class EmbeddedPartition {
  /** Nothing from before this process is known. */
  readonly floor: string;
  readonly #retention: Retention;
  readonly #maxBytes: number;
  readonly #log = new Queue<Entry>();
  readonly #channels = new Map<string, Queue<Entry>>();
  #bytes = 0;
  /** Newest id. */
  #end: string;
  /** Newest id that was removed because of its age, or to make room. Messages go strictly oldest first for these. */
  #removed: string;

  constructor(retention: Retention, maxBytes: number, nowMs: number) {
    this.#retention = retention;
    this.#maxBytes = maxBytes;
    this.floor = `${nowMs}-0`;
    this.#end = this.floor;
    this.#removed = this.floor;
  }

  get end(): string {
    return this.#end;
  }

  append({ channel, event, data }: NewMessage, nowMs: number): Message {
    this.#expire(nowMs);
    const id = this.#nextId(nowMs);
    const kept = ownCopy(data);
    const message: Message = event === undefined ? { id, channel, data: kept } : { id, channel, event, data: kept };
    let history = this.#channels.get(channel);
    if (history === undefined) {
      history = new Queue();
      this.#channels.set(channel, history);
    }
    const entry = { message, previous: history.newest?.message.id ?? this.#removed };
    history.push(entry);
    if (history.length > this.#retention.historySize) history.shift();
    this.#log.push(entry);
    this.#bytes += bytesOf(entry);
    while (this.#bytes > this.#maxBytes && this.#log.length > 1) this.#removeOldest();
    return message;
  }

  after(channel: string, after: string, limit: number, nowMs: number): HistoryPage {
    this.#expire(nowMs);
    const history = this.#channels.get(channel);
    const start = history?.findFirst(({ message }) => compareIds(message.id, after) > 0) ?? 0;
    const entries = history?.slice(start, start + limit) ?? [];
    const since = entries[0]?.previous ?? history?.newest?.message.id ?? this.#removed;
    const gap = judgeGap(after, since, expiryBound(nowMs, this.#retention.historyTtlSeconds));
    const more = history !== undefined && start + entries.length < history.length;
    const page = { messages: entries.map(({ message }) => message), more };
    return gap === undefined ? page : { ...page, gap };
  }

  last(channel: string, limit: number, nowMs: number): Message[] {
    this.#expire(nowMs);
    const history = this.#channels.get(channel);
    if (history === undefined) return [];
    return history.slice(Math.max(0, history.length - limit), history.length).map(({ message }) => message);
  }

  /** The newest messages, up to `maxBytes` of data, oldest first, and the id after which they are all that there is. */
  newest(maxBytes: number, nowMs: number): { messages: Message[]; after: string } {
    this.#expire(nowMs);
    const { length } = this.#log;
    let start = length;
    let bytes = 0;
    for (; start > 0; start--) {
      const entry = this.#log.at(start - 1);
      bytes += entry?.message.data.length ?? 0;
      if (bytes > maxBytes) break;
    }
    const before = start === 0 ? this.#removed : (this.#log.at(start - 1)?.message.id ?? this.#removed);
    return { messages: this.#log.slice(start, length).map(({ message }) => message), after: before };
  }

  /** Later than all before, also when the clock was set back. */
  #nextId(nowMs: number): string {
    const dash = this.#end.indexOf('-');
    const lastMs = idTime(this.#end);
    this.#end = nowMs > lastMs ? `${nowMs}-0` : `${lastMs}-${Number(this.#end.slice(dash + 1)) + 1}`;
    return this.#end;
  }

  #expire(nowMs: number): void {
    const bound = expiryBound(nowMs, this.#retention.historyTtlSeconds);
    for (let oldest = this.#log.at(0); oldest !== undefined; oldest = this.#log.at(0)) {
      if (compareIds(oldest.message.id, bound) >= 0) break;
      this.#removeOldest();
    }
  }

  #removeOldest(): void {
    const entry = this.#log.shift();
    if (entry === undefined) return;
    this.#bytes -= bytesOf(entry);
    this.#removed = entry.message.id;
    const { channel } = entry.message;
    const history = this.#channels.get(channel);
    // The history may have let go of it before, being full.
    if (history?.at(0) !== entry) return;
    history.shift();
    if (history.length === 0) this.#channels.delete(channel);
  }
}

/** The text in memory of its own: a part of a request's text would keep the whole request's alive. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}
