import { compareIds } from '../../src/message.ts';
import { until } from './until.ts';

/** Ids that a fault names; more would only be noise. */
const EXAMPLES = 5;

/**
 * What the log has accepted, and what each subscriber has got of it. It judges the promise: every accepted message, once,
 * in its channel's order, and no gap.
 */
export class DeliveryLedger {
  /** Channel → id → data, as JSON text. */
  readonly #accepted = new Map<string, Map<string, string>>();
  readonly #pages: SubscriberPage[] = [];
  /** The last id that each publisher was given on each channel. */
  readonly #last = new Map<string, string>();
  readonly #unordered: string[] = [];
  #acceptedCount = 0;

  /** How many messages were accepted. */
  get acceptedCount(): number {
    return this.#acceptedCount;
  }

  /** Channel → the accepted ids, in their order. */
  acceptedIds(channel: string): string[] {
    return [...(this.#accepted.get(channel)?.keys() ?? [])].sort(compareIds);
  }

  /** Writes down a message that was answered with 2xx. A publisher that waits for each answer must get rising ids. */
  accept(publisher: string, channel: string, id: string, data: unknown): void {
    let ids = this.#accepted.get(channel);
    if (ids === undefined) {
      ids = new Map();
      this.#accepted.set(channel, ids);
    }
    const last = this.#last.get(`${publisher} ${channel}`);
    if (last !== undefined && compareIds(id, last) <= 0)
      this.#unordered.push(`${publisher} was given ${id} after ${last} on ${channel}`);
    this.#last.set(`${publisher} ${channel}`, id);
    ids.set(id, JSON.stringify(data));
    this.#acceptedCount++;
  }

  /** A page for one subscriber, who must get all of these channels from now on. */
  page(name: string, channels: readonly string[]): SubscriberPage {
    const page = new SubscriberPage(name, channels);
    this.#pages.push(page);
    return page;
  }

  /** Waits until every subscriber has as many messages as were accepted. What is missing then is told by `faults`. */
  async settle(seconds = 60): Promise<void> {
    const complete = (): boolean => this.#pages.every((page) => page.lost(this.#accepted).length === 0);
    await until(complete, 'every subscriber to have every message', seconds).catch(() => {});
  }

  /** Everything that broke the promise, in words; empty when it was kept. */
  faults(): string[] {
    return [...this.#unordered, ...this.#pages.flatMap((page) => page.faults(this.#accepted))];
  }
}

/** What one subscriber has got. */
export class SubscriberPage {
  readonly name: string;
  readonly #got: Map<string, { readonly ids: Map<string, string>; last: string }>;
  readonly #doubled: string[] = [];
  readonly #unordered: string[] = [];
  readonly #gaps: string[] = [];

  constructor(name: string, channels: readonly string[]) {
    this.name = name;
    this.#got = new Map(channels.map((channel) => [channel, { ids: new Map(), last: '0-0' }]));
  }

  message(channel: string, id: string, data: unknown): void {
    const got = this.#got.get(channel);
    if (got === undefined) throw new Error(`${this.name} got ${id} of ${channel}, which it does not follow`);
    if (got.ids.has(id)) this.#doubled.push(id);
    else if (compareIds(id, got.last) <= 0) this.#unordered.push(`${id} after ${got.last}`);
    got.last = id;
    got.ids.set(id, JSON.stringify(data));
  }

  gap(channel: string, after: string, reason: string): void {
    this.#gaps.push(`${reason} on ${channel} after ${after}`);
  }

  /** The ids of a channel in the order in which they came. */
  ids(channel: string): string[] {
    return [...(this.#got.get(channel)?.ids.keys() ?? [])];
  }

  /** Of what was accepted, what has not come (yet). */
  lost(accepted: ReadonlyMap<string, ReadonlyMap<string, string>>): string[] {
    const lost: string[] = [];
    for (const [channel, { ids }] of this.#got) {
      const wanted = accepted.get(channel);
      if (wanted === undefined) continue;
      for (const id of wanted.keys()) if (!ids.has(id)) lost.push(id);
    }
    return lost;
  }

  faults(accepted: ReadonlyMap<string, ReadonlyMap<string, string>>): string[] {
    const strange: string[] = [];
    const altered: string[] = [];
    for (const [channel, { ids }] of this.#got)
      for (const [id, data] of ids) {
        const written = accepted.get(channel)?.get(id);
        if (written === undefined) strange.push(`${id} ${data}`);
        else if (written !== data) altered.push(id);
      }
    const kinds = {
      lost: this.lost(accepted),
      doubled: this.#doubled,
      'out of order': this.#unordered,
      'never accepted': strange,
      altered,
      'told of a gap': this.#gaps,
    };
    return Object.entries(kinds)
      .filter(([, found]) => found.length > 0)
      .map(([kind, found]) => `${this.name}: ${found.length} ${kind}: ${found.slice(0, EXAMPLES).join(', ')}`);
  }
}
