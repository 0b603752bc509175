import { compareIds } from '../message.ts';
import type { EncodedMessage } from '../wire/encoded-message.ts';
import { type Answer, endOf } from './history.ts';
import type { Subscription } from './subscription.ts';

/** Data of the pages that a replay holds, over all its channels: it is in memory until the client has taken it. */
const MAX_BYTES = 1024 * 1024;

/** A channel's messages up to `end`, where it is whole. */
interface Page {
  readonly messages: readonly EncodedMessage[];
  readonly end: string;
}

/** The page of each channel that is being handed over: a channel with few messages is not asked again for each page of a busy one. */
export class Pages {
  readonly #pages = new Map<string, Page>();

  /** The channels of which nothing is held that lies behind the subscription's position. */
  usedUp({ channels, position }: Subscription): string[] {
    return channels.filter((channel) => {
      const page = this.#pages.get(channel);
      return page === undefined || compareIds(page.end, position) <= 0;
    });
  }

  keep(channel: string, answer: Answer): void {
    this.#pages.set(channel, { messages: answer.messages, end: endOf(answer) });
  }

  /**
   * Lets go of what the client has, and of what lies so far ahead that all before it is about 1 MiB of data. That is read again
   * when it is due; whoever is quick finds it among the answers that are kept.
   */
  trim({ channels, position }: Subscription): void {
    const pages = [...this.#pages].filter(([channel]) => channels.includes(channel));
    this.#pages.clear();
    const ahead = pages.map(([channel, { messages, end }]) => {
      const left = messages.filter(({ message }) => compareIds(message.id, position) > 0);
      return { channel, messages: left, end };
    });
    const until = endOfFirst(ahead.flatMap(({ messages }) => messages));
    for (const { channel, messages, end } of ahead) {
      const kept = messages.filter(({ message }) => until === undefined || compareIds(message.id, until) <= 0);
      const cut = until !== undefined && kept.length < messages.length;
      this.#pages.set(channel, { messages: kept, end: cut ? until : end });
    }
  }

  /** All messages up to where the pages are whole together, in the log's order; undefined when there are no pages. */
  get whole(): Page | undefined {
    const pages = [...this.#pages.values()];
    const [first, ...others] = pages.map(({ end }) => end);
    if (first === undefined) return undefined;
    const end = others.reduce((oldest, id) => (compareIds(id, oldest) < 0 ? id : oldest), first);
    const messages = pages.flatMap((page) => page.messages).filter(({ message }) => compareIds(message.id, end) <= 0);
    return { messages: messages.sort(byId), end };
  }
}

/** The id of the message that brings all before it, in the log's order, to the limit; undefined when they stay below. */
function endOfFirst(messages: readonly EncodedMessage[]): string | undefined {
  let bytes = 0;
  const last = messages.toSorted(byId).find(({ message }) => {
    bytes += message.data.length;
    return bytes >= MAX_BYTES;
  });
  return last?.message.id;
}

function byId(a: EncodedMessage, b: EncodedMessage): number {
  return compareIds(a.message.id, b.message.id);
}
