import type { Children } from '../child.ts';
import { type AppendPart, measureAppends } from './append.ts';
import { type ManyChannels, measureManyChannels } from './channels.ts';
import { type CrowdFigures, measureCrowd } from './crowd.ts';
import { type MemoryFigures, measureMemory } from './memory.ts';
import { measureReplays, type ReplayFigures } from './replay.ts';
import { measureTail, type TailPart } from './tail.ts';

/** All that the log part measures. */
export interface LogFigures {
  readonly appends: readonly AppendPart[];
  readonly tail: TailPart;
  readonly replays: readonly ReplayFigures[];
  readonly crowd: CrowdFigures;
  readonly memory: MemoryFigures;
  readonly many: ManyChannels;
}

/** Measures the log, each part with processes and a Redis of its own. */
export async function measureLog(children: Children, channels: number): Promise<LogFigures> {
  const part = async <T>(name: string, measure: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const figures = await measure();
    await children.stop();
    console.log(`  ${name}: measured in ${((performance.now() - started) / 1000).toFixed(0)} s`);
    return figures;
  };
  return {
    appends: [
      await part('appends, on the disk before they are answered', () => measureAppends(children, true, [1, 3])),
      await part('appends, in memory alone', () => measureAppends(children, false, [1])),
    ],
    tail: await part('tail', () => measureTail(children)),
    replays: await part('replay', () => measureReplays(children)),
    crowd: await part('many clients with the same cursor', () => measureCrowd(children)),
    memory: await part('memory', () => measureMemory(children)),
    many: await part(`${channels} channels`, () => measureManyChannels(children, channels)),
  };
}
