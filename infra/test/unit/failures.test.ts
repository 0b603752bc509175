import { expect, test } from 'vitest';
import { failures } from '../failures.ts';
import type { Report } from '../report.ts';

const failed = (fullName: string, ...failureMessages: string[]) => ({ status: 'failed', fullName, failureMessages });

const report = (...files: Partial<Report['testResults'][number]>[]): Report => ({
  success: false,
  numPassedTests: 0,
  numFailedTests: 0,
  testResults: files.map((file) => ({
    name: '/repo/a.test.ts',
    status: 'failed',
    message: '',
    assertionResults: [],
    ...file,
  })),
});

test('a failed test is told with its file, its name and what it said', () => {
  const passed = { status: 'passed', fullName: 'group one', failureMessages: [] };
  const name = '/repo/services/a.test.ts';
  const assertionResults = [passed, failed('group two', 'Error: \u001b[31mno\u001b[39m\n    at a.test.ts:3\n')];
  expect(failures([report({ name, assertionResults })], '/repo')).toEqual([
    'services/a.test.ts: group two',
    '    Error: no',
    '        at a.test.ts:3',
  ]);
});

test('a file that did not run is told with its reason', () => {
  expect(failures([report({ message: 'Cannot find module' })], '/repo')).toEqual([
    'a.test.ts: the file',
    '    Cannot find module',
  ]);
});

test('a file whose group did not run is told, though the report has no reason', () => {
  expect(failures([report({})], '/repo')).toEqual(['a.test.ts: the file', '    the report does not say why']);
});

test('of a stack only the steps through our own code are told', () => {
  const stack =
    'Error: no\n    at a.test.ts:3\n    at new Promise (<anonymous>)\n    at /repo/node_modules/vitest/run.js:1';
  expect(failures([report({ assertionResults: [failed('one', stack)] })], '/repo')).toEqual([
    'a.test.ts: one',
    '    Error: no',
    '        at a.test.ts:3',
  ]);
});

test('a hook that failed behind the tests is told beside those that failed', () => {
  expect(failures([report({ message: 'afterAll', assertionResults: [failed('one', 'no')] })], '/repo')).toEqual([
    'a.test.ts: the file',
    '    afterAll',
    'a.test.ts: one',
    '    no',
  ]);
});

test('what passed, and a report that is missing, are not told', () => {
  expect(failures([undefined, report({ status: 'passed' })], '/repo')).toEqual([]);
});

test('a long message is cut to its first ten lines, and a long line to its beginning', () => {
  const message = Array.from({ length: 50 }, (_, line) => `${line} ${'x'.repeat(1_000)}`).join('\n');
  const [, ...lines] = failures([report({ assertionResults: [failed('one', message, message)] })], '/repo');
  expect(lines.map((line) => line.trim()[0])).toEqual([...'0123456789']);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(400);
});

test('of many failures the first twenty are told, over all reports, and how many are left', () => {
  const many = report({ assertionResults: Array.from({ length: 15 }, (_, index) => failed(`test ${index}`)) });
  const lines = failures([many, many], '/repo');
  expect(lines.filter((line) => line.startsWith('a.test.ts'))).toHaveLength(20);
  expect(lines.at(-1)).toBe('and 10 more');
});
