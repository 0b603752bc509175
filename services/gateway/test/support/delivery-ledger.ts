import { compareIds } from '../../src/message.ts';
import { type ExpectedGap, type PublisherAccount, SubscriberPage } from './subscriber-page.ts';
import { until } from './until.ts';

export type { ExpectedGap, SubscriberPage };

/** An account while it is being written. */
interface Account extends PublisherAccount {
  readonly accepted: Map<string, { readonly data: string; losable: boolean }>;
  readonly uncertain: Set<string>;
}

/**
 * What the log has accepted, and what each subscriber has got of it. It judges the promise: every accepted message, once,
 * in its channel's order; or, where it is gone, a gap in its place. A gap is a fault unless it was expected.
 */
export class DeliveryLedger {
  readonly #accounts = new Map<string, Account>();
  readonly #pages: SubscriberPage[] = [];
  readonly #expected: ExpectedGap[] = [];
  /** The last id that each publisher was given on each channel. */
  readonly #last = new Map<string, string>();
  readonly #unordered: string[] = [];
  #acceptedCount = 0;
  #losable = true;

  /** How many messages were accepted. */
  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  /** How many messages were accepted on that channel. */
  acceptedOn(channel: string): number {
    return this.#accounts.get(channel)?.accepted.size ?? 0;
  }

  /** Channel → the accepted ids, in their order. */
  acceptedIds(channel: string): string[] {
    return [...(this.#accounts.get(channel)?.accepted.keys() ?? [])].sort(compareIds);
  }

  /** Writes down a message that was answered with 2xx. A publisher that waits for each answer must get rising ids. */
  accept(publisher: string, channel: string, id: string, data: unknown): void {
    const { accepted } = this.#account(channel);
    const last = this.#last.get(`${publisher} ${channel}`);
    if (last !== undefined && compareIds(id, last) <= 0)
      this.#unordered.push(`${publisher} was given ${id} after ${last} on ${channel}`);
    if (accepted.has(id)) this.#unordered.push(`${id} was given twice on ${channel}`);
    this.#last.set(`${publisher} ${channel}`, id);
    accepted.set(id, { data: JSON.stringify(data), losable: this.#losable });
    this.#acceptedCount++;
  }

  /** Writes down a message whose publisher cannot know whether it was taken: it may come, under an id that nobody knows. */
  mayHaveTaken(channel: string, data: unknown): void {
    this.#account(channel).uncertain.add(JSON.stringify(data));
  }

  /** A gap that subscribers will be told, rightly. */
  expectGap(gap: ExpectedGap): void {
    this.#expected.push(gap);
  }

  /** The fault is over: what is accepted from now on must come to everyone, whatever gap was told. */
  healed(): void {
    this.#losable = false;
  }

  /** A page for one subscriber, who must get all of these channels from now on. */
  page(name: string, channels: readonly string[]): SubscriberPage {
    const page = new SubscriberPage(name, channels);
    this.#pages.push(page);
    return page;
  }

  /** Waits until every subscriber has all that was accepted, and was told all it must be. What is missing then is told by `faults`. */
  async settle(seconds = 60): Promise<void> {
    const complete = (): boolean =>
      this.#pages.every((page) => page.lost(this.#accounts).length === 0 && page.untold(this.#expected).length === 0);
    await until(complete, 'every subscriber to have every message', seconds).catch(() => {});
  }

  /** What was accepted and somebody (of these) has not got, whatever gap was told. */
  missing(names = this.#pages.map(({ name }) => name)): string[] {
    return this.#pages
      .filter(({ name }) => names.includes(name))
      .flatMap((page) => page.missing(this.#accounts).map((id) => `${page.name}: ${id}`));
  }

  /** Everything that broke the promise, in words; empty when it was kept. */
  faults(): string[] {
    return [...this.#unordered, ...this.#pages.flatMap((page) => page.faults(this.#accounts, this.#expected))];
  }

  /** For a look at what went wrong: the gaps that the first subscriber with a fault was told. */
  gapsTold(): string {
    const page = this.#pages.find((each) => each.faults(this.#accounts, this.#expected).length > 0);
    return page?.gapsTold().join('\n') ?? '';
  }

  #account(channel: string): Account {
    let account = this.#accounts.get(channel);
    if (account === undefined) {
      account = { accepted: new Map(), uncertain: new Set() };
      this.#accounts.set(channel, account);
    }
    return account;
  }
}
