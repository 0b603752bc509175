import { median } from './median.ts';

type Probed = { ask(question: 'cpu', argument: undefined): Promise<number> };

/** One of two things that are compared. */
export interface Side {
  /** The process whose CPU counts. */
  readonly process: Probed;
  readonly work: () => Promise<unknown>;
}

/** CPU microseconds of one `work` of each side: medians over the rounds. */
export interface Comparison {
  readonly measured: number;
  readonly reference: number;
  /** Of measured to reference, in rounds that ran one after the other. */
  readonly ratio: Spread;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Lets two sides work by turns, `times` in each round, so that whatever else the machine does meets both. */
export async function takeTurns(rounds: number, times: number, measured: Side, reference: Side): Promise<Comparison> {
  const pairs: { measured: number; reference: number }[] = [];
  await repeat(rounds, async () => {
    pairs.push({ measured: await cpuPerWork(times, measured), reference: await cpuPerWork(times, reference) });
  });
  const ratios = pairs.map((pair) => pair.measured / pair.reference);
  return {
    measured: median(pairs.map((pair) => pair.measured)),
    reference: median(pairs.map((pair) => pair.reference)),
    ratio: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
  };
}

/** CPU microseconds of the process for one `work`, the mean over `times`. */
export async function cpuPerWork(times: number, { process, work }: Side): Promise<number> {
  const before = await process.ask('cpu', undefined);
  await repeat(times, work);
  return ((await process.ask('cpu', undefined)) - before) / times;
}

export async function repeat(times: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < times; i++) await work();
}
