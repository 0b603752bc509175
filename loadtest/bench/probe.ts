import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { answer } from './questions.ts';

/** What every measured process can be asked. */
export interface Probe {
  /** CPU time of all threads, user and system, as the operating system counts it: microseconds since the start. */
  readonly cpu: () => number;
  /** Collects garbage, and tells what memory is left. */
  readonly memory: () => Promise<Memory>;
}

export interface Memory {
  readonly residentBytes: number;
  /** Of the JavaScript heap, what is in use. */
  readonly heapBytes: number;
}

/** Freed pages go back to the system in the background, and the end of one object may set others free. */
const BETWEEN_COLLECTIONS_MILLISECONDS = 150;
const LEAST_COLLECTIONS = 6;
const MOST_COLLECTIONS = 20;
/** A collection that frees less than this was the last. */
const SETTLED_BYTES = 64 * 1024;

function main(): void {
  answer({
    cpu() {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    async memory() {
      if (globalThis.gc === undefined) throw new Error('the process was not started with --expose-gc');
      // The least of what is read: heartbeats make garbage meanwhile.
      let least: Memory = { residentBytes: Number.POSITIVE_INFINITY, heapBytes: Number.POSITIVE_INFINITY };
      let freed = 0;
      for (let i = 0; i < LEAST_COLLECTIONS || (i < MOST_COLLECTIONS && freed > SETTLED_BYTES); i++) {
        globalThis.gc();
        await setTimeout(BETWEEN_COLLECTIONS_MILLISECONDS);
        const { rss, heapUsed } = process.memoryUsage();
        freed = least.residentBytes - rss;
        least = { residentBytes: Math.min(least.residentBytes, rss), heapBytes: Math.min(least.heapBytes, heapUsed) };
      }
      return least;
    },
  } satisfies Probe);
  // Questions alone must not keep a node alive that was told to stop.
  process.channel?.unref();
}

// Loaded in front of what is measured (`--import`), so that the node and the bare loop are read in the same way, on every
// platform. The node's own /metrics has these figures too, but a scrape costs CPU, and the bare loop has none.
main();
