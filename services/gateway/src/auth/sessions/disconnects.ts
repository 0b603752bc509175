import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { FanfareError } from '../../errors.ts';
import { type GapReason, idTime, type Message, type NewMessage, ZERO_ID } from '../../message.ts';
import { subjectProblem } from '../subject.ts';
import type { Revocations } from './revocations.ts';
import type { Sessions } from './sessions.ts';

/** Where nodes tell each other who was disconnected. No client can name it: `$` is not for channels. */
export const DISCONNECT_CHANNEL = '$disconnect';

/** Messages that the channel's history holds. Where it is full, all tokens from before the oldest one are refused. */
const HISTORY_SIZE = 100_000;
/** Longer than a token's life, by what clocks may differ. */
const CLOCKS_SECONDS = 60;
/** Messages in one page of the history. */
const PAGE_SIZE = 1_000;
/** Messages on their way to the log at once, when many are appended again. */
const BATCH_SIZE = 200;
/** Waits before another try: doubled from one to the other, milliseconds. */
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

/** What the log must keep of the channel, where no token lives longer than this, seconds. */
export function disconnectsKept(maxTokenLifetimeSeconds: number): { historySize: number; historyTtlSeconds: number } {
  return { historySize: HISTORY_SIZE, historyTtlSeconds: maxTokenLifetimeSeconds + CLOCKS_SECONDS };
}

/** What is needed of the log. Everything rejects with FanfareError while it cannot be reached. */
export interface DisconnectLog {
  append(message: NewMessage): Promise<unknown>;
  /** See Log.historyAfter. */
  historyAfter(
    channel: string,
    after: string,
    limit: number,
  ): Promise<{ readonly messages: readonly Message[]; readonly more: boolean; readonly gap?: GapReason }>;
}

export interface DisconnectsOptions {
  readonly log: DisconnectLog;
  readonly revocations: Revocations;
  readonly sessions: Sessions;
  /** Is told, in words, what whoever looks after the node should know. */
  readonly told: (what: string) => void;
  /** Messages that the channel's history holds. Default: as in disconnectsKept. */
  readonly historySize?: number;
}

/** A subject, and the time at which or before which its tokens were issued that are refused, milliseconds since 1970. */
interface Disconnect {
  readonly subject: string;
  readonly before: number;
}

/**
 * Disconnects subjects on every node, through the log: it reaches nodes that run by their tails, and others by the channel's history when they
 * start. Whatever a node has heard stays known to it, also when the log loses it.
 */
export class Disconnects {
  readonly #log: DisconnectLog;
  readonly #revocations: Revocations;
  readonly #sessions: Sessions;
  readonly #told: (what: string) => void;
  readonly #historySize: number;
  #skips = 0;
  #catchingUp: Promise<boolean> | undefined;
  #losses = 0;
  #restoring = false;

  constructor({ log, revocations, sessions, told, historySize = HISTORY_SIZE }: DisconnectsOptions) {
    this.#log = log;
    this.#revocations = revocations;
    this.#sessions = sessions;
    this.#told = told;
    this.#historySize = historySize;
  }

  /**
   * Refuses the subject's tokens that were issued up to now, and ends what lasts on them. `iat` is mostly in whole seconds, so that may hold
   * for a token that is issued in the same second. Resolves when the log has it; rejects with FanfareError `invalid_request`, or like an append.
   */
  async disconnect(subject: string): Promise<void> {
    const problem = subjectProblem(subject);
    if (problem !== undefined) throw new FanfareError('invalid_request', `"subject" ${problem}`);
    const disconnect = { subject, before: Date.now() };
    await this.#log.append(messageOf(disconnect));
    // The log may lose it before a tail has brought it to anybody: then this node is the one that knows.
    this.#take(disconnect);
  }

  /** What the tail brought of any channels. */
  heard(messages: readonly Message[]): void {
    for (const message of messages) if (message.channel === DISCONNECT_CHANNEL) this.#hear(message);
  }

  /**
   * Reads who was disconnected before the tail began, or while it passed over something. Retries until it could, or the signal aborts; never
   * rejects. Resolves to whether it could. Called while it is doing so it reads once more, for both.
   */
  catchUp(signal: AbortSignal): Promise<boolean> {
    this.#skips++;
    this.#catchingUp ??= this.#catchUp(signal).finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  async #catchUp(signal: AbortSignal): Promise<boolean> {
    const what = 'who was disconnected cannot be read from the log';
    for (let seen = 0; seen !== this.#skips; ) {
      seen = this.#skips;
      if ((await this.#persist(what, () => this.#read(), signal)) === undefined) return false;
    }
    return true;
  }

  /**
   * The log has lost something: what is known here and not there is appended again. Retries until it could, or the signal aborts; never rejects.
   * Called while it is doing so it begins again, and this call resolves at once.
   */
  async lost(signal: AbortSignal): Promise<void> {
    this.#losses++;
    if (this.#restoring) return;
    this.#restoring = true;
    for (let seen = 0; seen !== this.#losses && !signal.aborted; ) {
      seen = this.#losses;
      await this.#restore(signal);
    }
    this.#restoring = false;
  }

  async #restore(signal: AbortSignal): Promise<void> {
    const held = await this.#persist(
      'what the log still holds of who was disconnected cannot be read',
      () => this.#read(),
      signal,
    );
    if (held === undefined) return;
    const missing = this.#revocations.known().filter(([subject, before]) => (held.get(subject) ?? 0) < before);
    for (let start = 0; start < missing.length && !signal.aborted; start += BATCH_SIZE) {
      let left = missing.slice(start, start + BATCH_SIZE).map(([subject, before]) => messageOf({ subject, before }));
      const append = async (): Promise<true> => {
        const outcomes = await Promise.allSettled(left.map((message) => this.#log.append(message)));
        left = left.filter((_, i) => outcomes[i]?.status === 'rejected');
        const failed = outcomes.find((outcome) => outcome.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
        return true;
      };
      await this.#persist('who was disconnected cannot be appended again', append, signal);
    }
    if (missing.length > 0 && !signal.aborted)
      this.#told(`the log had lost ${missing.length} of those who were disconnected; they were appended again`);
  }

  /** Takes over all that the log holds; returns it, the newest time of each subject. */
  async #read(): Promise<ReadonlyMap<string, number>> {
    const held = new Map<string, number>();
    let count = 0;
    let beginMs: number | undefined;
    let after = ZERO_ID;
    for (let more = true; more; ) {
      const page = await this.#log.historyAfter(DISCONNECT_CHANNEL, after, PAGE_SIZE);
      const first = page.messages[0];
      // Of what was before an empty page, and of what has expired, no token is left.
      if (first !== undefined && page.gap === 'trimmed') {
        if (after === ZERO_ID) beginMs = idTime(first.id);
        else this.#refuseBefore(idTime(first.id));
      }
      for (const message of page.messages) {
        const disconnect = this.#hear(message);
        if (disconnect === undefined) continue;
        held.set(disconnect.subject, Math.max(disconnect.before, held.get(disconnect.subject) ?? 0));
      }
      count += page.messages.length;
      const last = page.messages.at(-1);
      more = page.more && last !== undefined;
      if (last !== undefined) after = last.id;
    }
    // A log that is young is said to be trimmed too, as nothing is known of the time before it. Only a full history has let go of anything.
    if (beginMs !== undefined && count >= this.#historySize) this.#refuseBefore(beginMs);
    return held;
  }

  #refuseBefore(ms: number): void {
    this.#told(
      `more were disconnected than the log holds: tokens from before ${new Date(ms).toISOString()} are refused`,
    );
    this.#revocations.refuseBefore(ms);
    this.#sessions.disconnectAll(ms);
  }

  #hear(message: Message): Disconnect | undefined {
    const disconnect = readDisconnect(message.data);
    if (disconnect === undefined)
      this.#told(`the message ${message.id} of ${DISCONNECT_CHANNEL} makes no sense, and is ignored`);
    else this.#take(disconnect);
    return disconnect;
  }

  /** The second time it changes nothing. The revocation comes first: who comes back at once is refused. */
  #take({ subject, before }: Disconnect): void {
    this.#revocations.add(subject, before);
    this.#sessions.disconnect(subject, before);
  }

  /** Tries until it works, and resolves to what came of it; to undefined when the signal aborts. Tells of the first failure. */
  async #persist<Result>(
    what: string,
    attempt: () => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result | undefined> {
    for (let waitMs = FIRST_WAIT_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted) return undefined;
        if (waitMs === FIRST_WAIT_MS) this.#told(`${what}; trying again: ${(error as Error).message}`);
        // From the upper half, so that the nodes do not all come at once.
        await pause(waitMs * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {});
      }
    }
    return undefined;
  }
}

/** Appended again, also by several nodes, it is there once. */
function messageOf({ subject, before }: Disconnect): NewMessage {
  const data = JSON.stringify({ subject, before });
  const idempotencyKey = createHash('sha256').update(data).digest('base64url');
  return { channel: DISCONNECT_CHANNEL, data, idempotencyKey };
}

/** Undefined for what makes no sense. */
function readDisconnect(data: string): Disconnect | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data);
  } catch {
    return undefined;
  }
  const { subject, before } = (parsed ?? {}) as Record<string, unknown>;
  if (typeof subject !== 'string' || subjectProblem(subject) !== undefined) return undefined;
  return typeof before === 'number' && Number.isSafeInteger(before) && before >= 0 ? { subject, before } : undefined;
}
