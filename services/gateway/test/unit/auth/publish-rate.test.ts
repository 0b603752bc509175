import { beforeEach, describe, expect, test } from 'vitest';
import { ChannelPatterns } from '../../../src/auth/channel-pattern.ts';
import { Principal } from '../../../src/auth/principal.ts';
import { PublishRate, type Taken } from '../../../src/auth/publish-rate.ts';
import { FanfareError } from '../../../src/errors.ts';
import { WatchedState } from '../../support/watched-state.ts';

let store: WatchedState;
let nowMs: number;
beforeEach(() => {
  store = new WatchedState();
  nowMs = 5000;
});

/** One node's. */
const start = (perSecond: number): PublishRate => new PublishRate({ store, perSecond, clock: () => nowMs });

/** Lets time pass, for the nodes and the store. */
function pass(ms: number): void {
  nowMs += ms;
  store.nowMs += ms;
}

function somebody(account?: string): Principal {
  const patterns = new ChannelPatterns(['*']);
  return new Principal({ subscribe: patterns, publish: patterns, ...(account === undefined ? {} : { account }) });
}
const ann = somebody('sub:ann');

/** Takes one after another until one is refused, or `most`; how many were granted. */
async function takeOnes(rate: PublishRate, most: number): Promise<number> {
  for (let i = 0; i < most; i++) if ((await rate.take(ann, 1)).granted === 0) return i;
  return most;
}

/** Holds the store's answers up; the function lets them go. */
function holdAnswers(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  store.gate = promise;
  return resolve;
}

const ALL = { retryAfterSeconds: 0 };

describe('how much somebody may publish', () => {
  test.each([1, 3, 10, 100, 1000])('is ten seconds’ worth at once, then the rate: %i per second', async (perSecond) => {
    const rate = start(perSecond);
    expect(await takeOnes(rate, 12 * perSecond)).toBe(10 * perSecond);
    let granted = 0;
    for (let i = 0; i < 50; i++) {
      pass(100);
      granted += await takeOnes(rate, 12 * perSecond);
    }
    expect(granted).toBeLessThanOrEqual(5 * perSecond);
    expect(granted).toBeGreaterThanOrEqual(4.5 * perSecond);
  });

  test('is the same over any number of nodes', async () => {
    const nodes = [start(100), start(100), start(100)];
    let granted = 0;
    for (let i = 0; i < 1500; i++) for (const node of nodes) granted += (await node.take(ann, 1)).granted;
    expect(granted).toBe(1000);
  });

  test('is counted for each account', async () => {
    const rate = start(1);
    expect(await takeOnes(rate, 20)).toBe(10);
    expect(await rate.take(somebody('sub:bob'), 1)).toEqual({ granted: 1, ...ALL });
    expect(await rate.take(somebody('sub:ann'), 1)).toEqual({ granted: 0, retryAfterSeconds: 1 });
  });

  test('of a batch, the first ones as far as it goes; and when the next may be', async () => {
    const rate = start(1);
    expect(await rate.take(ann, 25)).toEqual({ granted: 10, retryAfterSeconds: 1 });
    expect(rate.take(ann, 25)).toEqual({ granted: 0, retryAfterSeconds: 1 });
  });

  test('may be less than one per second', async () => {
    const rate = start(0.05);
    expect(await rate.take(ann, 1)).toEqual({ granted: 1, ...ALL });
    expect(await rate.take(ann, 1)).toEqual({ granted: 0, retryAfterSeconds: 20 });
    pass(15_000);
    expect(rate.take(ann, 1)).toEqual({ granted: 0, retryAfterSeconds: 5 });
    pass(5000);
    expect(await rate.take(ann, 1)).toEqual({ granted: 1, ...ALL });
  });

  test.each([
    ['the rate is 0', 0, ann],
    ['nobody is counted', 1, somebody()],
  ])('has no limit where %s', (_, perSecond, principal) => {
    const rate = start(perSecond);
    for (let i = 0; i < 100; i++) expect(rate.take(principal, 1000)).toEqual({ granted: 1000, ...ALL });
    expect(store.asked).toEqual([]);
    expect(rate.size).toBe(0);
  });
});

describe('the store', () => {
  test('is asked for a tenth of a second’s worth, and no more while that lasts', async () => {
    const rate = start(200);
    expect(rate.take(ann, 1)).toBeInstanceOf(Promise);
    await rate.take(ann, 0);
    for (let i = 0; i < 19; i++) expect(rate.take(ann, 1)).toEqual({ granted: 1, ...ALL });
    expect(store.asked).toEqual([{ account: 'sub:ann', perSecond: 200, burst: 2000, count: 20 }]);
    expect(rate.take(ann, 1)).toBeInstanceOf(Promise);
  });

  test('is asked for all of a batch at once', async () => {
    const rate = start(10);
    expect(await rate.take(ann, 64)).toEqual({ granted: 64, ...ALL });
    expect(store.asked.map(({ count }) => count)).toEqual([64]);
  });

  test('is asked for what a lease lacks', async () => {
    const rate = start(100);
    await rate.take(ann, 4);
    expect(await rate.take(ann, 30)).toEqual({ granted: 30, ...ALL });
    expect(store.asked.map(({ count }) => count)).toEqual([10, 24]);
  });

  test('is asked once by all who come meanwhile, and once more for those it did not suffice for', async () => {
    const rate = start(10);
    const answer = holdAnswers();
    const taken = Promise.all(Array.from({ length: 20 }, () => rate.take(ann, 2)));
    expect(store.asked).toHaveLength(1);
    answer();
    expect(await taken).toEqual(Array(20).fill({ granted: 2, ...ALL }));
    expect(store.asked.map(({ count }) => count)).toEqual([2, 38]);
  });

  test('is not asked for who was refused, however much he tries, until it would grant one', async () => {
    const rate = start(1);
    await rate.take(ann, 11);
    const asked = store.asked.length;
    for (let i = 0; i < 9; i++) {
      for (let k = 0; k < 1000; k++) expect(rate.take(ann, 1)).toEqual({ granted: 0, retryAfterSeconds: 1 });
      pass(100);
    }
    expect(store.asked).toHaveLength(asked);
    pass(100);
    expect(await rate.take(ann, 1)).toEqual({ granted: 1, ...ALL });
  });

  test('that is away refuses nobody, and is asked again after a second', async () => {
    const rate = start(1);
    store.failure = new FanfareError('log_unavailable', 'away');
    expect(await rate.take(ann, 5)).toEqual({ granted: 5, ...ALL });
    // Nobody waits for it in vain once more.
    for (let i = 0; i < 20; i++) expect(rate.take(ann, 5)).toEqual({ granted: 5, ...ALL });
    store.failure = undefined;
    pass(1000);
    expect(await rate.take(ann, 25)).toEqual({ granted: 10, retryAfterSeconds: 1 });
  });

  test('that fails while many wait refuses none of them', async () => {
    const rate = start(1);
    const answer = holdAnswers();
    const taken = Promise.all([rate.take(ann, 3), rate.take(ann, 30), rate.take(ann, 1)]);
    store.failure = new Error('the connection broke');
    answer();
    expect((await taken).map(({ granted }) => granted)).toEqual([3, 30, 1]);
  });
});

describe('a lease', () => {
  test('is void after a second: a node saves nothing up', async () => {
    const rate = start(100);
    await rate.take(ann, 1);
    pass(999);
    expect(rate.take(ann, 1)).toEqual({ granted: 1, ...ALL });
    pass(1);
    expect(rate.take(ann, 1)).toBeInstanceOf(Promise);
  });

  test('that was granted in part is spent before anybody is refused', async () => {
    const rate = start(100);
    await rate.take(ann, 995);
    expect(await rate.take(ann, 1)).toEqual({ granted: 1, ...ALL });
    const asked = store.asked.length;
    for (let i = 0; i < 4; i++) expect(rate.take(ann, 1)).toEqual({ granted: 1, ...ALL });
    expect(rate.take(ann, 1)).toEqual({ granted: 0, retryAfterSeconds: 1 });
    expect(store.asked).toHaveLength(asked);
  });
});

describe('those who wait', () => {
  test('are served in the order in which they came, though a later one wants less', async () => {
    const rate = start(1);
    const answer = holdAnswers();
    const order: string[] = [];
    const note = async (name: string, taking: Taken | Promise<Taken>): Promise<number> => {
      const { granted } = await taking;
      order.push(name);
      return granted;
    };
    const granted = Promise.all([
      note('first', rate.take(ann, 2)),
      note('large', rate.take(ann, 7)),
      note('small', rate.take(ann, 1)),
      note('last', rate.take(ann, 4)),
    ]);
    answer();
    expect(await granted).toEqual([2, 7, 1, 0]);
    expect(order).toEqual(['first', 'large', 'small', 'last']);
  });

  test('are not overtaken by who would be content with what is left', async () => {
    const rate = start(100);
    await rate.take(ann, 1);
    const answer = holdAnswers();
    const large = rate.take(ann, 50);
    const small = rate.take(ann, 1);
    expect(small).toBeInstanceOf(Promise);
    answer();
    expect([await large, await small].map(({ granted }) => granted)).toEqual([50, 1]);
  });
});

describe('memory', () => {
  test('forgets accounts that are idle', async () => {
    const rate = start(100);
    for (let i = 0; i < 5000; i++) {
      await rate.take(somebody(`sub:${i}`), 1);
      pass(10);
    }
    // A hundred came within the second that a lease lasts.
    expect(rate.size).toBeLessThan(300);
  });

  test('keeps those that are refused', async () => {
    const rate = start(0.001);
    await rate.take(ann, 2);
    pass(2000);
    for (let i = 0; i < 100; i++) await rate.take(somebody(`sub:${i}`), 1);
    expect(rate.take(ann, 1)).toMatchObject({ granted: 0 });
    expect(store.asked).toHaveLength(101);
  });

  test('keeps those that wait', async () => {
    const rate = start(10);
    const answer = holdAnswers();
    const first = rate.take(ann, 1);
    store.gate = Promise.resolve();
    for (let i = 0; i < 100; i++) await rate.take(somebody(`sub:${i}`), 1);
    const second = rate.take(ann, 1);
    expect(store.asked).toHaveLength(101);
    answer();
    expect([await first, await second]).toEqual(Array(2).fill({ granted: 1, ...ALL }));
  });
});
