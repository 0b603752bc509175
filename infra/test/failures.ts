import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { isBroken, type Report } from './report.ts';

/** More than these, and the tests have one reason to fail that the first ones tell as well. */
const MAX_FAILURES = 20;
const MAX_MESSAGE_LINES = 10;
const MAX_LINE_CHARACTERS = 300;

/**
 * What failed, in lines to be read at the end of a long log: for each test its file, seen from `root`, its full name,
 * and the beginning of what it said; for a file that did not run, the file and why.
 */
export function failures(reports: readonly (Report | undefined)[], root: string): string[] {
  const found: string[][] = [];
  for (const { testResults } of reports.filter((report) => report !== undefined)) {
    for (const file of testResults) {
      const path = relative(root, file.name);
      if (file.message !== '' || isBroken(file)) found.push([`${path}: the file`, ...excerpt(file.message)]);
      for (const { status, fullName, failureMessages } of file.assertionResults) {
        if (status === 'failed') found.push([`${path}: ${fullName}`, ...excerpt(failureMessages.join('\n'))]);
      }
    }
  }
  const lines = found.slice(0, MAX_FAILURES).flat();
  return found.length > MAX_FAILURES ? [...lines, `and ${found.length - MAX_FAILURES} more`] : lines;
}

/** Indented, so that no line can be taken for one of the log's own. Steps of the stack through vitest say nothing. */
function excerpt(message: string): string[] {
  const lines = stripVTControlCharacters(message)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !/^ +at .*(node_modules|<anonymous>)/.test(line))
    .slice(0, MAX_MESSAGE_LINES);
  // A hook of a group: vitest's report has that it failed, its log has why.
  if (lines.length === 0) lines.push('the report does not say why');
  return lines.map((line) => `    ${line.slice(0, MAX_LINE_CHARACTERS)}`);
}
