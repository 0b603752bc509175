import { describe, expect, test } from 'vitest';
import { expiryBound, judgeGap } from '../../../src/log/completeness.ts';
import { compareIds, idBefore } from '../../../src/message.ts';

describe('judgeGap', () => {
  const bound = '1000-0';

  test('is whole from the id on after which nothing is gone', () => {
    expect(judgeGap('2000-5', '2000-5', bound)).toBeUndefined();
    expect(judgeGap('2000-6', '2000-5', bound)).toBeUndefined();
  });

  test('is a gap right before it', () => {
    expect(judgeGap('2000-4', '2000-5', bound)).toBe('trimmed');
    expect(judgeGap('0-0', '2000-5', bound)).toBe('trimmed');
  });

  test('names age when what is gone would have expired', () => {
    expect(judgeGap('500-0', '999-18446744073709551615', bound)).toBe('expired');
    expect(judgeGap('500-0', '1000-0', bound)).toBe('trimmed');
  });
});

describe('expiryBound', () => {
  test('is the first id that is younger than the time to live', () => {
    expect(expiryBound(100_000, 60)).toBe('40001-0');
  });

  test('never lies before the first id', () => {
    expect(expiryBound(10, 60)).toBe('0-0');
  });
});

describe('idBefore', () => {
  test.each([
    ['5-3', '5-2'],
    ['5-1', '5-0'],
    ['5-0', '4-18446744073709551615'],
    ['18446744073709551615-18446744073709551615', '18446744073709551615-18446744073709551614'],
    ['0-0', '0-0'],
  ])('of %s is %s', (id, before) => {
    expect(idBefore(id)).toBe(before);
  });

  test('leaves no room for an id in between', () => {
    expect(compareIds(idBefore('1763600000000-0'), '1763599999999-18446744073709551615')).toBe(0);
  });
});
