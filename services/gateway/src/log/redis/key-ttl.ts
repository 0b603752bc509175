import { createHash } from 'node:crypto';
import { compareIds, idBefore, ZERO_ID } from '../../message.ts';
import { type Kept, keptOf, type Retention } from '../../retention.ts';
import { expiryBound } from '../completeness.ts';

/**
 * A history's key stays at least this long after its newest message, seconds, also where its messages are kept for less: it holds the
 * newest one's id, and so shows a cursor that has only been quiet to be complete. Cursors of connected clients are as old
 * as a heartbeat's interval at most.
 */
const MIN_LIFE_SECONDS = 600;

/** Between the words in a floor's key: the floor, since when nodes agree, on what (see floor.lua). */
const SPACE = ' ';

/**
 * For how long the keys of histories live, and what one that is not there means.
 *
 * That depends on the settings of whoever appended, not of who reads, so the nodes write down in Redis which they have, and since
 * when all had the same. While they differ, a channel without a history may have had one a moment ago.
 */
export class KeyTtl {
  /** Stands for these settings: other settings have another word. */
  readonly word: string;
  readonly #retention: Retention;

  constructor(retention: Retention) {
    this.#retention = retention;
    const usual = lifeSeconds(retention);
    const rules = [...(retention.namespaces ?? [])]
      // The nodes' own, which no client has a cursor of.
      .filter(([namespace]) => !namespace.startsWith('$'))
      .map(([namespace, kept]) => `${namespace}=${lifeSeconds(kept)}`)
      .filter((rule) => !rule.endsWith(`=${usual}`));
    const text = [usual, ...rules.sort()].join(SPACE);
    this.word = createHash('sha256').update(text).digest('base64url').slice(0, 12);
  }

  /** How long the key of the channel's history stays after its newest message, milliseconds. */
  milliseconds(channel: string): number {
    return lifeSeconds(keptOf(this.#retention, channel)) * 1000;
  }

  /**
   * For a channel that has no history's key: the newest id that one of its messages can have had. `floor` is what the floor's key
   * holds.
   */
  removedUpTo(channel: string, floor: string | null, nowMs: number): string {
    const [, since = ZERO_ID, word = '-'] = (floor ?? '').split(SPACE);
    if (word !== this.word && word !== '-') return `${nowMs}-0`;
    const expired = idBefore(expiryBound(nowMs, this.milliseconds(channel) / 1000));
    return compareIds(since, expired) > 0 ? since : expired;
  }
}

function lifeSeconds({ historyTtlSeconds }: Kept): number {
  return Math.max(MIN_LIFE_SECONDS, historyTtlSeconds);
}
