import { answer } from '../questions.ts';
import { Appends, type Way } from './appends.ts';
import { type Fill, fill } from './fill.ts';
import { Follower } from './follower.ts';
import { type Opened, type OpenRequest, openLog } from './open-log.ts';
import { Replays } from './replays.ts';
import type { Timed } from './timed.ts';

/** What a process with a log of its own can be asked: all that a node does with the log, and the same by bare commands. */
export interface LogProcess {
  readonly open: (request: OpenRequest) => Promise<void>;
  /** Follows as a node does; resolves when it has what the log held. */
  readonly follow: (recentBytes: number) => Promise<Timed>;
  /** Follows by a bare loop of XREAD, from the log's end. */
  readonly followBare: () => Promise<void>;
  /** Resolves when its follower has had so many messages since it began. */
  readonly reached: (messages: number) => Promise<void>;
  /** Messages of its follower so far. */
  readonly seen: () => number;
  readonly append: (way: Way) => Promise<Timed>;
  readonly appendBare: (way: Way) => Promise<Timed>;
  readonly fill: (request: Fill) => Promise<Timed>;
  /** Reads the log from its oldest entry by a bare loop of XREAD; `most`: entries. */
  readonly readBare: (most: number) => Promise<Timed>;
  readonly replay: (request: ReplayRequest) => Promise<Timed>;
  readonly replayBare: (request: ReplayRequest) => Promise<Timed>;
  /** Lets go of what `open` opened; it can be opened again. */
  readonly close: () => Promise<void>;
}

/** Replays of whole histories, one channel after another, for as long. */
export interface ReplayRequest {
  readonly channels: readonly string[];
  readonly milliseconds: number;
}

function main(): void {
  let opened: Opened | undefined;
  let follower: Follower | undefined;
  const get = (): Opened => {
    if (opened === undefined) throw new Error('no log is open');
    return opened;
  };
  const following = (): Follower => {
    if (follower === undefined) throw new Error('no log is followed');
    return follower;
  };
  answer({
    async open(request: OpenRequest) {
      opened = await openLog(request);
    },
    async follow(recentBytes: number) {
      follower = new Follower();
      return follower.follow(get().log, recentBytes);
    },
    async followBare() {
      follower = new Follower();
      await follower.followBare(get().redis);
    },
    reached: (messages: number) => following().reached(messages),
    seen: () => following().messages,
    append: (way: Way) => new Appends(get(), way).run(),
    appendBare: (way: Way) => new Appends(get(), way).runBare(),
    fill: (request: Fill) => fill(get().log, request),
    readBare: (most: number) => new Follower().readBare(get().redis, most),
    replay: ({ channels, milliseconds }: ReplayRequest) => new Replays(get(), channels).run(milliseconds),
    replayBare: ({ channels, milliseconds }: ReplayRequest) => new Replays(get(), channels).runBare(milliseconds),
    async close() {
      follower?.stop();
      follower = undefined;
      const closing = opened;
      opened = undefined;
      closing?.redis.disconnect();
      await closing?.log.close();
    },
  } satisfies LogProcess);
}

main();
