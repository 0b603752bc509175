import { compareIds, type GapReason, type Message } from '../message.ts';
import { judgeGap } from './completeness.ts';
import type { HistoryPage } from './log.ts';

/** The newest messages of a channel are handed out together, and are in memory until they have been read: so much of them at most, about. */
export const MAX_LAST_SIZE = 1024 * 1024;

/** A place in a channel's history. */
export interface HistoryEntry {
  readonly id: string;
  /** Id of the channel's message before it; when that is not known, the newest that can have been removed. */
  readonly previous: string;
  /** Undefined when only the place was kept. */
  readonly message?: Message;
}

/** What one look into a history found. */
export interface Look {
  /** Id after which was looked. */
  readonly after: string;
  /** Oldest first. */
  readonly entries: readonly HistoryEntry[];
  /** True when there may be more entries after these. */
  readonly more: boolean;
  /** Where there are no entries: the channel's newest id, or the newest that can have been removed. */
  readonly end: string;
  /** The oldest id that has not expired. */
  readonly bound: string;
  /** By the log's clock, milliseconds. */
  readonly nowMs: number;
}

/** The message of an entry, unless it is gone: too old, past its own time to live, or never kept. */
export function aliveIn({ message }: HistoryEntry, bound: string, nowMs: number): Message | undefined {
  if (message === undefined || compareIds(message.id, bound) < 0) return undefined;
  return message.expiresMs === undefined || message.expiresMs > nowMs ? message : undefined;
}

/**
 * Makes a page of what a look found, and judges whether something is missing in it. A page that has no messages and
 * `more` says nothing of what comes after its last entry.
 */
export function pageOf({ after, entries, more, end, bound, nowMs }: Look): HistoryPage {
  const messages: Message[] = [];
  let gap = judgeGap(after, entries[0]?.previous ?? end, bound);
  let gone: GapReason | undefined;
  for (const [i, entry] of entries.entries()) {
    const message = aliveIn(entry, bound, nowMs);
    // Somebody else has removed what was between the two.
    if (i > 0 && entry.previous !== entries[i - 1]?.id) gone ??= 'trimmed';
    if (message === undefined) gone ??= entry.message === undefined ? 'trimmed' : 'expired';
    else {
      messages.push(message);
      gap ??= gone;
    }
  }
  // What is gone behind the last message is told with the next page, which begins there.
  if (!more || messages.length === 0) gap ??= gone;
  return gap === undefined ? { messages, more } : { messages, more, gap };
}
