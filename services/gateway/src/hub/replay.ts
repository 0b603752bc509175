import { compareIds } from '../message.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { EncodedMessage } from '../wire/encoded-message.ts';
import { hasExpired } from './expiry.ts';
import { tellGap } from './gap.ts';
import { type Answer, endOf } from './history.ts';
import { type Newest, NewestMessages } from './newest.ts';
import { Pages } from './pages.ts';
import { type Partition, REPLAY_CHUNK_BYTES } from './partition.ts';
import type { Progress } from './progress.ts';
import type { SharedReads, Standing } from './shared-reads.ts';
import type { Subscription } from './subscription.ts';

/** Messages in one page of a replay, over all of a subscription's channels. */
const PAGE_MESSAGES = 256;

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

  /**
   * Reads up to `limit` of the newest messages of each channel, as they are when it is called: what comes later is not among
   * them. Older ones are left out where all have more than about 1 MiB of data. Rejects when the history cannot be read.
   */
  async newest(subscription: Subscription, limit: number): Promise<Newest> {
    const standing = this.#standing();
    const all = new NewestMessages(standing.position);
    await Promise.all(
      subscription.channels.map(async (channel) => {
        const messages = this.#partition.recent.last(channel, limit, this.#clock());
        const answer = messages && { messages, more: false, asOf: standing.position };
        const read = answer ?? (await this.#reads.last(subscription, channel, limit, standing));
        all.add(this.#upToDate(channel, read, limit, standing.position));
      }),
    );
    return all.newest;
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

  /**
   * An answer for the newest messages, some seconds old maybe, with what memory has got since, up to where the tail stood when
   * they were asked for. What has come after that is promised: it is replayed, and told where it has expired.
   */
  #upToDate(channel: string, answer: Answer, limit: number, askedAt: string): Answer {
    const { recent } = this.#partition;
    const { asOf } = answer;
    // What came between the two is in the history only: it is replayed from there.
    if (compareIds(asOf, recent.since) < 0) return answer;
    const nowMs = this.#clock();
    const since = { ...recent.after([channel], asOf, Number.POSITIVE_INFINITY), asOf: askedAt, more: false };
    const all = [...mergeUpTo(asOf, [answer]), ...mergeUpTo(askedAt, [since])];
    const messages = all.filter((message) => !hasExpired(message, nowMs)).slice(-limit);
    return { messages, more: false, asOf: askedAt };
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
    await this.#partition.reached(subscription);
    if (subscription.state === 'ahead') subscription.state = 'replaying';
    return true;
  }

  /** Hands over what is whole, after it has read the next page of every channel that has none left. */
  async #page(subscription: Subscription, pages: Pages, progress: Progress): Promise<void> {
    const { position } = this.#partition;
    await this.#read(subscription, pages, progress);
    if (subscription.ended) return;
    pages.trim(subscription);
    const { messages, end } = pages.whole ?? { messages: [], end: position };
    await this.handOver(subscription, { messages, asOf: end }, progress);
  }

  async #read(subscription: Subscription, pages: Pages, progress: Progress): Promise<void> {
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
  }
}

/** The answers' messages up to `horizon`, in the log's order. */
function mergeUpTo(horizon: string, answers: readonly Answer[]): EncodedMessage[] {
  return answers
    .flatMap((answer) => answer.messages)
    .filter(({ message }) => compareIds(message.id, horizon) <= 0)
    .sort((a, b) => compareIds(a.message.id, b.message.id));
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
