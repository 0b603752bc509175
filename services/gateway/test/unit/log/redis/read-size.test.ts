import { expect, test } from 'vitest';
import type { RawEntry } from '../../../../src/log/redis/entry.ts';
import { ReadSize } from '../../../../src/log/redis/read-size.ts';

function entries(count: number, bytes: number): RawEntry[] {
  return Array.from({ length: count }, (_, i) => [`${i}-0`, ['c', 'c', 'd', 'x'.repeat(bytes)]]);
}

test('fewer entries are asked for the larger they are, and as many as may be when they are small', () => {
  const size = new ReadSize(100_000);
  const most = size.entries;
  size.learn(entries(4, 20_000));
  expect(size.entries).toBe(52);
  size.learn(entries(4, 1_000_000));
  expect(size.entries).toBe(16);
  size.learn([]);
  expect(size.entries).toBe(16);
  size.learn(entries(4, 10));
  expect(size.entries).toBe(most);
});

test('never more than half of what the log holds, so that a read that is not full proves that nothing was trimmed', () => {
  const size = new ReadSize(20);
  expect(size.entries).toBe(10);
  size.learn(entries(4, 1_000_000));
  expect(size.entries).toBe(10);
  expect(new ReadSize(1).entries).toBe(1);
});
