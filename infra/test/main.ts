import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CHROMIUM, CURL, FAKETIME, IP, NGINX, OPENSSL, PYTHON, provide, REDIS } from '../cluster/install.ts';
import { thisMachine } from '../cluster/machine.ts';
import { ClusterError } from '../cluster/part.ts';

/**
 * The runner behind `npm test`: makes sure that what the tests run against is there, says where it comes from, and runs
 * vitest with all projects; what is given on the command line is passed on. The exit code is vitest's.
 */
async function main(words: readonly string[]): Promise<number> {
  const env: NodeJS.ProcessEnv = { ...process.env };
  try {
    const machine = thisMachine();
    const redis = await provide(REDIS, machine);
    console.log(`redis:    ${redis.origin}`);
    const nginx = await provide(NGINX, machine);
    console.log(`nginx:    ${nginx.origin}`);
    const chromium = await provide(CHROMIUM, machine);
    console.log(`chromium: ${chromium.origin}`);
    const python = await provide(PYTHON, machine);
    console.log(`python:   ${python.origin}`);
    const curl = await provide(CURL, machine);
    console.log(`curl:     ${curl.origin}`);
    console.log(`openssl:  ${(await provide(OPENSSL, machine)).origin}`);
    if (process.platform === 'linux') {
      console.log(`ip:       ${(await provide(IP, machine)).origin}`);
      console.log(`faketime: ${(await provide(FAKETIME, machine)).origin}`);
    }
    // Where there is no Redis to start, the tests of the log take theirs from Docker as well.
    env.TEST_REDIS ??= redis.tier === 'docker' ? 'docker' : 'local';
    if (chromium.tier === 'machine') env.CHROMIUM ??= chromium.path;
    if (python.tier === 'machine') env.PYTHON ??= python.path;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    console.error(`test: ${error.message}`);
    return 1;
  }
  console.log(`the tests of the log run on Redis from: ${env.TEST_REDIS}`);

  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const child = spawn(process.execPath, [vitest, 'run', ...words], { env, stdio: 'inherit' });
  // Ctrl-C reaches vitest by itself; this process waits for it. A signal to this process alone is passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`test: vitest could not be started (${error.message})`);
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main(process.argv.slice(2));
