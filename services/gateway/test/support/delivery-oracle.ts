import { compareIds, type GapReason, idTime, type Message, partitionOf } from '../../src/message.ts';
import { keptOf, longestTtlSeconds, type Retention } from '../../src/retention.ts';
import type { TailedLog } from './tailed-log.ts';
import type { TailedNode } from './tailed-node.ts';

interface ChannelState {
  /** Everything up to here has come, or was told as a gap. Undefined until the promise begins. */
  upTo: string | undefined;
  /** Id of the newest message that came. */
  newest: string;
  /** The place of the newest cursor that the client held: nothing older may come any more. */
  stood: string;
  /** What was gone when a gap was told. */
  readonly excused: Set<string>;
  /** Until a replay is over that was asked for without a cursor: the place of the tail when it was. */
  askedAt: string | undefined;
  /** Did not come, and was lost in a rewind: to be told before anything that comes after the floor. */
  readonly due: Set<string>;
}

/**
 * Follows what one client is told, over all its connections, and finds what is wrong with it: a message that comes twice, late,
 * changed, or never; a gap where nothing is gone. What it lets pass:
 *
 * 1. A gap though nothing is gone: `expired`, for a cursor that is older than everything that the log remembers.
 * 2. No gap though something is gone: what expired while a client was replayed to that had asked for the newest messages, and
 *    had been published before it asked.
 */
export class DeliveryOracle {
  readonly problems: string[] = [];
  readonly #log: TailedLog;
  readonly #retention: Retention;
  readonly #name: string;
  /** True while it has come with no cursor that makes sense. */
  readonly #astray: boolean;
  readonly #channels = new Map<string, ChannelState>();

  constructor(log: TailedLog, retention: Retention, name: string, astray: boolean) {
    this.#log = log;
    this.#retention = retention;
    this.#name = name;
    this.#astray = astray;
  }

  /**
   * A connection begins. With no cursor (`fresh`) the promise begins here; with no position it begins with the first message
   * that comes, or where the client is told that it stands. `tail`: the place of the node's tail.
   */
  began(channel: string, position: string | undefined, fresh: boolean, tail: string): void {
    const known = this.#channels.get(channel);
    if (!fresh && known !== undefined) {
      known.askedAt = undefined;
      return;
    }
    const excused = new Set(position === undefined ? this.#log.gone(channel, '0-0') : []);
    this.#channels.set(channel, {
      upTo: position,
      newest: '0-0',
      stood: position ?? '0-0',
      excused,
      askedAt: position === undefined ? tail : undefined,
      due: new Set(),
    });
  }

  /** `floor`: what the node knew as its floor when the client came. */
  received(message: Message, floor: string): void {
    const { channel, id } = message;
    const state = this.#of(channel);
    const sent = this.#appended(channel).findLast((each) => each.id === id);
    if (sent !== message && (sent?.data !== message.data || sent.event !== message.event))
      this.#problem(channel, `${id} is not what was appended`);
    if (compareIds(id, state.newest) <= 0) this.#problem(channel, `${id} came after ${state.newest}`);
    if (compareIds(id, state.stood) <= 0) this.#problem(channel, `${id} came when the client stood at ${state.stood}`);
    if (compareIds(this.#log.lost.get(id) ?? floor, floor) < 0)
      this.#problem(channel, `${id} was lost before the client came`);
    state.newest = id;
    this.#account(channel, id, id);
  }

  /** The client holds a cursor that says: it has everything up to `position`. */
  stands(channel: string, position: string): void {
    const state = this.#of(channel);
    if (compareIds(position, state.stood) > 0) state.stood = position;
    if (state.upTo !== undefined) this.#account(channel, position, undefined);
  }

  /** The client follows live: it has everything up to `position`, and gets whatever comes after. */
  live(channel: string, position: string): void {
    this.#account(channel, position, undefined);
    this.#of(channel).askedAt = undefined;
  }

  gap(node: TailedNode, channel: string, after: string, reason: GapReason): void {
    const state = this.#of(channel);
    const partition = partitionOf(channel, this.#log.partitions);
    if (reason === 'unknown') {
      if (!this.#astray) this.#problem(channel, `a gap after ${after}, which was a good cursor`);
      state.upTo = node.hub.position(partition);
      state.stood = state.upTo;
      return;
    }
    if (reason === 'rewound') {
      const floor = node.floor(partition);
      if (compareIds(after, floor) >= 0) this.#problem(channel, `rewound after ${after}, and the floor is ${floor}`);
      for (const { id } of this.#appended(channel)) if (compareIds(id, floor) < 0) state.excused.add(id);
      return;
    }
    const gone = this.#log.gone(channel, after);
    const old = this.#log.nowMs - idTime(after) >= longestTtlSeconds(this.#retention) * 1000;
    if (gone.length === 0 && !(reason === 'expired' && old))
      this.#problem(channel, `a gap (${reason}) after ${after}, and nothing is gone`);
    for (const id of gone) state.excused.add(id);
  }

  /** Checks that nothing is missing up to `upTo`; `received`: what has come just now. */
  #account(channel: string, upTo: string, received: string | undefined): void {
    const state = this.#of(channel);
    const { upTo: before = upTo } = state;
    state.upTo = compareIds(upTo, before) > 0 ? upTo : before;
    const all = this.#appended(channel);
    for (let i = all.length - 1; i >= 0; i--) {
      const message = all[i] as Message;
      const { id } = message;
      if (compareIds(id, before) <= 0) break;
      if (compareIds(id, upTo) > 0 || id === received || state.excused.has(id)) continue;
      if (compareIds(id, state.askedAt ?? '0-0') <= 0 && this.#hasExpired(message)) continue;
      if (this.#log.lost.has(id)) state.due.add(id);
      else this.#problem(channel, `${id} was lost: the client stands at ${upTo}`);
    }
    for (const id of state.due)
      if (!state.excused.has(id) && compareIds(upTo, this.#log.lost.get(id) ?? id) >= 0)
        this.#problem(channel, `${id} was lost in a rewind: the client stands at ${upTo}`);
  }

  #hasExpired({ id, channel, expiresMs = Number.POSITIVE_INFINITY }: Message): boolean {
    const { historyTtlSeconds } = keptOf(this.#retention, channel);
    return Math.min(expiresMs, idTime(id) + historyTtlSeconds * 1000) <= this.#log.nowMs;
  }

  #appended(channel: string): readonly Message[] {
    return this.#log.appended.get(channel) ?? [];
  }

  #of(channel: string): ChannelState {
    const state = this.#channels.get(channel);
    if (state === undefined) throw new Error(`${channel} is not followed`);
    return state;
  }

  #problem(channel: string, text: string): void {
    if (this.problems.length < 5) this.problems.push(`${this.#name} on ${channel}: ${text}`);
  }
}
