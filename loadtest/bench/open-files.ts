import process from 'node:process';

/** What a process has open besides the sockets of the bench. */
const OTHER_FILES = 100;

/** Why a process cannot have so many sockets open; undefined when it can. Node raises the soft limit to the hard one. */
export function openFilesProblem(sockets: number): string | undefined {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { hard: number | string } } };
  const limit = Number(userLimits?.open_files?.hard);
  const needed = sockets + OTHER_FILES;
  // No figure: the system has no such limit, or does not tell it.
  if (Number.isNaN(limit) || limit >= needed) return undefined;
  return `a process may have ${limit} files open here, and ${needed} are needed; raise it (ulimit -Hn)`;
}
