import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCursor, parseCursor } from '../../src/cursor.ts';

const number = fc.bigInt(0n, 2n ** 64n - 1n);
const id = fc.tuple(number, number).map(([time, sequence]) => `${time}-${sequence}`);
const places = fc.uniqueArray(fc.tuple(fc.nat(63), id), {
  minLength: 1,
  maxLength: 64,
  selector: ([partition]) => partition,
});

describe('a cursor', () => {
  test('comes back from its text, for whoever follows the same partitions', () => {
    fc.assert(
      fc.property(places, (entries) => {
        const text = formatCursor(new Map(entries));
        const partitions = entries.map(([partition]) => partition);
        expect(parseCursor(text, partitions)).toEqual(new Map(entries));
        expect(text).toMatch(/^[\x21-\x7e]+$/);
      }),
    );
  });

  test('with one partition is the message id alone, whichever partition it is', () => {
    expect(formatCursor(new Map([[3, '1763600000000-7']]))).toBe('1763600000000-7');
    expect(parseCursor('1763600000000-7', [3])).toEqual(new Map([[3, '1763600000000-7']]));
  });

  test('with several has a place for each', () => {
    const text = formatCursor(
      new Map([
        [0, '1-0'],
        [2, '2-3'],
      ]),
    );
    expect(text).toBe('0:1-0,2:2-3');
  });

  test('of one partition says nothing about several', () => {
    expect(parseCursor('1763600000000-7', [0, 1])).toBeUndefined();
    expect(parseCursor('1763600000000-7', [])).toBeUndefined();
  });

  test('with places for others serves whoever follows one of them, and misses what it does not name', () => {
    expect(parseCursor('0:1-0,2:2-3', [2])?.get(2)).toBe('2-3');
    expect(parseCursor('0:1-0,2:2-3', [1])?.get(1)).toBeUndefined();
    expect(parseCursor('0:1-0', [0, 1])).toEqual(new Map([[0, '1-0']]));
  });

  test('of the longest kind that a node can make is read', () => {
    const longest = new Map(Array.from({ length: 64 }, (_, i) => [i, `${2n ** 64n - 1n}-${2n ** 64n - 1n}`] as const));
    expect(parseCursor(formatCursor(longest), [...longest.keys()])).toEqual(longest);
  });
});

describe('text that is no cursor', () => {
  test.each([
    '',
    ' ',
    'garbage',
    '1',
    '1-',
    '1-0 ',
    '1-0\n',
    '1-0,',
    ',1-0',
    '0:1-0,',
    '0:1-0,,1:1-0',
    '0:1-0, 1:1-0',
    '0:',
    ':1-0',
    '-1:1-0',
    'a:1-0',
    '10000:1-0',
    '0:1-0;1:1-0',
    '0:0:1-0',
    '0:18446744073709551616-0',
    '1-99999999999999999999',
    '__proto__:1-0',
    '\0',
    '\ud800',
    '١:1-0',
    '"1-0"',
    '*',
    '0:$',
  ])('%j', (text) => {
    expect(parseCursor(text, [0])).toBeUndefined();
  });

  test('is given up on by its length, before anything reads it', () => {
    expect(parseCursor('0:1-0,'.repeat(1000), [0])).toBeUndefined();
    expect(parseCursor(`${'0:1-0,'.repeat(900)}0:1-0`, [0])).toBeUndefined();
    expect(parseCursor('9'.repeat(10_000_000), [0])).toBeUndefined();
  });

  test('never throws, and what it makes of any text holds ids only', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('0', '1', ':', '-', ',') }));
    fc.assert(
      fc.property(text, (garbage) => {
        for (const place of parseCursor(garbage, [0])?.values() ?? []) expect(place).toMatch(/^\d{1,20}-\d{1,20}$/);
      }),
      { numRuns: 1000 },
    );
  });
});
