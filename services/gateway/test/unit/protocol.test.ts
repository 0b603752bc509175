import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { CLOSES, ERRORS } from '../../src/errors.ts';
import { PrometheusMetrics } from '../../src/metrics/prometheus.ts';

let sections: Map<string, string>;

beforeAll(() => {
  const text = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
  sections = new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf('\n')).trim(), section]),
  );
});

/** What the rows of the table under a heading begin with, sorted. `row` has it in its first group. */
function firstCells(heading: string, row: RegExp): string[] {
  const section = sections.get(heading);
  if (section === undefined) throw new Error(`PROTOCOL.md has no "## ${heading}"`);
  return [...section.matchAll(row)].map((match) => match[1] ?? '').sort();
}

describe('PROTOCOL.md', () => {
  test('lists every error code once, and none that there is not', () => {
    expect(firstCells('Errors', /^\| `([a-z_]+)` \|/gm)).toEqual(Object.keys(ERRORS).sort());
  });

  test('lists every close code once, and none that there is not', () => {
    const codes = new Set(Object.values(CLOSES).map(({ code }) => String(code)));
    expect(firstCells('Close codes', /^\| (\d{4}) \|/gm)).toEqual([...codes].sort());
  });

  test('lists every metric once, and none that there is not', async () => {
    const metrics = new PrometheusMetrics({ version: '0', node: 'node' });
    metrics.read({ subscriptions: () => 0, channels: () => 0 });
    const { body } = await metrics.exposition();
    const names = [...body.matchAll(/^# TYPE (fanfare_\w+) /gm)].map((match) => match[1] ?? '').sort();
    expect(names.length).toBeGreaterThan(0);
    expect(firstCells('Metrics', /^\| `(fanfare_\w+)(?:\{[^}`]*\})?` \|/gm)).toEqual(names);
  });
});
