import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { until } from '../../support/until.ts';

const REPOSITORY = new URL('../../../../../', import.meta.url);

/** What README.md says is to be typed to close a node, block by block. */
function commands(): string[] {
  const readme = readFileSync(new URL('README.md', REPOSITORY), 'utf8');
  const [, after = ''] = readme.split('## From open on a laptop to closed in production\n');
  const [section = ''] = after.split('\n## ');
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

let shell: ChildProcess | undefined;
afterEach(async () => {
  if (shell?.pid === undefined) return;
  const ended = once(shell, 'close');
  // With all that was started in it.
  process.kill(-shell.pid, 'SIGTERM');
  await ended;
});

test('the commands that README.md shows close a node, and do what it says', async () => {
  const [close, use, disconnect, ...others] = commands();
  expect(others).toEqual([]);
  const terminal = spawn('bash', ['-s'], {
    cwd: fileURLToPath(REPOSITORY),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ADMIN_PORT: '0', FANFARE_DRAIN_SECONDS: '0' },
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  shell = terminal;
  let shown = '';
  terminal.stdout.on('data', (chunk) => {
    shown += chunk;
  });
  terminal.stdin.write(`${close}\n`);
  await until(() => shown.includes('"ready"'), 'the node');
  expect(shown).toContain('authentication is on');
  const [, port = ''] = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(shown) ?? [];
  const here = (block = ''): string => `${block.replaceAll('localhost:8080', `localhost:${port}`)}\n`;

  expect((await fetch(`http://127.0.0.1:${port}/v1/sse?channel=orders:42`)).status).toBe(401);
  terminal.stdin.write(here(use));
  await until(() => shown.includes('data: "paid"'), 'the message');
  expect(shown).toContain('"channel":"orders:42"}');

  terminal.stdin.write(here(disconnect));
  await until(() => shown.includes('data: {"reason":"disconnected"}'), 'the end of the stream');
  await until(() => shown.includes('{"subject":"ann"}'), 'the answer');
});
