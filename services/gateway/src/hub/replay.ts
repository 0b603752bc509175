import { compareIds } from '../message.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { EncodedMessage } from '../wire/encoded-message.ts';
import { hasExpired } from './expiry.ts';
import { tellGap } from './gap.ts';
import { type Answer, endOf } from './history.ts';
import { type Partition, REPLAY_CHUNK_BYTES } from './partition.ts';
import type { Progress } from './progress.ts';
import type { SharedReads, Standing } from './shared-reads.ts';
import type { Subscription } from './subscription.ts';

/** Messages in one page of a replay, over all of a subscription's channels. */
const PAGE_MESSAGES = 256;

/** The newest messages of a subscription's channels, in the log's order, and up to where they are all that there is. */
export interface Newest {
  readonly messages: readonly EncodedMessage[];
  readonly asOf: string;
}

/**
 * Brings a subscription from its position to live.
 *
 * Memory first: what it holds is handed over and joined to live in one turn (Partition.join). A position older than
 * memory reads pages of history until memory reaches back to it. A page is trusted up to the place where the tail stood
 * when it was asked for, so the two never overlap and never leave a hole. The reader sets the pace.
 */
export class Replay {
  readonly #partition: Partition;
  readonly #reads: SharedReads;
  readonly #metrics: Metrics;
  readonly #clock: () => number;

  /** `clock`: milliseconds since 1970. */
  constructor(partition: Partition, reads: SharedReads, metrics: Metrics, clock: () => number) {
    this.#partition = partition;
    this.#reads = reads;
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** True when memory alone brought the subscription live, at once: the usual case, and the one that a storm must hit. */
  fromMemory(subscription: Subscription, progress: Progress): boolean {
    const partition = this.#partition;
    return (
      compareIds(subscription.position, partition.floor) >= 0 &&
      compareIds(subscription.position, partition.recent.since) >= 0 &&
      compareIds(subscription.position, partition.position) <= 0 &&
      partition.join(subscription, progress)
    );
  }

  /** Resolves once the subscription is live or has ended. Rejects when the history cannot be read. */
  async run(subscription: Subscription, progress: Progress): Promise<void> {
    const partition = this.#partition;
    const { connection } = subscription;
    const pages = new Pages();
    await connection.drained();
    while (!subscription.ended) {
      if (compareIds(subscription.position, partition.position) > 0) {
        if (!(await this.#waitForTail(subscription))) {
          tellGap(this.#metrics, subscription, subscription.position, 'unknown');
          subscription.position = partition.position;
          progress.outcome = 'gap';
        }
      } else if (compareIds(subscription.position, partition.floor) < 0) {
        tellGap(this.#metrics, subscription, subscription.position, 'rewound');
        subscription.position = partition.floor;
        progress.outcome = 'gap';
      } else if (compareIds(subscription.position, partition.recent.since) >= 0) {
        if (partition.join(subscription, progress)) return;
        await connection.drained();
      } else {
        progress.source = this.#reads.source;
        await this.#page(subscription, pages, progress);
      }
    }
  }

  /** Reads up to `limit` of the newest messages of each channel. Rejects when the history cannot be read. */
  async newest(subscription: Subscription, limit: number): Promise<Newest> {
    const standing = this.#standing();
    const read = await Promise.all(
      subscription.channels.map(async (channel) => {
        const messages = this.#partition.recent.last(channel, limit, this.#clock());
        const answer = messages && { messages, more: false, asOf: standing.position };
        return { channel, answer: answer ?? (await this.#reads.last(subscription, channel, limit, standing)) };
      }),
    );
    const answers = read.map(({ channel, answer }) => this.#upToDate(channel, answer, limit));
    const asOf = horizonOf(answers) ?? standing.position;
    return { messages: mergeUpTo(asOf, answers), asOf };
  }

  /** Hands over what `newest` read, as fast as the reader takes it; the subscription's position is then past it. */
  async handOver(subscription: Subscription, { messages, asOf }: Newest, progress: Progress): Promise<void> {
    for (const chunk of chunksOf(messages.filter(({ message }) => subscription.channels.includes(message.channel)))) {
      if (subscription.ended) return;
      this.#partition.handOver(subscription, chunk, progress);
      this.#reads.trim();
      await subscription.connection.drained();
    }
    if (compareIds(asOf, subscription.position) > 0) subscription.position = asOf;
  }

  #standing(): Standing {
    return { position: this.#partition.position, since: this.#partition.recent.since };
  }

  /** An answer for the newest messages, some seconds old maybe, with what memory has got since. */
  #upToDate(channel: string, answer: Answer, limit: number): Answer {
    const { recent, position } = this.#partition;
    const { asOf } = answer;
    // What came between the two is in the history only: it is replayed from there.
    if (compareIds(asOf, recent.since) < 0) return answer;
    const nowMs = this.#clock();
    const all = [...mergeUpTo(asOf, [answer]), ...recent.after([channel], asOf, Number.POSITIVE_INFINITY).messages];
    const messages = all.filter((message) => !hasExpired(message, nowMs)).slice(-limit);
    return { messages, more: false, asOf: position };
  }

  /** Waits until the tail has come to where the client already is; false when the log does not reach that far. */
  async #waitForTail(subscription: Subscription): Promise<boolean> {
    // A floor is in the log for certain, wherever it is read.
    if (compareIds(subscription.position, this.#partition.floor) > 0) {
      const end = await this.#reads.end(subscription.partition);
      if (subscription.ended) return true;
      if (compareIds(subscription.position, end) > 0) return false;
    }
    subscription.state = 'ahead';
    await this.#partition.reached(subscription.position);
    if (subscription.state === 'ahead') subscription.state = 'replaying';
    return true;
  }

  /** Reads the next page of every channel that has none left, and hands over what is whole. */
  async #page(subscription: Subscription, pages: Pages, progress: Progress): Promise<void> {
    const { position } = subscription;
    const asked = pages.usedUp(subscription);
    const limit = Math.max(2, Math.floor(PAGE_MESSAGES / Math.max(1, asked.length)));
    const now = this.#standing();
    const answers = await Promise.all(
      asked.map((channel) => this.#reads.after(subscription, channel, position, limit, now)),
    );
    if (subscription.ended) return;
    for (const [i, channel] of asked.entries()) {
      const answer = answers[i];
      if (answer === undefined || !subscription.channels.includes(channel)) continue;
      pages.keep(channel, answer);
      if (answer.gap === undefined || !progress.promisesPage(position, endOf(answer), answer.gap)) continue;
      progress.outcome = 'gap';
      tellGap(this.#metrics, subscription, position, answer.gap, [channel]);
    }
    const held = pages.of(subscription);
    const horizon = horizonOf(held) ?? now.position;
    const messages = mergeUpTo(horizon, held).filter(({ message }) => compareIds(message.id, position) > 0);
    await this.handOver(subscription, { messages, asOf: horizon }, progress);
  }
}

/** The page of each channel that is being handed over: a channel with few messages is not asked again for each page of a busy one. */
class Pages {
  readonly #pages = new Map<string, Answer>();

  /** The channels of which nothing is held that lies behind the subscription's position. */
  usedUp({ channels, position }: Subscription): string[] {
    return channels.filter((channel) => {
      const page = this.#pages.get(channel);
      return page === undefined || compareIds(endOf(page), position) <= 0;
    });
  }

  keep(channel: string, page: Answer): void {
    this.#pages.set(channel, page);
  }

  of({ channels }: Subscription): Answer[] {
    return channels.flatMap((channel) => this.#pages.get(channel) ?? []);
  }
}

/** Up to where several pages are whole together. */
function horizonOf(answers: readonly Answer[]): string | undefined {
  return oldestOf(answers.map(endOf));
}

/** The answers' messages up to `horizon`, in the log's order. */
function mergeUpTo(horizon: string, answers: readonly Answer[]): EncodedMessage[] {
  return answers
    .flatMap((answer) => answer.messages)
    .filter(({ message }) => compareIds(message.id, horizon) <= 0)
    .sort((a, b) => compareIds(a.message.id, b.message.id));
}

function oldestOf(ids: readonly string[]): string | undefined {
  return ids.reduce<string | undefined>(
    (oldest, id) => (oldest === undefined || compareIds(id, oldest) < 0 ? id : oldest),
    undefined,
  );
}

function* chunksOf(messages: readonly EncodedMessage[]): Generator<EncodedMessage[]> {
  let chunk: EncodedMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    chunk.push(message);
    bytes += message.message.data.length;
    if (bytes < REPLAY_CHUNK_BYTES) continue;
    yield chunk;
    chunk = [];
    bytes = 0;
  }
  if (chunk.length > 0) yield chunk;
}
