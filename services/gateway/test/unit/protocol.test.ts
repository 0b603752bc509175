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

/** The groups of each row that `row` matches under a heading. */
function rowsOf(heading: string, row: RegExp): string[][] {
  return [...(sections.get(heading) ?? '').matchAll(row)].map(([, ...groups]) => groups);
}

function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name);
}

describe('PROTOCOL.md', () => {
  test('lists every error code once, and none that there is not', () => {
    expect(firstCells('Errors', /^\| `([a-z_]+)` \|/gm)).toEqual(Object.keys(ERRORS).sort());
  });

  test('lists every close code once, and none that there is not', () => {
    const codes = new Set(Object.values(CLOSES).map(({ code }) => String(code)));
    expect(firstCells('Close codes', /^\| (\d{4}) \|/gm)).toEqual([...codes].sort());
  });

  test('names every close reason beside its code, and none that there is not', () => {
    const rows = rowsOf('Close codes', /^\| (\d{4}) \| ([^|]+) \|/gm);
    const named = rows.flatMap(([code = '', cell = '']) => namesIn(cell).map((reason) => `${code} ${reason}`));
    expect(named.sort()).toEqual(
      Object.entries(CLOSES)
        .map(([reason, { code }]) => `${code} ${reason}`)
        .sort(),
    );
  });

  test('names every reason that an event stream can end with, and none that there is not', () => {
    const [table = ''] = (sections.get('Server-Sent Events') ?? '').split('| `fanfare:bye` |').slice(1);
    const named = [...table.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => namesIn(cell));
    // What only a WebSocket can do wrong or is told behind a handshake; `unavailable` is NGINX's.
    const others = ['protocol_error', 'unsupported_data', 'invalid_payload', 'flooding', 'too_large', 'missed_pong'];
    const answers = ['unauthenticated', 'forbidden'];
    const told = Object.keys(CLOSES).filter((reason) => ![...others, ...answers].includes(reason));
    expect(named.sort()).toEqual([...told, 'unavailable'].sort());
  });

  test('gives every error its status', () => {
    const rows = rowsOf('Errors', /^\| `([a-z_]+)` \| (\d{3}) \|/gm);
    expect(Object.fromEntries(rows)).toEqual(
      Object.fromEntries(Object.entries(ERRORS).map(([code, { status }]) => [code, String(status)])),
    );
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
