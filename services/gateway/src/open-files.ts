import process from 'node:process';

/**
 * How many files, sockets among them, this process may have open; Infinity where the system has no such limit or does not tell it.
 * Node raises the soft limit to the hard one at its start.
 */
export function openFilesLimit(): number {
  // What a report says of the network takes look-ups of names.
  Object.assign(process.report, { excludeNetwork: true });
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const limit = Number(userLimits?.open_files?.soft);
  return Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit;
}
