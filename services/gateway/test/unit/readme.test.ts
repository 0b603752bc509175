import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const REPOSITORY = new URL('../../../../', import.meta.url);

/** The names in the first column of README.md's table of settings. */
function documented(): string[] {
  const text = readFileSync(new URL('README.md', REPOSITORY), 'utf8');
  const [, after = ''] = text.split(/^## Configuration$/m);
  const [section = ''] = after.split(/^## /m);
  const cells = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name = '']) => name));
}

/** The names that the configuration's source reads. */
function read(): string[] {
  const sources = globSync('services/gateway/src/config*.ts', { cwd: REPOSITORY });
  const names = sources.flatMap((file) =>
    [...readFileSync(new URL(file, REPOSITORY), 'utf8').matchAll(/source\.\w+\(\s*'([A-Z_]+)'/g)].map(
      ([, name = '']) => name,
    ),
  );
  return [...new Set(names)];
}

describe('README.md', () => {
  test('lists every setting once, and none that there is not', () => {
    expect(read().length).toBeGreaterThan(20);
    expect(documented().sort()).toEqual(read().sort());
  });
});
