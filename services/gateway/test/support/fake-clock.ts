import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where distributions put libfaketime (Debian: package `libfaketime`), by the machine's architecture. */
const TRIPLETS: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

/** libfaketime on this machine, or undefined: Linux only. */
export function findFakeTime(): string | undefined {
  const triplet = TRIPLETS[process.arch];
  if (process.platform !== 'linux' || triplet === undefined) return undefined;
  const path = `/usr/lib/${triplet}/faketime/libfaketime.so.1`;
  return existsSync(path) ? path : undefined;
}

/** The time of day as another process sees it. Its monotonic clock, and so its timers, go on as ever. */
export interface FakeClock {
  /** What the process must be started with, besides its own environment. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Stops the clock at this time, milliseconds since 1970. What waits until a time of day, like a blocking read of Redis,
   * waits for ever then.
   */
  stopAt(ms: number): Promise<void>;
}

/** A clock for processes that are started with its `env`; it keeps a file in `folder`. Until it is set it runs as the machine's. */
export async function createFakeClock(folder: string): Promise<FakeClock> {
  const library = findFakeTime();
  if (library === undefined) throw new Error('these tests need libfaketime (Debian: package libfaketime)');
  const file = join(folder, 'time');
  const set = async (text: string): Promise<void> => {
    // The process reads the file whenever it looks at the time: it must never see half of it.
    await writeFile(`${file}.next`, text);
    await rename(`${file}.next`, file);
  };
  await set('+0');
  return {
    env: {
      // The C library itself goes before jemalloc: that looks at the time while libfaketime still sets itself up, and hangs.
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_FMT: '%s',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    // Half a millisecond more: libfaketime reads fractions into a double, and rounds down.
    stopAt: (ms) => set(`${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}5`),
  };
}
