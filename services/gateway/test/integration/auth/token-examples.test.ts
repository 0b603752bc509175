import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { TokenVerifier } from '../../../src/auth/tokens/token-verifier.ts';
import { PYTHON } from '../../support/python.ts';
import { secretSigner } from '../../support/tokens.ts';

const REPOSITORY = new URL('../../../../../', import.meta.url);

/** The programs under "Making a token" in PROTOCOL.md, by the line above each. */
function examples(): Map<string, string> {
  const protocol = readFileSync(new URL('services/gateway/PROTOCOL.md', REPOSITORY), 'utf8');
  const [, after = ''] = protocol.split('### Making a token\n');
  const [section = ''] = after.split('\n### ');
  const programs = section.matchAll(/^(\w+, with [^\n]+):\n\n```\w+\n(.*?)^```$/gms);
  return new Map([...programs].map(([, name = '', code = '']) => [name.replace(/\[(.+)\]\(.+\)/, '$1'), code]));
}

/** Runs a program that it hands to `command` on its standard input; what it printed. */
async function run(command: string, words: readonly string[], program: string, secret: string): Promise<string> {
  const child = spawn(command, words, {
    cwd: fileURLToPath(REPOSITORY),
    env: { PATH: process.env.PATH, FANFARE_JWT_SECRET: secret },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(program);
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect(errors).toBe('');
  return out.trim();
}

test.each([
  { name: 'Node, with jose', command: process.execPath, words: ['--input-type=module'] },
  { name: 'Node, with nothing else', command: process.execPath, words: ['--input-type=module'] },
  { name: 'Python, with nothing else', command: PYTHON, words: ['-'] },
])('the example of a backend that makes a token does so: $name', async ({ name, command, words }) => {
  const program = examples().get(name);
  if (program === undefined) throw new Error(`PROTOCOL.md has no program for "${name}"`);
  const { secret } = secretSigner();
  const token = await run(command, words, program, secret);
  const principal = await verifierFor(secret).verify(token);
  expect(principal.subject).toBe('ann');
  expect(principal.maySubscribe(['orders:42', 'user:ann'])).toBe(true);
  expect(principal.maySubscribe(['user:eve'])).toBe(false);
  expect(((principal.expiresMs ?? 0) - (principal.issuedMs ?? 0)) / 1000).toBe(3600);
  await expect(verifierFor(secretSigner().secret).verify(token)).rejects.toThrow('its signature does not fit');
});

test('every other example of a token has the same claims', () => {
  const programs = [...examples()];
  expect(programs.length).toBeGreaterThan(3);
  for (const [name, program] of programs)
    for (const part of ['FANFARE_JWT_SECRET', 'ann', 'orders:*', 'user:{sub}'])
      expect(program.includes(part), `${name}: ${part}`).toBe(true);
});

function verifierFor(secret: string): TokenVerifier {
  return new TokenVerifier({
    keys: openTokenKeys({ kind: 'secret', secret }, () => {}),
    issuer: undefined,
    audience: undefined,
    maxLifetimeSeconds: 86_400,
    publicChannels: [],
  });
}
