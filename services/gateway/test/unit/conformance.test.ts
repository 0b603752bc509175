import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const REPOSITORY = new URL('../../../../', import.meta.url);
const SUITES = 'services/gateway/test/integration';

/** The folders of each sub-table of PROTOCOL.md, whose tests are all named after what a standard demands. */
const FOLDERS = {
  WebSocket: [`${SUITES}/websocket/rfc6455`, `${SUITES}/websocket/rfc7692`],
  'Server-Sent Events': [`${SUITES}/sse/event-stream`],
} as const;

/** The names of all tests in the files of a pattern, as far as they are written out. */
function testNames(pattern: string): string[] {
  return globSync(pattern, { cwd: REPOSITORY }).flatMap((path) =>
    [...readFileSync(new URL(path, REPOSITORY), 'utf8').matchAll(/(?:\btest|[\])])\(\s*(['"])((?:(?!\1).)+)\1,/g)].map(
      ([, , name = '']) => name,
    ),
  );
}

/** What a sub-table of PROTOCOL.md's conformance section has in its last column: names of tests, several with `<br>` between them. */
function namesInTable(heading: string): string[] {
  const protocol = readFileSync(new URL('services/gateway/PROTOCOL.md', REPOSITORY), 'utf8');
  const [, conformance = ''] = protocol.split(/^## Conformance$/m);
  const [section = ''] = conformance.split(/^## /m);
  const table = section.split(/^### /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = [...table.matchAll(/^\|.*\| ([^|]+) \|$/gm)].map(([, cell = '']) => cell);
  return rows.filter((cell) => cell !== 'test').flatMap((cell) => cell.split('<br>'));
}

describe.each(Object.entries(FOLDERS))('the conformance table of %s', (heading, folders) => {
  const named = namesInTable(heading);

  test('names only tests that there are', () => {
    const all = new Set([...testNames('services/gateway/test/**/*.test.ts'), ...testNames('nginx/test/**/*.test.ts')]);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !all.has(name))).toEqual([]);
  });

  test('names every test of its folders', () => {
    const tests = folders.flatMap((folder) => testNames(`${folder}/*.test.ts`));
    expect(tests.length).toBeGreaterThan(0);
    expect(tests.filter((name) => !named.includes(name))).toEqual([]);
    expect(new Set(tests).size).toBe(tests.length);
  });
});
