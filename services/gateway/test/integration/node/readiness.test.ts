import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { ACCOUNT, RIGHTS, setUser, USER } from '../../support/redis-access.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
let node: Gateway | undefined;

beforeAll(async () => {
  redis = await startRedis();
});

beforeEach(async () => {
  await redis.client.flushall();
  await setUser(redis.client, RIGHTS);
});

afterEach(async () => {
  await node?.kill();
  node = undefined;
});

afterAll(() => redis.stop());

async function start(until: 'ready' | 'listening', url = redis.url): Promise<void> {
  node = await startGateway({ REDIS_URL: url }, until);
}

/** What /readyz answers, which is one line. */
async function readiness(): Promise<{ status: number; line: string }> {
  const response = await fetch(`${node?.adminUrl}/readyz`);
  const text = await response.text();
  expect(text).toMatch(/^[^\n]+\n$/);
  expect(text).not.toContain(USER.password);
  return { status: response.status, line: text.trimEnd() };
}

/** Waits until the node is not ready for that reason. */
async function says(line: string | RegExp): Promise<void> {
  let last = '';
  const isSaid = async () => {
    const answer = await readiness();
    last = `${answer.status} ${answer.line}`;
    return answer.status === 503 && (typeof line === 'string' ? answer.line === line : line.test(answer.line));
  };
  await until(isSaid, `${line}`).catch((error) => expect.fail(`${error.message}; it says ${last}`));
}

const ready = () => until(async () => (await readiness()).status === 200, 'the node to be ready');

const host = () => new URL(redis.url).host;

test('a Redis that is away is told with its address, at the start and later', async () => {
  await redis.kill();
  await start('listening');
  await says(`starting: no connection to Redis (connect ECONNREFUSED ${host()})`);
  await redis.start();
  await ready();
  await redis.kill();
  await says(`log_unavailable: no connection to Redis (connect ECONNREFUSED ${host()})`);
  await redis.start();
  await ready();
  expect((await readiness()).line).toBe('ready');
});

test('a wrong password is told without it', async () => {
  await start('listening', redis.url.replace('//', `//${USER.name}:not-it@`));
  await says(/^starting: Redis denies access \(WRONGPASS [^@]*\)$/);
  expect((await readiness()).line).not.toContain('not-it');
});

test('a right that is taken from the user is told with the command', async () => {
  await start('ready', redis.url.replace('//', `//${ACCOUNT}`));
  await setUser(redis.client, [...RIGHTS, '-xread']);
  await says(/^log_unavailable: Redis denies access \(NOPERM .*xread.*\)$/);
  await setUser(redis.client, RIGHTS);
  await ready();
});

test('a log that cannot be used is told with its partition', async () => {
  await redis.client.set('fanfare:{p0}:log', 'something else');
  await start('listening');
  await says(/^starting: the tail of partition 0 does not follow the log \(.*WRONGTYPE.*\)$/);
  await redis.client.del('fanfare:{p0}:log');
  await ready();
});
