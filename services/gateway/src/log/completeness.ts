import { compareIds, type GapReason } from '../message.ts';

/** The oldest id that has not expired at `nowMs`, by the log's clock. */
export function expiryBound(nowMs: number, historyTtlSeconds: number): string {
  return `${Math.max(0, nowMs - historyTtlSeconds * 1000 + 1)}-0`;
}

/**
 * Judges whether a channel's messages after `after` are all there. The one rule of completeness, for every log:
 * `since` is an id after which nothing of the channel is gone. It is
 * - when something after `after` is held: the id of the channel's message right before the first of that;
 * - else, when the channel's newest message is known: that one's id;
 * - else the newest id of which a message can have been removed.
 */
export function judgeGap(after: string, since: string, bound: string): GapReason | undefined {
  if (compareIds(after, since) >= 0) return undefined;
  return compareIds(since, bound) < 0 ? 'expired' : 'trimmed';
}
