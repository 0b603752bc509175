import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadlines, type Timed } from '../../../../src/auth/sessions/deadlines.ts';
import { until } from '../../../support/until.ts';

/** Half a second past a whole one. */
const START_MS = 1_763_600_000_500;
const HOUR_MS = 3_600_000;

class Watched implements Timed {
  deadlineSecond = 0;
  /** When it was told, by the clock on the wall. */
  readonly toldMs: number[] = [];
  readonly #onPassed: () => void;

  constructor(onPassed: () => void = () => {}) {
    this.#onPassed = onPassed;
  }

  deadlinePassed(): void {
    this.toldMs.push(Date.now());
    this.#onPassed();
  }
}

describe('by a clock that the test sets', () => {
  let deadlines: Deadlines;

  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS });
    deadlines = new Deadlines();
  });
  afterEach(() => {
    deadlines.stop();
    vi.useRealTimers();
  });

  function set(atMs: number, onPassed?: () => void): Watched {
    const timed = new Watched(onPassed);
    deadlines.set(timed, atMs);
    return timed;
  }

  test('each is told once, not before its time and about a second after at most', async () => {
    const times = [0, 1, 499, 500, 501, 1_500, 7_300, 7_300, 86_400_000].map((afterMs) => START_MS + afterMs);
    const all = times.map((atMs) => set(atMs));
    await vi.advanceTimersByTimeAsync(90_000_000);
    for (const [i, { toldMs, deadlineSecond }] of all.entries()) {
      const atMs = times[i] as number;
      expect(toldMs).toHaveLength(1);
      expect(toldMs[0]).toBeGreaterThanOrEqual(atMs);
      expect(toldMs[0]).toBeLessThanOrEqual(atMs + 1_100);
      expect(deadlineSecond).toBe(0);
    }
  });

  test('there is one timer for all, and none while there are no deadlines', async () => {
    expect(vi.getTimerCount()).toBe(0);
    const [first, second] = [set(START_MS + 5_000), set(START_MS + 9_000)];
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(6_000);
    expect(vi.getTimerCount()).toBe(1);
    deadlines.clear(second);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vi.getTimerCount()).toBe(0);
    const third = set(START_MS + 20_000);
    await vi.advanceTimersByTimeAsync(20_000);
    expect([first, second, third].map(({ toldMs }) => toldMs.length)).toEqual([1, 0, 1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a later deadline replaces an earlier one, an earlier one a later one, and one that is cleared is gone', async () => {
    const [later, earlier, cleared] = [set(START_MS + 2_000), set(START_MS + 50_000), set(START_MS + 2_000)];
    deadlines.set(later, START_MS + 10_000);
    deadlines.set(earlier, START_MS + 3_000);
    deadlines.clear(cleared);
    deadlines.clear(cleared);
    await vi.advanceTimersByTimeAsync(8_000);
    expect([later, earlier, cleared].map(({ toldMs }) => toldMs.length)).toEqual([0, 1, 0]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([later, earlier, cleared].map(({ toldMs }) => toldMs.length)).toEqual([1, 1, 0]);
  });

  test('one that is told may set its next deadline, also to a time that has passed', async () => {
    const again = set(START_MS + 1_000, () => {
      if (again.toldMs.length < 3) deadlines.set(again, START_MS + (again.toldMs.length === 1 ? 0 : 5_000));
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(again.toldMs).toHaveLength(3);
  });

  test.each([3 * HOUR_MS, 20 * 365 * 24 * HOUR_MS])(
    'a clock that is set forward by %i ms: all that became due are told',
    async (jumpMs) => {
      const due = Array.from({ length: 50 }, (_, i) => set(START_MS + 2_000 + i * 60_000));
      const later = set(START_MS + jumpMs + 60_000);
      await vi.advanceTimersByTimeAsync(500);
      vi.setSystemTime(Date.now() + jumpMs);
      await vi.advanceTimersByTimeAsync(1_100);
      expect(due.map(({ toldMs }) => toldMs.length)).toEqual(due.map(() => 1));
      expect(later.toldMs).toEqual([]);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(later.toldMs).toHaveLength(1);
    },
  );

  test('a clock that is set back: none is told early, and none is lost', async () => {
    const before = set(START_MS + 10_000);
    await vi.advanceTimersByTimeAsync(5_000);
    const backMs = START_MS - 2 * HOUR_MS;
    vi.setSystemTime(backMs);
    const after = set(backMs + 3_000);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(after.toldMs).toHaveLength(1);
    expect(before.toldMs).toEqual([]);
    await vi.advanceTimersByTimeAsync(2 * HOUR_MS);
    expect(before.toldMs).toHaveLength(1);
    expect(before.toldMs[0]).toBeGreaterThanOrEqual(START_MS + 10_000);
  });

  test('nothing is told after it was stopped', async () => {
    const timed = set(START_MS + 1_000);
    deadlines.stop();
    const late = set(START_MS + 1_000);
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([...timed.toldMs, ...late.toldMs]).toEqual([]);
  });
});

describe('by the real clock', () => {
  test('nobody is told before the time', async () => {
    const deadlines = new Deadlines();
    const atMs = Date.now() + 300;
    const timed = new Watched();
    deadlines.set(timed, atMs);
    await until(() => timed.toldMs.length > 0, 'the deadline');
    expect(timed.toldMs[0]).toBeGreaterThanOrEqual(atMs);
    deadlines.stop();
  });

  test('thousands with the same deadline are told some hundreds in a turn; what is cleared meanwhile is not told', async () => {
    let nowMs = START_MS;
    const deadlines = new Deadlines(() => nowMs);
    let told = 0;
    let inFirstTurn = 0;
    let cleared: Watched | undefined;
    const afterFirstTurn = (): void => {
      inFirstTurn = told;
      cleared = all.findLast(({ toldMs }) => toldMs.length === 0);
      if (cleared !== undefined) deadlines.clear(cleared);
    };
    const all: Watched[] = Array.from({ length: 5_000 }, () => {
      const timed = new Watched(() => {
        if (++told === 1) setImmediate(afterFirstTurn);
      });
      deadlines.set(timed, START_MS + 1_000);
      return timed;
    });
    nowMs += HOUR_MS;
    await until(() => told >= 4_999, 'all others');
    expect(inFirstTurn).toBeGreaterThan(1);
    expect(inFirstTurn).toBeLessThan(1_000);
    expect(cleared?.toldMs).toEqual([]);
    expect(told).toBe(4_999);
    deadlines.stop();
  });

  test('stopped in the midst of telling, it tells no more', async () => {
    let nowMs = START_MS;
    const deadlines = new Deadlines(() => nowMs);
    let told = 0;
    for (let i = 0; i < 5_000; i++) {
      const timed = new Watched(() => {
        told++;
        deadlines.stop();
      });
      deadlines.set(timed, START_MS + 1_000 + i);
    }
    nowMs += HOUR_MS;
    await until(() => told > 0, 'the first one');
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(1);
  });
});
