import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const REPOSITORY = new URL('../../../../', import.meta.url);
const TESTS = new URL('services/gateway/test/', REPOSITORY);

/** The rows of the table under "Security" in ARCHITECTURE.md: the attack, and the files in the last column. */
function threats(): { attack: string; files: string[] }[] {
  const text = readFileSync(new URL('ARCHITECTURE.md', REPOSITORY), 'utf8');
  const [, after = ''] = text.split(/^## Security$/m);
  const [section = ''] = after.split(/^## /m);
  const rows = [...section.matchAll(/^\| ?([^|]*)\| ([^|]+) \| [^|]+ \| ([^|]+) \|$/gm)];
  return rows
    .filter(([, who = '']) => !/^who $|^-/.test(who))
    .map(([, , attack = '', cell = '']) => ({
      attack,
      files: [...cell.matchAll(/`([^`]+)`/g)].map(([, f = '']) => f),
    }));
}

describe('the threat model in ARCHITECTURE.md', () => {
  test('has rows', () => {
    expect(threats().length).toBeGreaterThan(10);
  });

  test.each(threats())('names tests that there are, against whoever $attack', ({ files }) => {
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(file).toMatch(/\.test\.ts$/);
      expect(
        [TESTS, REPOSITORY].some((folder) => existsSync(new URL(file, folder))),
        file,
      ).toBe(true);
    }
  });
});
