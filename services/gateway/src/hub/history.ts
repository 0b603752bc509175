import { compareIds, type GapReason, type Message } from '../message.ts';
import type { EncodedMessage } from '../wire/encoded-message.ts';

/** The channels' shared history, as the hub needs it for what is older than its own memory. */
export interface History {
  readonly partitions: number;
  readonly source: 'memory' | 'redis';
  /** Up to `limit` messages after `after`, oldest first; `gap` when something between the two is gone. */
  historyAfter(
    channel: string,
    after: string,
    limit: number,
  ): Promise<{ messages: readonly Message[]; more: boolean; gap?: GapReason }>;
  /** Up to `limit` of the newest messages, oldest first. */
  historyLast(channel: string, limit: number): Promise<readonly Message[]>;
  /** The id of the newest entry of the partition's log. */
  end(partition: number): Promise<string>;
}

/** An answer of the history, and the place of this node's tail when it was asked: up to there it is whole. */
export interface Answer {
  readonly messages: readonly EncodedMessage[];
  readonly more: boolean;
  readonly gap?: GapReason;
  readonly asOf: string;
}

/** Up to where an answer is whole: its last message when there are more, else where the tail stood when it was asked for. */
export function endOf({ messages, more, asOf }: Answer): string {
  const last = messages.at(-1);
  return more && last !== undefined && compareIds(last.message.id, asOf) < 0 ? last.message.id : asOf;
}
