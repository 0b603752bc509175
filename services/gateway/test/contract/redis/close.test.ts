import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/redis.ts';

let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.stop());

const MODULE = JSON.stringify(new URL('../../../src/log/redis/redis-log.ts', import.meta.url).href);
const LEDGER = JSON.stringify(new URL('../../support/tail-ledger.ts', import.meta.url).href);
const ADDRESS = JSON.stringify(new URL('../../support/redis-address.ts', import.meta.url).href);
const SILENT = JSON.stringify(new URL('../../support/silent.ts', import.meta.url).href);

/** Runs `body` with an open log in a process of its own, which ends by itself only when nothing is left running. */
async function exitCode(url: string, body: string, mode = 'standalone'): Promise<number | null> {
  const script = `
    import { createRedisLog } from ${MODULE};
    import { TailLedger } from ${LEDGER};
    import { redisAddress } from ${ADDRESS};
    import { silentLogger, silentMetrics } from ${SILENT};
    const log = createRedisLog({
      address: redisAddress(${JSON.stringify(url)}, '${mode}'), partitions: 3, historySize: 10, historyTtlSeconds: 60,
      logger: silentLogger(), metrics: silentMetrics(),
    });
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code as number | null;
}

test('a log that is closed leaves nothing running, and no connection', async () => {
  const body = `
    await log.follow(new TailLedger(), 1e6);
    await log.append({ channel: 'a', data: '1' });
    await log.historyLast('a', 1);
    await log.close();`;
  expect(await exitCode(redis.url, body)).toBe(0);
  expect(await redis.client.client('LIST')).not.toContain('name=fanfare:');
});

test('nor does one that is closed at once, while it connects', async () => {
  expect(await exitCode(redis.url, 'void log.follow(new TailLedger(), 1e6); await log.close();')).toBe(0);
});

test.each([
  ['Redis', 'standalone', ''],
  ['Redis Cluster', 'cluster', ''],
  ['Sentinels', 'sentinel', '/?master=m'],
])('nor does one that never found its %s', async (_, mode, rest) => {
  const body = `
    void log.follow(new TailLedger(), 1e6);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await log.close();`;
  // Port 1 is nobody's.
  expect(await exitCode(`redis://127.0.0.1:1${rest}`, body, mode)).toBe(0);
});
