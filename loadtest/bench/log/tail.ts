import type { Children } from '../child.ts';
import { median } from '../median.ts';
import type { Spread } from '../turns.ts';
import { APPEND_DATA_BYTES } from './appends.ts';
import { startLogProcess } from './processes.ts';
import { startRedisServer } from './redis-server.ts';
import { type Speeds, speeds, spread } from './rounds.ts';
import { perSecond, timed } from './timed.ts';

export interface TailPart {
  /** At the start: all that the log holds, up to the node's memory for recent messages. Next to a loop of XREAD over the same. */
  readonly start: Speeds;
  /** Behind: what was appended while the process was stopped. Next to the same loop. */
  readonly behind: Speeds;
  readonly live: LiveFigures;
}

/** A tail and a loop of XREAD that follow the same appends at the same time. */
export interface LiveFigures {
  /** Messages a second that were appended, and that the tail brought. */
  readonly appended: number;
  readonly brought: number;
  /** CPU microseconds of the process for each message. */
  readonly cpu: { readonly tail: number; readonly bare: number };
  readonly ratio: Spread;
}

export const TAIL_MESSAGES = 100_000;
const BEHIND_MESSAGES = 20_000;
export const TAIL_ROUNDS = 5;
const LIVE_MILLISECONDS = 1000;
/** More than the log holds of data. */
const RECENT_BYTES = 64 * 1024 * 1024;
const CHANNELS = 1000;
const LIVE_WAY = { atOnce: 256, batch: 1, keyed: false };

/** Measures the tail on a Redis of its own, without a file: reading is what counts. The caller stops the children. */
export async function measureTail(children: Children): Promise<TailPart> {
  const { url } = await startRedisServer(children, { onDisk: false });
  const [writer, tail, bare] = await Promise.all(
    ['the process that appends', 'the process with the tail', 'the process with the bare loop'].map((name) =>
      startLogProcess(children, name, url),
    ),
  );
  if (writer === undefined || tail === undefined || bare === undefined) throw new Error('a process is missing');
  const fill = (messages: number) => writer.ask('fill', { channels: CHANNELS, messages, dataBytes: APPEND_DATA_BYTES });
  await fill(TAIL_MESSAGES);

  const follow = async (): Promise<number> => {
    await tail.ask('close', undefined);
    await tail.ask('open', { url, historySize: 1 });
    return perSecond([await tail.ask('follow', RECENT_BYTES)]);
  };
  const readBare = async (most: number): Promise<number> => perSecond([await bare.ask('readBare', most)]);
  await follow();
  await readBare(TAIL_MESSAGES);
  const start = await speeds(TAIL_ROUNDS, follow, () => readBare(TAIL_MESSAGES));

  const catchUp = async (): Promise<number> => {
    const seen = await tail.ask('seen', undefined);
    tail.pause();
    await fill(BEHIND_MESSAGES);
    const done = await timed(async () => {
      const reached = tail.ask('reached', seen + BEHIND_MESSAGES);
      tail.resume();
      await reached;
      return BEHIND_MESSAGES;
    });
    return perSecond([done]);
  };
  await catchUp();
  const behind = await speeds(TAIL_ROUNDS, catchUp, () => readBare(BEHIND_MESSAGES));

  await bare.ask('followBare', undefined);
  const rounds: { appended: number; brought: number; tail: number; bare: number }[] = [];
  for (let i = 0; i < TAIL_ROUNDS; i++) {
    const followers = [tail, bare] as const;
    const cpus = () => Promise.all(followers.map((follower) => follower.ask('cpu', undefined)));
    const seen = await Promise.all(followers.map((follower) => follower.ask('seen', undefined)));
    const [before, started] = [await cpus(), performance.now()];
    const appended = await writer.ask('append', { ...LIVE_WAY, milliseconds: LIVE_MILLISECONDS });
    const reached = followers.map((follower, f) => follower.ask('reached', (seen[f] ?? 0) + appended.messages));
    await reached[0];
    const seconds = (performance.now() - started) / 1000;
    await reached[1];
    const [tailCpu = 0, bareCpu = 0] = (await cpus()).map((cpu, f) => (cpu - (before[f] ?? 0)) / appended.messages);
    const rates = { appended: perSecond([appended]), brought: appended.messages / seconds };
    rounds.push({ ...rates, tail: tailCpu, bare: bareCpu });
  }
  return {
    start,
    behind,
    live: {
      appended: median(rounds.map((round) => round.appended)),
      brought: median(rounds.map((round) => round.brought)),
      cpu: { tail: median(rounds.map((round) => round.tail)), bare: median(rounds.map((round) => round.bare)) },
      ratio: spread(rounds.map((round) => round.tail / round.bare)),
    },
  };
}
