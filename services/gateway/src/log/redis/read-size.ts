import { type RawEntry, sizeOf } from './entry.ts';

/** Entries in one read, at most; half of what the log holds when that is less. */
const MAX_ENTRIES = 512;
const MIN_ENTRIES = 16;
/** About how much data one read may bring: entries are asked for in numbers, by the size of those before. */
const TARGET_BYTES = 1024 * 1024;

/** How many entries of a log to ask for in one read. */
export class ReadSize {
  readonly #most: number;
  #entries: number;

  /** `logSize`: entries that the log holds, at least. */
  constructor(logSize: number) {
    this.#most = Math.max(1, Math.min(MAX_ENTRIES, Math.floor(logSize / 2)));
    this.#entries = this.#most;
  }

  get entries(): number {
    return this.#entries;
  }

  /** To be told of what each read brought. */
  learn(entries: readonly RawEntry[]): void {
    if (entries.length === 0) return;
    const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    const fitting = Math.floor(TARGET_BYTES / Math.max(1, bytes / entries.length));
    this.#entries = Math.min(this.#most, Math.max(MIN_ENTRIES, fitting));
  }
}
