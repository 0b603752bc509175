import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { failures } from './failures.ts';
import { isBroken, parseReport, type Report } from './report.ts';

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Adds up vitest's JSON reports. A test file that failed before any of its tests could (it does not compile, say) counts
 * as one failed test, and so does a report that says failure for another reason, is missing, or cannot be read.
 */
export function tally(reports: readonly (Report | undefined)[]): Tally {
  let passed = 0;
  let failed = 0;
  for (const report of reports) {
    if (report === undefined) {
      failed++;
      continue;
    }
    const failures = report.numFailedTests + report.testResults.filter(isBroken).length;
    passed += report.numPassedTests;
    failed += failures === 0 && !report.success ? 1 : failures;
  }
  return { passed, failed };
}

/**
 * Reads the reports that the command line names, prints what failed, and last `N passed, N failed`. The exit code is 1
 * with a failure.
 */
function main(files: readonly string[]): number {
  const reports = files.map((file) => parseReport(read(file)));
  for (const line of failures(reports, resolve(import.meta.dirname, '../..'))) console.log(line);
  const { passed, failed } = tally(reports);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
