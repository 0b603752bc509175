import { expect, test } from 'vitest';
import { parseReport } from '../report.ts';
import { tally } from '../tally.ts';

const report = (passed: number, failed: number, more: object = {}) =>
  parseReport(
    JSON.stringify({ success: failed === 0, numPassedTests: passed, numFailedTests: failed, testResults: [], ...more }),
  );

test('reports are added up', () => {
  expect(tally([report(3, 0), report(4, 2)])).toEqual({ passed: 7, failed: 2 });
});

test('a test file that broke before its tests counts as one failure', () => {
  const testResults = [
    { status: 'failed', assertionResults: [] },
    { status: 'passed', assertionResults: [{ status: 'passed' }] },
  ];
  expect(tally([report(1, 0, { success: false, testResults })])).toEqual({ passed: 1, failed: 1 });
});

test('a failed test is not counted again for its file', () => {
  const testResults = [{ status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] }];
  expect(tally([report(1, 1, { testResults })])).toEqual({ passed: 1, failed: 1 });
});

test('a run that failed for another reason counts as one failure', () => {
  expect(tally([report(5, 0, { success: false })])).toEqual({ passed: 5, failed: 1 });
});

test('a report that is missing or cut off counts as one failure', () => {
  expect(tally([parseReport(undefined), parseReport('{"numPassed')])).toEqual({ passed: 0, failed: 2 });
});
