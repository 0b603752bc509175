import { readFileSync } from 'node:fs';

/** What of a vitest JSON report counts here. */
interface Report {
  readonly success: boolean;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { status: string }[];
  }[];
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Adds up vitest's JSON reports. A test file that failed before any of its tests could (it does not compile, say) counts
 * as one failed test, and so does a report that says failure for another reason, is missing, or cannot be read.
 */
export function tally(reports: readonly (string | undefined)[]): Tally {
  let passed = 0;
  let failed = 0;
  for (const text of reports) {
    const report = parse(text);
    if (report === undefined) {
      failed++;
      continue;
    }
    const broken = report.testResults.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
    ).length;
    const failures = report.numFailedTests + broken;
    passed += report.numPassedTests;
    failed += failures === 0 && !report.success ? 1 : failures;
  }
  return { passed, failed };
}

function parse(text: string | undefined): Report | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Report);
  } catch {
    return undefined;
  }
}

/** Reads the reports that the command line names and prints `N passed, N failed`. The exit code is 1 with a failure. */
function main(files: readonly string[]): number {
  const { passed, failed } = tally(
    files.map((file) => {
      try {
        return readFileSync(file, 'utf8');
      } catch {
        return undefined;
      }
    }),
  );
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
