import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AUTH_SETTINGS } from '../../../services/gateway/src/config-auth.ts';

const FILE = readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8');

test('compose hands every setting of authentication to the nodes, and none has a value there', () => {
  const [, node = ''] = FILE.split(/^ {2}node:$/m);
  const [environment = ''] = node.split(/^ {2}nginx:$/m);
  for (const name of AUTH_SETTINGS)
    expect(environment.split('\n').filter((line) => line.trim().startsWith(`${name}:`))).toEqual([
      name === 'FANFARE_AUTH' ? `      FANFARE_AUTH: ${'$'}{FANFARE_AUTH:-off}` : `      ${name}:`,
    ]);
});
