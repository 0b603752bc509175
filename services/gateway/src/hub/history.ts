import type { GapReason, Message } from '../message.ts';
import { EncodedMessage } from '../wire/encoded-message.ts';

/** The channels' shared history, as the hub needs it for what is older than its own memory. */
export interface History {
  readonly partitions: number;
  readonly source: 'memory' | 'redis';
  /** Up to `limit` messages after `after`, oldest first; `gap` when something between the two is gone. */
  historyAfter(
    channel: string,
    after: string,
    limit: number,
  ): Promise<{ messages: readonly Message[]; more: boolean; gap?: GapReason }>;
  /** Up to `limit` of the newest messages, oldest first. */
  historyLast(channel: string, limit: number): Promise<readonly Message[]>;
  /** The id of the newest entry of the partition's log. */
  end(partition: number): Promise<string>;
}

/** An answer of the history, and the place of this node's tail when it was asked: up to there it is whole. */
export interface Answer {
  readonly messages: readonly EncodedMessage[];
  readonly more: boolean;
  readonly gap?: GapReason;
  readonly asOf: string;
}

/** Reads of the history that may be under way at once: what they bring is in memory until it is handed over. */
const MAX_READS = 16;

/**
 * Asks a question that is already under way only once: a thousand clients with one cursor cost one read. Different
 * questions wait for each other past a limit, so that no crowd can swamp Redis or this node.
 */
export class SharedReads {
  readonly #history: History;
  readonly #pending = new Map<string, Promise<Answer>>();
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  constructor(history: History) {
    this.#history = history;
  }

  get source(): 'memory' | 'redis' {
    return this.#history.source;
  }

  /** The channel's messages after `after`. `asOf` is the tail's position now. */
  after(channel: string, after: string, limit: number, asOf: string): Promise<Answer> {
    return this.#once(`after ${channel} ${after} ${limit}`, async () => {
      const page = await this.#history.historyAfter(channel, after, limit);
      return { ...page, messages: encodeAll(page.messages), asOf };
    });
  }

  /** The channel's newest messages. `asOf` is the tail's position now. */
  last(channel: string, limit: number, asOf: string): Promise<Answer> {
    return this.#once(`last ${channel} ${limit}`, async () => {
      const messages = await this.#history.historyLast(channel, limit);
      return { messages: encodeAll(messages), more: false, asOf };
    });
  }

  /** The id of the newest entry of the partition's log. */
  end(partition: number): Promise<string> {
    return this.#history.end(partition);
  }

  #once(question: string, ask: () => Promise<Answer>): Promise<Answer> {
    const pending = this.#pending.get(question);
    if (pending !== undefined) return pending;
    const answer = this.#inTurn(ask).finally(() => this.#pending.delete(question));
    this.#pending.set(question, answer);
    return answer;
  }

  async #inTurn(ask: () => Promise<Answer>): Promise<Answer> {
    if (this.#reading >= MAX_READS) await new Promise<void>((next) => this.#waiting.push(next));
    else this.#reading++;
    try {
      return await ask();
    } finally {
      // The place goes on to the next in line, or is given back.
      const next = this.#waiting.shift();
      if (next === undefined) this.#reading--;
      else next();
    }
  }
}

function encodeAll(messages: readonly Message[]): EncodedMessage[] {
  return messages.map((message) => new EncodedMessage(message));
}
