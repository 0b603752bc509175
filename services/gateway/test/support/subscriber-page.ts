import { compareIds } from '../../src/message.ts';

/** Ids that a fault names; more would only be noise. */
const EXAMPLES = 5;

/** A message that was answered with 2xx. */
export interface Accepted {
  /** JSON text. */
  readonly data: string;
  /** False for those that must have come, whatever gap was told. */
  readonly losable: boolean;
}

/** What publishers were answered, per channel. */
export interface PublisherAccount {
  /** By id. */
  readonly accepted: ReadonlyMap<string, Accepted>;
  /** The data, as JSON text, of what may have been taken under an id that nobody was told. */
  readonly uncertain: ReadonlySet<string>;
}

/** A gap that subscribers may be told; any other is a fault. */
export interface ExpectedGap {
  readonly reason: string;
  readonly channels: readonly string[];
  /** True when each of the subscribers must be told it on each of the channels. Default: true. */
  readonly due?: boolean;
  /** The names of those subscribers. Default: all. */
  readonly to?: readonly string[];
}

/** What came of one channel, in the order in which it came. */
interface Received {
  /** Id → data as JSON text. */
  readonly ids: Map<string, string>;
  readonly order: string[];
  /** `at`: how many messages had come before it. */
  readonly gaps: { readonly after: string; readonly reason: string; readonly at: number }[];
}

/** What one subscriber has got. */
export class SubscriberPage {
  readonly name: string;
  readonly #got: Map<string, Received>;
  readonly #doubled: string[] = [];
  readonly #unordered: string[] = [];

  constructor(name: string, channels: readonly string[]) {
    this.name = name;
    this.#got = new Map(channels.map((channel) => [channel, { ids: new Map(), order: [], gaps: [] }]));
  }

  message(channel: string, id: string, data: unknown): void {
    const { ids, order } = this.#of(channel);
    const last = order.at(-1) ?? '0-0';
    if (ids.has(id)) {
      this.#doubled.push(id);
      return;
    }
    if (compareIds(id, last) <= 0) this.#unordered.push(`${id} after ${last}`);
    ids.set(id, JSON.stringify(data));
    order.push(id);
  }

  gap(channel: string, after: string, reason: string): void {
    const { order, gaps } = this.#of(channel);
    gaps.push({ after, reason, at: order.length });
  }

  /** The ids of a channel in the order in which they came. */
  ids(channel: string): string[] {
    return [...(this.#got.get(channel)?.order ?? [])];
  }

  /** The reasons of the gaps that it was told on a channel. */
  gaps(channel: string): string[] {
    return this.#got.get(channel)?.gaps.map(({ reason }) => reason) ?? [];
  }

  /**
   * Of what was accepted, what has not come (yet), and no gap was told for. A gap speaks for a message when it was told
   * where that message should have come: after the last one before it, before the next one after it, and with a cursor
   * from before it.
   */
  lost(accounts: ReadonlyMap<string, PublisherAccount>): string[] {
    return this.missing(accounts, ({ order, gaps }, id) => {
      if (gaps.length === 0) return false;
      const place = order.findIndex((next) => compareIds(next, id) > 0);
      const at = place === -1 ? order.length : place;
      return gaps.some((gap) => gap.at === at && compareIds(gap.after, id) < 0);
    });
  }

  /** Of what was accepted, what has not come (yet), but for the losable of which `isExcused`. */
  missing(
    accounts: ReadonlyMap<string, PublisherAccount>,
    isExcused: (received: Received, id: string) => boolean = () => false,
  ): string[] {
    const missing: string[] = [];
    for (const [channel, received] of this.#got)
      for (const [id, { losable }] of accounts.get(channel)?.accepted ?? [])
        if (!received.ids.has(id) && !(losable && isExcused(received, id))) missing.push(`${id} of ${channel}`);
    return missing;
  }

  /** The gaps that it has to be told, and was not (yet). */
  untold(expected: readonly ExpectedGap[]): string[] {
    return expected
      .filter(({ due, to }) => due !== false && (to === undefined || to.includes(this.name)))
      .flatMap(({ reason, channels }) =>
        channels
          .filter((channel) => this.#got.has(channel) && !this.gaps(channel).includes(reason))
          .map((channel) => `${reason} on ${channel}`),
      );
  }

  faults(accounts: ReadonlyMap<string, PublisherAccount>, expected: readonly ExpectedGap[]): string[] {
    const strange: string[] = [];
    const altered: string[] = [];
    const again: string[] = [];
    const falseGaps: string[] = [];
    for (const [channel, { ids, order, gaps }] of this.#got) {
      const account = accounts.get(channel);
      const first = new Map<string, number>();
      for (const [place, id] of order.entries()) {
        const data = ids.get(id) ?? '';
        const written = account?.accepted.get(id)?.data;
        if (written === undefined && !account?.uncertain.has(data)) strange.push(`${id} ${data}`);
        else if (written !== undefined && written !== data) altered.push(id);
        const before = first.get(data);
        // What a log that went back had lost, its publisher may have published anew.
        if (before !== undefined && !gaps.some(({ at }) => before < at && at <= place))
          again.push(`${id} is ${order[before]} once more`);
        first.set(data, place);
      }
      for (const { reason, after } of gaps)
        if (!expected.some((gap) => isMeant(gap, this.name, channel, reason)))
          falseGaps.push(`${reason} on ${channel} after ${after}`);
    }
    const kinds = {
      lost: this.lost(accounts),
      doubled: [...this.#doubled, ...again],
      'out of order': this.#unordered,
      'never accepted': strange,
      altered,
      'told of a gap': falseGaps,
      'not told of a gap': this.untold(expected),
    };
    return Object.entries(kinds)
      .filter(([, found]) => found.length > 0)
      .map(([kind, found]) => `${this.name}: ${found.length} ${kind}: ${found.slice(0, EXAMPLES).join(', ')}`);
  }

  /** Each gap that it was told, and between which messages, in words. */
  gapsTold(): string[] {
    return [...this.#got].flatMap(([channel, { order, gaps }]) =>
      gaps.map(({ after, reason, at }) => {
        const [before = 'the beginning', next = 'the end'] = [order[at - 1], order[at]];
        return `${this.name}: ${reason} on ${channel} after ${after}, told between ${before} and ${next}`;
      }),
    );
  }

  #of(channel: string): Received {
    const received = this.#got.get(channel);
    if (received === undefined) throw new Error(`${this.name} was told of ${channel}, which it does not follow`);
    return received;
  }
}

function isMeant({ reason, channels, to }: ExpectedGap, name: string, channel: string, told: string): boolean {
  return reason === told && channels.includes(channel) && (to === undefined || to.includes(name));
}
