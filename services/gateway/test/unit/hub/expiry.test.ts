import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { CatchUp } from '../../../src/hub/catch-up.ts';
import type { Log } from '../../../src/log/log.ts';
import type { Message } from '../../../src/message.ts';
import type { Metrics } from '../../../src/metrics/metrics.ts';
import { HubClient } from '../../support/hub-client.ts';
import { silentMetrics } from '../../support/silent.ts';
import { until } from '../../support/until.ts';
import { startWatchedHub, type WatchedHub } from '../../support/watched-hub.ts';

const open: Log[] = [];
afterEach(async () => {
  for (const log of open.splice(0)) await log.close();
});

const START = 1_000_000;

/** A message whose data is `[n, ms]` expires so long after the start. */
function expiresMs({ data }: Message): number | undefined {
  const [, ms] = JSON.parse(data) as [number, number?];
  return ms === undefined ? undefined : START + ms;
}

interface Watched extends WatchedHub {
  readonly time: { nowMs: number };
  readonly resumes: string[];
}

async function start(recentBytes = 1_000_000): Promise<Watched> {
  const time = { nowMs: START };
  const resumes: string[] = [];
  const metrics: Metrics = {
    ...silentMetrics(),
    resumed: (source, outcome) => {
      resumes.push(`${source} ${outcome}`);
    },
  };
  const started = await startWatchedHub({ recentBytes, clock: () => time.nowMs, expiresMs, metrics });
  open.push(started.log);
  return { ...started, time, resumes };
}

async function caughtUp(client: HubClient): Promise<HubClient> {
  await until(() => client.live, 'the client to be live');
  return client;
}

describe('a message that has expired', () => {
  test('is left out of what memory replays, which is told first, and counted', async () => {
    const { hub, append, time, resumes } = await start();
    const cursor = await append('x', '[0]');
    await append('x', '[1]', '[2,10]', '[3,11]', '[4]');
    await append('y', '[5]');
    time.nowMs += 10;
    const client = new HubClient(hub).follow(['x', 'y'], { cursor });
    expect(client.live).toBe(true);
    expect(client.told).toEqual(['gap x expired', '[1]', '[3,11]', '[4]', '[5]', 'caught-up']);
    expect(client.gaps).toEqual([`x after ${cursor}: expired`]);
    expect(resumes).toEqual(['memory gap']);
  });

  test('is not missing before it expires', async () => {
    const { hub, append, time, resumes } = await start();
    const cursor = await append('x', '[0]');
    await append('x', '[1,10]');
    time.nowMs += 9;
    expect(new HubClient(hub).follow(['x'], { cursor }).told).toEqual(['[1,10]', 'caught-up']);
    expect(resumes).toEqual(['memory complete']);
  });

  test('is not missing to who starts behind it', async () => {
    const { hub, append, time, resumes } = await start();
    const cursor = await append('x', '[0]', '[1,10]');
    await append('x', '[2]');
    time.nowMs += 10;
    expect(new HubClient(hub).follow(['x'], { cursor }).told).toEqual(['[2]', 'caught-up']);
    expect(resumes).toEqual(['memory complete']);
  });

  test('is delivered to who is live, whatever it says', async () => {
    const { hub, append, time } = await start();
    const client = new HubClient(hub).follow(['x']);
    time.nowMs += 100;
    await append('x', '[0,1]');
    expect(client.told).toEqual(['[0,1]']);
  });

  test('is not missing to who asks for the newest messages, or for all that there are', async () => {
    const { hub, append, time } = await start();
    await append('x', '[0]', '[1,10]', '[2]', '[3,10]');
    time.nowMs += 10;
    expect((await caughtUp(new HubClient(hub).follow(['x'], { last: 2 }))).told).toEqual(['[0]', '[2]', 'caught-up']);
    expect(new HubClient(hub).follow(['x'], { oldest: true }).told).toEqual(['[0]', '[2]', 'caught-up']);
    const question = { channel: 'x', after: undefined, limit: 100, waitSeconds: 0 };
    const answer = await new CatchUp(hub, 10).read(question, new AbortController().signal);
    expect([answer.messages.map(({ data }) => data), answer.gap]).toEqual([['[0]', '[2]'], false]);
  });

  test.for([1, 1_000_000])(
    'is missing to who asked for the newest messages, when it came after that: with %d bytes of memory',
    async (recentBytes) => {
      const { hub, reads, append, time } = await start(recentBytes);
      await append('x', '[0]', '[1,10]');
      await append('other', '[0]');
      const release = reads.hold();
      const client = new HubClient(hub).follow(['x'], { last: 3 });
      await append('x', '[2,10]');
      await append('other', '[0]');
      time.nowMs += 10;
      release();
      expect((await caughtUp(client)).told).toEqual(['[0]', 'gap x expired', 'caught-up']);
    },
  );

  test('is a gap to who catches up by HTTP, also when nothing else is new', async () => {
    const { hub, append, time } = await start();
    const after = await append('x', '[0]');
    const end = await append('x', '[1,10]');
    time.nowMs += 10;
    const question = { channel: 'x', after, limit: 100, waitSeconds: 60 };
    const answer = await new CatchUp(hub, 10).read(question, new AbortController().signal);
    expect(answer).toEqual({ messages: [], cursor: end, gap: true });
  });

  test('is left out of an answer of the history that was given before, for who comes after', async () => {
    const { hub, reads, append, time, resumes } = await start(1);
    const cursor = await append('x', '[0]');
    await append('x', '[1]', '[2,10]', '[3]');
    await append('other', '[4]');
    const first = await caughtUp(new HubClient(hub).follow(['x'], { cursor }));
    time.nowMs += 10;
    const second = await caughtUp(new HubClient(hub).follow(['x'], { cursor }));
    expect(first.told).toEqual(['[1]', '[2,10]', '[3]', 'caught-up']);
    expect(second.told).toEqual(['gap x expired', '[1]', '[3]', 'caught-up']);
    expect(reads.count).toBe(1);
    expect(resumes).toEqual(['redis complete', 'redis gap']);
  });

  test('is not missing to who asks for all that there are, on no page', async () => {
    const { hub, append, time } = await start(1);
    const many = Array.from({ length: 600 }, (_, i) => (i % 3 === 0 ? `[${i},10]` : `[${i}]`));
    await append('x', ...many);
    await append('other', '[0]');
    time.nowMs += 10;
    const client = await caughtUp(new HubClient(hub).follow(['x'], { oldest: true }));
    expect(client.told).toEqual([...many.filter((_, i) => i % 3 !== 0), 'caught-up']);
  });
});

test('what is replayed is all that has not expired, once and in order, and a gap where something has', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        recentBytes: fc.constantFrom(1, 3000, 1_000_000),
        messages: fc.array(
          fc.record({ channel: fc.constantFrom('a', 'b'), lives: fc.option(fc.integer({ min: 1, max: 20 })) }),
          { minLength: 1, maxLength: 80 },
        ),
        clients: fc.array(fc.record({ from: fc.nat(80), later: fc.nat(5), slow: fc.boolean() }), { maxLength: 8 }),
      }),
      async ({ recentBytes, messages, clients }) => {
        const { hub, append, appendAll, time, log } = await start(recentBytes);
        const data = messages.map(({ lives }, i) => (lives === null ? `[${i}]` : `[${i},${lives}]`));
        const channels = messages.map(({ channel }) => channel);
        const ids = [await append('other', '[-1]'), ...(await appendAll(channels, data))];
        const following: HubClient[] = [];
        for (const { from, later, slow } of clients) {
          time.nowMs += later;
          const first = Math.min(from, messages.length);
          const client = new HubClient(hub, { slow }).follow(['a', 'b'], { cursor: ids[first] ?? '' });
          following.push(await caughtUp(client));
          const dead = (i: number): boolean => (messages[i]?.lives ?? Number.POSITIVE_INFINITY) + START <= time.nowMs;
          const missed = messages.map((_, i) => i).slice(first);
          expect(client.told.filter((told) => told.startsWith('['))).toEqual(
            missed.filter((i) => !dead(i)).map((i) => data[i]),
          );
          expect(new Set(client.gaps.map((gap) => gap.slice(0, 1)))).toEqual(
            new Set(missed.filter(dead).map((i) => messages[i]?.channel)),
          );
        }
        await append('a', '[1000]');
        for (const { told } of following) expect(told.at(-1)).toBe('[1000]');
        await log.close();
      },
    ),
    { numRuns: 100 },
  );
});
