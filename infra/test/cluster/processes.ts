import { readFileSync } from 'node:fs';

/** Whether a process is there and has not ended; one that waits to be collected by its parent has. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    // "pid (name) state …": the name may hold anything, parentheses too (Linux's proc(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '');
  } catch {
    return process.platform !== 'linux';
  }
}
