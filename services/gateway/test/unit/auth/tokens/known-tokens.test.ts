import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KnownTokens } from '../../../../src/auth/tokens/known-tokens.ts';
import { principalOf } from '../../../../src/auth/tokens/token-claims.ts';

const START_S = 2_000_000_000;
const principal = (lifetimeS = 3600) =>
  principalOf({ sub: 'ann', subscribe: [], publish: [], iat: START_S, exp: START_S + lifetimeS }, []);

describe('tokens that were good', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: START_S * 1000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('are known for a minute', () => {
    const known = new KnownTokens();
    const ann = principal();
    known.add('a', 100, ann);
    expect(known.find('a')).toBe(ann);
    expect(known.find('b')).toBeUndefined();
    vi.advanceTimersByTime(59_999);
    expect(known.find('a')).toBe(ann);
    vi.advanceTimersByTime(1);
    expect(known.find('a')).toBeUndefined();
  });

  test('are known again when they were checked again', () => {
    const known = new KnownTokens();
    known.add('a', 100, principal());
    vi.advanceTimersByTime(60_000);
    const again = principal();
    known.add('a', 100, again);
    expect(known.find('a')).toBe(again);
    expect(known.size).toBe(1);
  });

  test('are not known when they have expired', () => {
    const known = new KnownTokens();
    known.add('a', 100, principal(10));
    vi.advanceTimersByTime(9_999);
    expect(known.find('a')).toBeDefined();
    vi.advanceTimersByTime(1);
    expect(known.find('a')).toBeUndefined();
  });

  test('are not known for longer when the clock is set back', () => {
    const known = new KnownTokens();
    known.add('a', 100, principal());
    vi.setSystemTime(START_S * 1000 - 3_600_000);
    vi.advanceTimersByTime(60_000);
    expect(known.find('a')).toBeUndefined();
  });

  test('are bounded in number: the oldest go', () => {
    const known = new KnownTokens({ maxTokens: 3 });
    for (const digest of ['a', 'b', 'c', 'a', 'd']) known.add(digest, 1, principal());
    expect(['a', 'b', 'c', 'd'].filter((digest) => known.find(digest))).toEqual(['a', 'c', 'd']);
    expect(known.size).toBe(3);
  });

  test('are bounded in bytes', () => {
    const known = new KnownTokens({ maxBytes: 100 });
    known.add('a', 60, principal());
    known.add('a', 60, principal());
    known.add('b', 40, principal());
    expect(known.size).toBe(2);
    known.add('c', 1, principal());
    expect(['a', 'b', 'c'].filter((digest) => known.find(digest))).toEqual(['b', 'c']);
    known.add('d', 101, principal());
    expect(known.size).toBe(0);
    known.add('e', 100, principal());
    expect(known.size).toBe(1);
  });

  test('that are too old take no room', () => {
    const known = new KnownTokens();
    for (let i = 0; i < 100; i++) known.add(`${i}`, 1, principal());
    vi.advanceTimersByTime(60_000);
    known.add('new', 1, principal());
    expect(known.size).toBe(1);
  });

  test('by default are at most ten thousand, of 16 MiB together', () => {
    const known = new KnownTokens();
    for (let i = 0; i < 10_100; i++) known.add(`${i}`, 1, principal());
    expect(known.size).toBe(10_000);
    for (let i = 0; i < 3000; i++) known.add(`long ${i}`, 8192, principal());
    expect(known.size).toBe(2048);
  });
});
