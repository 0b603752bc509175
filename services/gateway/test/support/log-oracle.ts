import { type Appended, type HistoryPage, IDEMPOTENCY_TTL_SECONDS } from '../../src/log/log.ts';
import { compareIds, type GapReason, idTime, type Message, type NewMessage, partitionOf } from '../../src/message.ts';
import { keptOf, type Retention } from '../../src/retention.ts';

/** What the oracle must know of the log that it judges. */
export interface OracleSettings {
  readonly partitions: number;
  readonly retention: Retention;
  /** Cursors below a partition's floor are judged by whoever asks, not by the log. */
  readonly floors: readonly string[];
  /** How long the log remembers a channel's newest id, seconds; later it may take a quiet channel's cursor for too old. */
  memorySeconds(channel: string): number;
  /** Memory for a partition's messages, where that is bounded, what each takes besides its data, and what a channel takes. */
  readonly room?: { readonly maxBytes: number; readonly overheadBytes: number; readonly channelBytes: number };
}

/** One message that was ever appended. */
interface Record {
  readonly message: Message;
  readonly atMs: number;
  /** Newest id of the partition that had made room when it was appended. */
  readonly madeRoom: string;
  /** Made room, or was removed by another hand. */
  removed: boolean;
  /** Had to go when a later message came. */
  cut: boolean;
}

interface PartitionState {
  readonly records: Record[];
  floor: string;
  /** Newest id that was removed to make room. */
  madeRoom: string;
  /** The floor rises with the next message. */
  emptied: boolean;
  risen: boolean;
}

/**
 * Knows all that was ever appended and what may have become of it, by the plainest means, and says what is wrong with a
 * log's answers. What it lets pass though nothing is gone:
 *
 * 1. `expired`, for a cursor older than the time for which the log remembers a channel's newest id, where the channel had
 *    no younger message before the next one came: the log cannot know that nothing was there.
 * 2. A gap, for a cursor older than something that was removed to make room (embedded only), where the channel had nothing
 *    left: as above.
 * 3. Any verdict, for a cursor below the floor: the hub judges those first.
 *
 * And what it lets pass though something is gone:
 *
 * 4. Any verdict, for a cursor older than a history that somebody deleted as a whole: that leaves no trace (Redis only).
 */
export class LogOracle {
  readonly #settings: OracleSettings;
  readonly #partitions: PartitionState[];
  readonly #keys = new Map<string, { readonly id: string; readonly atMs: number }>();
  /** By channel: cursors up to here are older than its deletion. */
  readonly #deleted = new Map<string, string>();

  constructor(settings: OracleSettings) {
    this.#settings = settings;
    this.#partitions = settings.floors.map((floor) => ({
      records: [],
      floor,
      madeRoom: '0-0',
      emptied: false,
      risen: false,
    }));
  }

  /** All ids that were handed out, oldest first within a partition. */
  get ids(): readonly string[] {
    return this.#partitions.flatMap(({ records }) => records.map(({ message }) => message.id));
  }

  /** When the message with this index in `ids` expires, by its namespace's retention or by its own time to live. */
  expiresMs(index: number, own: boolean): number | undefined {
    const record = this.#partitions.flatMap(({ records }) => records)[index];
    if (record === undefined) return undefined;
    const { channel, expiresMs } = record.message;
    return own
      ? expiresMs
      : idTime(record.message.id) + keptOf(this.#settings.retention, channel).historyTtlSeconds * 1000;
  }

  /** Takes note of what an append was answered with; tells what is wrong with that. */
  appended(sent: NewMessage, outcome: Appended | Error, nowMs: number): string[] {
    if (outcome instanceof Error) return [`refused: ${outcome.message}`];
    const { channel, event, data, ttlSeconds, idempotencyKey } = sent;
    const { id, replayed } = outcome;
    const key = `${channel} ${idempotencyKey}`;
    const used = idempotencyKey === undefined ? undefined : this.#keys.get(key);
    if (used !== undefined) {
      const ageMs = nowMs - used.atMs - IDEMPOTENCY_TTL_SECONDS * 1000;
      if (replayed && ageMs <= 0) return id === used.id ? [] : [`${key} was ${used.id}, and is answered with ${id}`];
      if (ageMs < 0) return [`${key} is appended again as ${id}`];
    }
    if (replayed) return [`${key} is answered as a repetition`];
    if (idempotencyKey !== undefined) this.#keys.set(key, { id, atMs: nowMs });
    const expiresMs = ttlSeconds === undefined ? undefined : idTime(id) + ttlSeconds * 1000;
    const message = {
      id,
      channel,
      data,
      ...(event === undefined ? {} : { event }),
      ...(expiresMs === undefined ? {} : { expiresMs }),
    };
    return this.#add(message, nowMs);
  }

  /** Somebody removed all but the channel's newest `count` (≥ 1) messages that its history held. */
  trimmed(channel: string, count: number): void {
    for (const record of this.#channel(channel).slice(0, -count)) record.removed = true;
  }

  /** Somebody deleted the channel's history. */
  deleted(channel: string, nowMs: number): void {
    for (const record of this.#channel(channel)) record.removed = true;
    const newest = this.#partition(channel).records.at(-1)?.message.id ?? '0-0';
    const now = `${nowMs}-0`;
    this.#deleted.set(channel, compareIds(now, newest) > 0 ? now : newest);
  }

  /** Somebody deleted a partition's log, but not its histories. */
  emptied(partition: number): void {
    const state = this.#partitions[partition];
    if (state !== undefined) state.emptied = true;
  }

  /** True when the partition's floor must have risen since the start. */
  hasRisen(partition: number): boolean {
    return this.#partitions[partition]?.risen === true;
  }

  /** The channel's messages after `after` that can be read, oldest first. */
  alive(channel: string, after: string, nowMs: number): Message[] {
    const all = this.#channel(channel);
    return all
      .filter(
        (record, i) =>
          compareIds(record.message.id, after) > 0 && this.#fate(record, all.length - i, nowMs) === undefined,
      )
      .map(({ message }) => message);
  }

  /** What is wrong with a page of history. */
  judgePage(channel: string, after: string, limit: number, page: HistoryPage, nowMs: number): string[] {
    const { messages, more, gap } = page;
    const alive = this.alive(channel, after, nowMs);
    const problems = differences(messages, alive.slice(0, messages.length));
    if (messages.length > limit) problems.push(`${messages.length} messages, where ${limit} were asked for`);
    if (!more && messages.length < alive.length) problems.push(`no more after ${messages.length} of ${alive.length}`);
    if (more && messages.length === 0) problems.push('more after nothing');
    const last = messages.at(-1)?.id;
    const problem = this.#judgeGap(channel, after, more ? last : undefined, gap, nowMs);
    if (problem !== undefined) problems.push(problem);
    return problems.map((text) => `history of ${channel} after ${after}, ${limit} at ${nowMs}: ${text}`);
  }

  /** What is wrong with the newest messages of a channel. */
  judgeLast(channel: string, limit: number, messages: readonly Message[], nowMs: number): string[] {
    const alive = this.alive(channel, '0-0', nowMs);
    return differences(messages, alive.slice(Math.max(0, alive.length - limit))).map(
      (text) => `newest ${limit} of ${channel} at ${nowMs}: ${text}`,
    );
  }

  /** True when something of the channel after `after`, up to `upTo`, can no longer be read. */
  isGone(channel: string, after: string, upTo: string | undefined, nowMs: number): boolean {
    return this.#fates(channel, after, upTo, nowMs).size > 0;
  }

  /** The gaps that the log may tell although nothing is gone: rules 1 to 3. */
  pardons(channel: string, after: string, nowMs: number): readonly GapReason[] {
    const partition = this.#partition(channel);
    // Whoever noticed that the log is gone may have raised the floor already.
    if (partition.emptied || compareIds(after, partition.floor) < 0) return ['expired', 'trimmed'];
    const all = this.#channel(channel);
    const memoryMs = this.#settings.memorySeconds(channel) * 1000;
    const pardons = new Set<GapReason>();
    const [alive] = this.alive(channel, after, nowMs);
    // The log may have known nothing of the channel when one of these came, or now.
    for (let i = 0; i <= all.length; i++) {
      const next = all[i];
      if (next !== undefined && compareIds(next.message.id, after) <= 0) continue;
      const before = all[i - 1];
      const asOfMs = next === undefined ? nowMs : idTime(next.message.id);
      const madeRoom = next === undefined ? partition.madeRoom : next.madeRoom;
      const forgotten =
        before === undefined || compareIds(before.message.id, madeRoom) <= 0 || asOfMs - before.atMs >= memoryMs;
      if (asOfMs - idTime(after) >= memoryMs) pardons.add('expired');
      if (forgotten && compareIds(after, madeRoom) < 0) pardons.add('expired').add('trimmed');
      if (next?.message === alive) break;
    }
    return [...pardons];
  }

  #judgeGap(
    channel: string,
    after: string,
    upTo: string | undefined,
    gap: GapReason | undefined,
    nowMs: number,
  ): string | undefined {
    if (compareIds(after, this.#deleted.get(channel) ?? '0-0') < 0) return undefined;
    const fates = this.#fates(channel, after, upTo, nowMs);
    if (gap === undefined) return fates.size === 0 ? undefined : 'no gap, and something is gone';
    if (fates.has(gap) || this.pardons(channel, after, nowMs).includes(gap)) return undefined;
    return `a gap (${gap}), and what is gone is ${[...fates].join(' or ') || 'nothing'}`;
  }

  /** What became of the messages of the channel after `after`, up to `upTo`, that are gone. */
  #fates(channel: string, after: string, upTo: string | undefined, nowMs: number): Set<GapReason> {
    const fates = new Set<GapReason>();
    const all = this.#channel(channel);
    for (const [i, record] of all.entries()) {
      const { id } = record.message;
      if (compareIds(id, after) <= 0 || (upTo !== undefined && compareIds(id, upTo) > 0)) continue;
      const fate = this.#fate(record, all.length - i, nowMs);
      if (fate !== undefined) fates.add(fate);
      // What is kept nowhere may be said to have grown old, too.
      const kept = keptOf(this.#settings.retention, channel);
      if (kept.historySize === 0 && nowMs - idTime(id) >= kept.historyTtlSeconds * 1000) fates.add('expired');
    }
    return fates;
  }

  /** Why a message is gone; `place` counts the channel's messages from the newest, which is 1. */
  #fate({ message, removed, cut }: Record, place: number, nowMs: number): GapReason | undefined {
    const { historySize, historyTtlSeconds } = keptOf(this.#settings.retention, message.channel);
    if (historySize > 0 && nowMs - idTime(message.id) >= historyTtlSeconds * 1000) return 'expired';
    if (removed || cut || place > historySize) return 'trimmed';
    return message.expiresMs !== undefined && nowMs >= message.expiresMs ? 'expired' : undefined;
  }

  #add(message: Message, atMs: number): string[] {
    const partition = this.#partition(message.channel);
    const newest = partition.records.at(-1)?.message.id ?? partition.floor;
    const problems = compareIds(message.id, newest) > 0 ? [] : [`${message.id} is appended after ${newest}`];
    if (partition.emptied) {
      partition.floor = message.id;
      partition.risen = true;
    }
    partition.emptied = false;
    // Ids may be ahead of the clock, right behind a floor; what is too old for the new one is let go of.
    const { historyTtlSeconds } = keptOf(this.#settings.retention, message.channel);
    for (const record of this.#channel(message.channel))
      if (idTime(message.id) - idTime(record.message.id) >= historyTtlSeconds * 1000) record.cut = true;
    partition.records.push({ message, atMs, madeRoom: partition.madeRoom, removed: false, cut: false });
    this.#makeRoom(partition, atMs);
    return problems;
  }

  #makeRoom(partition: PartitionState, nowMs: number): void {
    const { room, retention } = this.#settings;
    if (room === undefined) return;
    const longest = Math.max(
      ...[retention, ...(retention.namespaces?.values() ?? [])].map((kept) => kept.historyTtlSeconds),
    );
    const held = partition.records.filter(
      ({ message, removed }) => !removed && nowMs - idTime(message.id) < longest * 1000,
    );
    for (let oldest = 0; oldest < held.length - 1; oldest++) {
      const left = held.slice(oldest);
      const messageBytes = left.reduce((sum, { message }) => sum + message.data.length + room.overheadBytes, 0);
      const channels = new Set(left.map(({ message }) => message.channel)).size;
      if (messageBytes + channels * room.channelBytes <= room.maxBytes) return;
      const record = held[oldest] as Record;
      record.removed = true;
      partition.madeRoom = record.message.id;
    }
  }

  #channel(channel: string): Record[] {
    return this.#partition(channel).records.filter(({ message }) => message.channel === channel);
  }

  #partition(channel: string): PartitionState {
    const state = this.#partitions[partitionOf(channel, this.#settings.partitions)];
    if (state === undefined) throw new RangeError(`no partition holds ${channel}`);
    return state;
  }
}

function differences(got: readonly Message[], expected: readonly Message[]): string[] {
  const [a, b] = [got, expected].map((messages) => messages.map(textOf).join(' '));
  return a === b ? [] : [`brought [${a}], not [${b}]`];
}

function textOf({ id, channel, event = '', data, expiresMs }: Message): string {
  return `${id}/${channel}/${event}/${data}/${expiresMs ?? ''}`;
}
