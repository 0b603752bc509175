import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { machine, tmpdir } from 'node:os';
import { join } from 'node:path';

/** The one for processes that have threads, as Redis does. */
const LIBRARY = 'faketime/libfaketimeMT.so.1';

/**
 * The time of day as another process sees it. What is measured (the monotonic clock, and so its timers) goes on as ever, as it
 * does when somebody sets a real clock.
 */
export interface FakeClock {
  /** What the process must be started with, besides its own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Lets it differ from the machine's clock by so many seconds; negative: it is behind. It goes on from there. */
  shift(seconds: number): Promise<void>;
  /**
   * Stops it at this time, milliseconds since 1970. What waits until a time of day, like a blocking read of Redis, waits for
   * ever then.
   */
  stopAt(ms: number): Promise<void>;
  /** Removes its files. To be called when the process has ended. */
  stop(): Promise<void>;
}

/**
 * Makes a clock that shows the right time until it is set. libfaketime puts itself between the process and the C library.
 * Linux only. Throws where the library is missing.
 */
export async function startFakeClock(): Promise<FakeClock> {
  const library = findLibrary();
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-clock-'));
  const file = join(folder, 'time');
  const set = async (time: string): Promise<void> => {
    // In one step: the process reads it whenever it looks at the time.
    await writeFile(`${file}.next`, time);
    await rename(`${file}.next`, file);
  };
  const shift = (seconds: number): Promise<void> => set(`${seconds < 0 ? '' : '+'}${seconds}`);
  await shift(0);
  return {
    env: {
      // Redis brings its own malloc, which asks for the time before libfaketime can tell it; that of the C library does not.
      LD_PRELOAD: `${library}:libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_FMT: '%s',
      // Its name, and what it was called before.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    shift,
    // Half a millisecond more: libfaketime reads fractions into a double, and rounds down.
    stopAt: (ms) => set(`${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}5`),
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Wherever the distribution puts it. */
function findLibrary(): string {
  const folders = [`/usr/lib/${machine()}-linux-gnu`, '/usr/lib64', '/usr/lib', '/usr/local/lib'];
  const found = folders.map((folder) => join(folder, LIBRARY)).find((path) => existsSync(path));
  if (found === undefined)
    throw new Error('these tests need libfaketime to set the clock of Redis: apt-get install faketime');
  return found;
}
