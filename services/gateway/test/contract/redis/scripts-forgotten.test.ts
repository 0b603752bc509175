import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { appendSurely, type LogNode, startLogNode } from './node.ts';

const BATCHES = 20;
const BATCH_MESSAGES = 50;
/** Between two times that the scripts are forgotten, milliseconds. */
const PAUSE_MS = 2;

let redis: TestRedis;
let nodes: LogNode[];

beforeEach(async () => {
  redis = await startRedis();
  nodes = await Promise.all([startLogNode(redis.url), startLogNode(redis.url)]);
});

afterEach(async () => {
  await Promise.all(nodes.map(({ log }) => log.close()));
  await redis.stop();
  for (const { ledger } of nodes) expect(ledger.violations).toEqual([]);
});

test('a Redis that forgets its scripts again and again (NOSCRIPT) takes every message once, and batches in their order', async () => {
  let done = false;
  const flushing = (async () => {
    while (!done) {
      await redis.client.script('FLUSH');
      await pause(PAUSE_MS);
    }
  })();
  /** What was refused at first: once in a while Redis forgets a script again before it is asked to run it. */
  const refused = new Set<string>();
  const publishing = nodes.map(async ({ log }, n) => {
    const channel = `c${n}`;
    for (let batch = 0; batch < BATCHES; batch++) {
      const data = Array.from({ length: BATCH_MESSAGES }, (_, i) => `${batch * BATCH_MESSAGES + i}`);
      const messages = data.map((each) => ({ channel, data: each, idempotencyKey: `${channel}/${each}` }));
      for (const [i, outcome] of (await log.appendMany(messages)).entries()) {
        if (outcome instanceof Error) {
          expect(outcome).toMatchObject({ code: 'log_unavailable' });
          refused.add(`${channel}/${data[i]}`);
          await appendSurely(log, channel, data[i] as string);
        } else expect(outcome.replayed).toBe(false);
      }
    }
  });
  await Promise.all(publishing).finally(() => {
    done = true;
  });
  await flushing;
  expect(await redis.client.info('errorstats')).toMatch(/errorstat_NOSCRIPT:count=[1-9]/);
  expect(refused.size).toBeLessThan(BATCHES * BATCH_MESSAGES);

  const published = Array.from({ length: BATCHES * BATCH_MESSAGES }, (_, i) => `${i}`);
  for (let n = 0; n < nodes.length; n++) {
    const channel = `c${n}`;
    const inOrder = (all: readonly string[]) => all.filter((each) => !refused.has(`${channel}/${each}`));
    for (const { log, ledger } of nodes) {
      const came = () => ledger.messages.filter((message) => message.channel === channel).map(({ data }) => data);
      await until(() => came().length >= published.length, 'all messages at the tail');
      expect(came().toSorted(byNumber)).toEqual(published);
      expect(inOrder(came())).toEqual(inOrder(published));
      const history = (await log.historyLast(channel, published.length)).map(({ data }) => data);
      expect(history).toEqual(came());
    }
  }
});

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b);
}
