/** So much was done in so long. */
export interface Timed {
  readonly messages: number;
  readonly milliseconds: number;
}

/** Messages a second, of several that worked at the same time. */
export function perSecond(all: readonly Timed[]): number {
  return all.reduce((sum, { messages, milliseconds }) => sum + (1000 * messages) / milliseconds, 0);
}

/** Runs `work`, which tells how many messages it dealt with. */
export async function timed(work: () => Promise<number>): Promise<Timed> {
  const started = performance.now();
  const messages = await work();
  return { messages, milliseconds: performance.now() - started };
}
