import type { Child, Children } from '../child.ts';
import type { LogProcess } from './log-process.ts';

export type LogChild = Child<LogProcess>;

/** Messages that a channel's history holds, as a node has it by default. */
export const HISTORY_SIZE = 1000;

/** Starts a process with a log of its own. */
export async function startLogProcess(
  children: Children,
  name: string,
  url: string,
  historySize = HISTORY_SIZE,
): Promise<LogChild> {
  const child = children.start<LogProcess>(name, new URL('./log-process.ts', import.meta.url));
  await child.ask('open', { url, historySize });
  return child;
}
