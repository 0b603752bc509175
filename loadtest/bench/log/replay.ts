import type { Children } from '../child.ts';
import { channelName } from './fill.ts';
import { startLogProcess } from './processes.ts';
import { startRedisServer } from './redis-server.ts';
import { type Speeds, speeds } from './rounds.ts';
import { perSecond } from './timed.ts';

export interface ReplayFigures extends Speeds {
  /** In the history. */
  readonly messages: number;
}

const SIZES = [1000, 10_000];
export const REPLAY_ROUNDS = 5;
const ROUND_MILLISECONDS = 400;
const DATA_BYTES = 256;

/** Measures replays of one channel at a time, page by page. The caller stops the children. */
export async function measureReplays(children: Children): Promise<ReplayFigures[]> {
  const redis = await startRedisServer(children, { onDisk: false });
  const child = await startLogProcess(children, 'the process that replays', redis.url, Math.max(...SIZES));
  const figures: ReplayFigures[] = [];
  for (const messages of SIZES) {
    await redis.client.flushall();
    await child.ask('fill', { channels: 1, messages, dataBytes: DATA_BYTES });
    const request = { channels: [channelName(0)], milliseconds: ROUND_MILLISECONDS };
    const replay = async () => perSecond([await child.ask('replay', request)]);
    const bare = async () => perSecond([await child.ask('replayBare', request)]);
    await replay();
    await bare();
    figures.push({ messages, ...(await speeds(REPLAY_ROUNDS, replay, bare)) });
  }
  return figures;
}
