import { compareIds } from '../message.ts';
import type { EncodedMessage } from '../wire/encoded-message.ts';
import { type Answer, endOf } from './history.ts';

/** Data of the newest messages that a client starts with, over all its channels: it is in memory until the client has taken it. */
const MAX_BYTES = 1024 * 1024;

/** The newest messages of a subscription's channels, in the log's order, and up to where they are all that there is. */
export interface Newest {
  readonly messages: readonly EncodedMessage[];
  readonly asOf: string;
}

/** Puts together what was read of each channel. Holds little more than it gives out, however much is read. */
export class NewestMessages {
  #messages: EncodedMessage[] = [];
  #bytes = 0;
  #asOf: string;

  /** `upTo`: what comes after this id is no part of it. */
  constructor(upTo: string) {
    this.#asOf = upTo;
  }

  /** Takes a channel's newest messages. All are whole together only up to where the oldest answer is. */
  add(answer: Answer): void {
    const end = endOf(answer);
    if (compareIds(end, this.#asOf) < 0) this.#asOf = end;
    for (const message of answer.messages) this.#messages.push(message);
    this.#bytes += bytesOf(answer.messages);
    // Not each time: that would sort as often as there are channels.
    if (this.#bytes > 2 * MAX_BYTES) this.#leaveOut();
  }

  /** Oldest first: about 1 MiB of data, and one message at least where there is one. */
  get newest(): Newest {
    this.#leaveOut();
    return { messages: this.#messages, asOf: this.#asOf };
  }

  #leaveOut(): void {
    const whole = this.#messages.filter(({ message }) => compareIds(message.id, this.#asOf) <= 0);
    this.#messages = newestOf(whole);
    this.#bytes = bytesOf(this.#messages);
  }
}

/**
 * Leaves out the oldest messages of several partitions, so that the rest is about 1 MiB of data in all. Ids of two partitions tell which
 * message is older as well as clocks do.
 */
export function newestOfAll(parts: readonly Newest[]): Newest[] {
  const [oldest] = newestOf(parts.flatMap(({ messages }) => messages));
  if (oldest === undefined) return [...parts];
  const from = oldest.message.id;
  return parts.map(({ messages, asOf }) => ({
    messages: messages.filter(({ message }) => compareIds(message.id, from) >= 0),
    asOf,
  }));
}

/** The newest of these messages, oldest first, down to the one that brings them to the limit. */
function newestOf(messages: readonly EncodedMessage[]): EncodedMessage[] {
  const sorted = messages.toSorted((a, b) => compareIds(a.message.id, b.message.id));
  let bytes = 0;
  let first = sorted.length;
  while (first > 0 && bytes < MAX_BYTES) bytes += sorted[--first]?.message.data.length ?? 0;
  return sorted.slice(first);
}

function bytesOf(messages: readonly EncodedMessage[]): number {
  return messages.reduce((sum, { message }) => sum + message.data.length, 0);
}
