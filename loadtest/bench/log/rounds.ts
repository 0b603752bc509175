import { median } from '../median.ts';
import type { Spread } from '../turns.ts';

/** Two things that took turns; each figure is a speed, more is better. */
export interface Speeds {
  readonly measured: number;
  readonly reference: number;
  /** Of measured to reference, in rounds that ran one after the other. */
  readonly ratio: Spread;
}

/** Lets two take turns, so that whatever else the machine does meets both: medians over the rounds. */
export async function speeds(
  rounds: number,
  measured: () => Promise<number>,
  reference: () => Promise<number>,
): Promise<Speeds> {
  const pairs: [number, number][] = [];
  for (let i = 0; i < rounds; i++) pairs.push([await measured(), await reference()]);
  const ratios = pairs.map(([a, b]) => a / b);
  return {
    measured: median(pairs.map(([a]) => a)),
    reference: median(pairs.map(([, b]) => b)),
    ratio: spread(ratios),
  };
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}
