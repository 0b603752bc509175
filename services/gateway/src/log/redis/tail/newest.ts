import { compareIds, idBefore } from '../../../message.ts';
import type { LogRedis } from '../connection.ts';
import { type RawEntry, sizeOf } from '../entry.ts';
import { logKey } from '../keys.ts';

/** Entries in one read backwards. */
const PAGE_ENTRIES = 256;

/** The newest stretch of a log. */
export interface Newest {
  /** Oldest first, and nothing left out between them and the end that the log had. */
  readonly entries: readonly RawEntry[];
  /** Everything after this id is in `entries`, unless the log was trimmed past it meanwhile. */
  readonly after: string;
}

/**
 * Reads the newest entries of a partition's log, up to `maxBytes` of data and back to `after` at most. It reads
 * backwards, in pages, and each entry once: what is trimmed meanwhile goes at the far end, so the stretch stays whole.
 */
export async function readNewest(redis: LogRedis, partition: number, after: string, maxBytes: number): Promise<Newest> {
  const entries: RawEntry[] = [];
  let bytes = 0;
  let end = '+';
  for (;;) {
    const page = await redis.xrevrange(logKey(partition), end, `(${after}`, 'COUNT', PAGE_ENTRIES);
    for (const entry of page) {
      bytes += sizeOf(entry);
      if (bytes > maxBytes) return { entries: entries.reverse(), after: entry[0] };
      entries.push(entry);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_ENTRIES) return { entries: entries.reverse(), after };
    end = `(${last[0]}`;
  }
}

/** The id from which a stretch is whole when the oldest entry that the log held after the read was `oldest`. */
export function wholeFrom({ entries, after }: Newest, oldest: string): string {
  const [first] = entries;
  if (first === undefined || compareIds(oldest, after) <= 0) return after;
  return idBefore(first[0]);
}
