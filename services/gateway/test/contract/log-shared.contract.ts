import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { Claim, SharedState } from '../../src/log/shared-state.ts';
import { until } from '../support/until.ts';
import type { LogScene } from './log-scene.ts';

/** Longer than any test, milliseconds. */
const LONG_MS = 600_000;
/** So slow that nothing is won back while a test runs. */
const STANDING = 0.000_001;
/** Texts that a key or a value may well have, and that a store may well stumble over. */
const ODD = [
  '',
  ' ',
  ':',
  '{p1}',
  '{}',
  'a b',
  'a\nb\r\n',
  'nul\0',
  '*',
  '"\\',
  'ключ',
  '鍵',
  '👩‍👩‍👧',
  'x'.repeat(10_000),
];

/** What is promised of the small things that nodes share: who may claim what, and how much an account may do. */
export function sharedContract(scene: LogScene): void {
  let shared: SharedState;
  /** Where logs are shared, another node's. */
  let other: SharedState;

  beforeEach(async () => {
    shared = scene.log.shared;
    other = (await another()).shared;
  });

  async function another(): Promise<Log> {
    if (!scene.fixture.shared) return scene.log;
    const log = scene.open();
    await scene.follow(log);
    return log;
  }

  const later = () => Date.now() + LONG_MS;

  describe('a value that one holder may claim', () => {
    test('is the first one’s, his again, and nobody else’s, on whatever node', async () => {
      await shared.put('k', 'value', LONG_MS, later());
      expect(await other.claim('k', undefined, 'first')).toEqual({ outcome: 'opened', value: 'value' });
      for (const node of [shared, other]) {
        expect(await node.claim('k', 'first', 'fresh')).toEqual({ outcome: 'again', value: 'value' });
        expect(await node.claim('k', undefined, 'second')).toEqual({ outcome: 'taken' });
        expect(await node.claim('k', 'second', 'third')).toEqual({ outcome: 'taken' });
      }
    });

    test('is claimed by who comes with a holder’s name of something else, too', async () => {
      await shared.put('k', 'value', LONG_MS, later());
      expect(await shared.claim('k', 'of another', 'first')).toEqual({ outcome: 'opened', value: 'value' });
      expect(await shared.claim('k', 'of another', 'second')).toEqual({ outcome: 'taken' });
    });

    test('is not known before it is put', async () => {
      expect(await shared.claim('k', undefined, 'first')).toEqual({ outcome: 'unknown' });
      expect(await shared.claim('k', 'first', 'first')).toEqual({ outcome: 'unknown' });
      await shared.put('k', 'value', LONG_MS, later());
      expect(await shared.claim('other', undefined, 'first')).toEqual({ outcome: 'unknown' });
      expect(await shared.claim('k', undefined, 'second')).toEqual({ outcome: 'opened', value: 'value' });
    });

    test('is opened by the same claim that is made twice', async () => {
      await shared.put('k', 'value', LONG_MS, later());
      expect(await shared.claim('k', undefined, 'first')).toEqual({ outcome: 'opened', value: 'value' });
      expect(await other.claim('k', undefined, 'first')).toEqual({ outcome: 'opened', value: 'value' });
      expect(await shared.claim('k', undefined, 'second')).toEqual({ outcome: 'taken' });
    });

    test('stays as it was put first, also once it is claimed', async () => {
      await shared.put('k', 'value', LONG_MS, later());
      await other.put('k', 'another', LONG_MS, later());
      expect(await shared.claim('k', undefined, 'first')).toEqual({ outcome: 'opened', value: 'value' });
      await other.put('k', 'another', LONG_MS, later());
      expect(await shared.claim('k', undefined, 'second')).toEqual({ outcome: 'taken' });
      expect(await shared.claim('k', 'first', 'third')).toEqual({ outcome: 'again', value: 'value' });
    });

    test('cannot be claimed for the first time when its time to be claimed is over; what was claimed stays', async () => {
      const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
      const claimMs = 300;
      await Promise.all(keys.map((key) => shared.put(key, key, claimMs, later())));
      const claims = await Promise.all(keys.slice(0, 25).map((key) => shared.claim(key, undefined, 'holder')));
      await pause(claimMs + 1);
      // A machine under load may have been too slow for some.
      const then = claims.map(({ outcome }, i) =>
        outcome === 'opened' ? { outcome: 'again', value: keys[i] } : { outcome: 'unknown' },
      );
      const now = (from: number, to: number) =>
        Promise.all(keys.slice(from, to).map((key) => other.claim(key, 'holder', 'late')));
      expect(await now(0, 25)).toEqual(then);
      expect(await now(25, 50)).toEqual(keys.slice(25).map(() => ({ outcome: 'unknown' })));
    });

    test('is its holder’s until it is not kept any more', async () => {
      let claim: Claim = { outcome: 'unknown' };
      let key = '';
      // A machine under load may be too slow for a short time.
      for (let keepMs = 200; claim.outcome === 'unknown'; keepMs *= 2) {
        key = `${keepMs}`;
        await shared.put(key, 'value', LONG_MS, Date.now() + keepMs);
        claim = await shared.claim(key, undefined, 'holder');
      }
      expect(claim).toEqual({ outcome: 'opened', value: 'value' });
      const gone = async () => (await other.claim(key, 'holder', 'fresh')).outcome === 'unknown';
      await until(gone, 'the end of it');
      expect(await shared.claim(key, undefined, 'fresh')).toEqual({ outcome: 'unknown' });
    });

    test('that is not to be kept is not there', async () => {
      await shared.put('k', 'value', LONG_MS, Date.now() - 1);
      expect(await shared.claim('k', undefined, 'first')).toEqual({ outcome: 'unknown' });
    });

    test('is opened exactly once, however many race for it on two nodes', async () => {
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
      await Promise.all(keys.map((key) => shared.put(key, key, LONG_MS, later())));
      await Promise.all(
        keys.map(async (key, i) => {
          const racers = Array.from({ length: 6 }, (_, n) => `${key}/${n}`);
          const claims = await Promise.all(
            racers.map((racer, n) => ((n + i) % 2 === 0 ? shared : other).claim(key, undefined, racer)),
          );
          expect(claims.filter(({ outcome }) => outcome === 'opened')).toEqual([{ outcome: 'opened', value: key }]);
          expect(claims.filter(({ outcome }) => outcome === 'taken')).toHaveLength(5);
          const winner = racers[claims.findIndex(({ outcome }) => outcome === 'opened')] as string;
          expect(await other.claim(key, winner, 'fresh')).toEqual({ outcome: 'again', value: key });
        }),
      );
    });

    test('comes back as it was put, whatever characters it, its key and its holder have', async () => {
      await Promise.all(
        ODD.map((text, i) => shared.put(`k${text}`, ODD[ODD.length - 1 - i] as string, LONG_MS, later())),
      );
      for (const [i, text] of ODD.entries()) {
        const value = ODD[ODD.length - 1 - i];
        expect(await other.claim(`k${text}`, undefined, `h${text}`)).toEqual({ outcome: 'opened', value });
        expect(await shared.claim(`k${text}`, `h${text}`, 'fresh')).toEqual({ outcome: 'again', value });
      }
    });
  });

  describe('a rate', () => {
    test('grants its burst at once, and no more, over all nodes', async () => {
      expect(await shared.take('a', STANDING, 5, 3)).toEqual({ granted: 3, waitMs: 0 });
      const { granted, waitMs } = await other.take('a', STANDING, 5, 3);
      expect(granted).toBe(2);
      expect(waitMs).toBeGreaterThanOrEqual(1);
      for (const node of [shared, other]) expect(await node.take('a', STANDING, 5, 1)).toMatchObject({ granted: 0 });
    });

    test('grants as much as there is of what is more than its burst', async () => {
      expect(await shared.take('a', STANDING, 5, 1_000)).toMatchObject({ granted: 5 });
      expect(await shared.take('a', STANDING, 5, 1_000)).toMatchObject({ granted: 0 });
    });

    test('of fractions grants whole ones, and says when the next one is whole', async () => {
      const { granted, waitMs } = await shared.take('a', 0.001, 2.5, 3);
      expect(granted).toBe(2);
      expect(waitMs).toBeGreaterThan(0);
      expect(waitMs).toBeLessThanOrEqual(500_000);
      expect(await shared.take('b', 0.001, 0.25, 3)).toMatchObject({ granted: 1 });
      expect(await shared.take('b', 0.001, 0.25, 3)).toMatchObject({ granted: 0 });
    });

    test('grants one more when the time that it said has passed, and says so again', async () => {
      const take = (node: SharedState) => node.take('a', 20, 2, 1);
      for (let i = 0; i < 5; i++) {
        let refused = await take(shared);
        while (refused.granted === 1) refused = await take(shared);
        await pause(refused.waitMs + 1);
        expect(await take(other)).toEqual({ granted: 1, waitMs: 0 });
      }
    });

    test('is held together by nodes that take all that they can get', async () => {
      const perSecond = 200;
      const burst = 20;
      const from = performance.now();
      let granted = 0;
      const takeAll = async (node: SharedState, count: number) => {
        while (granted < 3 * burst) {
          const permits = await node.take('a', perSecond, burst, count);
          granted += permits.granted;
        }
      };
      await Promise.all([takeAll(shared, 1), takeAll(other, 1), takeAll(shared, 7), takeAll(other, 3)]);
      const seconds = (performance.now() - from) / 1_000;
      // A millisecond more, by which an embedded log's clock may be off.
      expect(granted).toBeLessThanOrEqual(burst + perSecond * (seconds + 0.001));
    });

    test('saves up no more than its burst', async () => {
      expect(await shared.take('a', 1_000, 5, 5)).toEqual({ granted: 5, waitMs: 0 });
      await pause(50);
      // Fifty would have been won back by now.
      expect(await other.take('a', 1_000, 5, 100)).toMatchObject({ granted: 5 });
    });

    test('is each account’s own, however many there are and whatever their names', async () => {
      const accounts = [...ODD, ...Array.from({ length: 300 }, (_, i) => `sub:${i}`)];
      const all = (node: SharedState) =>
        Promise.all(accounts.map(async (account) => (await node.take(account, STANDING, 3, 2)).granted));
      expect(await all(shared)).toEqual(accounts.map(() => 2));
      expect(await all(other)).toEqual(accounts.map(() => 1));
      expect(await all(shared)).toEqual(accounts.map(() => 0));
    });

    test('has nothing to do with a value of the same key', async () => {
      await shared.put('same', 'value', LONG_MS, later());
      expect(await shared.take('same', STANDING, 1, 1)).toEqual({ granted: 1, waitMs: 0 });
      expect(await shared.claim('same', undefined, 'first')).toEqual({ outcome: 'opened', value: 'value' });
    });
  });

  test('when the log is closed, what is shared is refused', async () => {
    await shared.put('k', 'value', LONG_MS, later());
    await scene.log.close();
    const refused = { code: 'log_unavailable' };
    await expect(shared.put('other', 'value', LONG_MS, later())).rejects.toMatchObject(refused);
    await expect(shared.claim('k', undefined, 'first')).rejects.toMatchObject(refused);
    await expect(shared.take('a', 1, 1, 1)).rejects.toMatchObject(refused);
  });
}
