import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LIBRARY = 'faketime/libfaketimeMT.so.1';

/** A clock that a test can set, for a process that is started with `env`. */
export interface MovableClock {
  readonly env: Readonly<Record<string, string>>;
  /** Lets it differ from the machine's clock by so many seconds; negative: it is behind. It goes on from there. */
  shift(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Makes a clock that shows the right time. libfaketime puts itself between the process and the C library; what is measured
 * (the monotonic clock) stays as it is, as it does when somebody sets a real clock. Linux only.
 */
export async function startMovableClock(): Promise<MovableClock> {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-clock-'));
  const file = join(folder, 'offset');
  const shift = async (seconds: number) => {
    // In one step: it is read all the time.
    await writeFile(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
    await rename(`${file}.new`, file);
  };
  await shift(0);
  return {
    env: {
      // Redis brings its own malloc, which asks for the time before libfaketime can tell it; that of the C library does not.
      LD_PRELOAD: `${library()}:libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    shift,
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

function library(): string {
  const folders = ['/usr/lib64', '/usr/lib', ...readdirSync('/usr/lib').map((name) => join('/usr/lib', name))];
  const found = folders.map((folder) => join(folder, LIBRARY)).find((path) => existsSync(path));
  if (found === undefined)
    throw new Error('these tests need libfaketime to set the clock of Redis: apt-get install faketime');
  return found;
}
