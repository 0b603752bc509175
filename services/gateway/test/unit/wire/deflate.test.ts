import { randomBytes } from 'node:crypto';
import { constants, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deflate, WINDOW_BITS } from '../../../src/wire/deflate.ts';

const SYNC = { finishFlush: constants.Z_SYNC_FLUSH };

/** What is worth deflating. */
const text = fc
  .tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }), fc.integer({ min: 600, max: 20_000 }))
  .map(([part, length]) => Buffer.from(part.repeat(Math.ceil(length / part.length))));

describe('deflated text', () => {
  test('can be inflated with the window that is promised', () => {
    // Something to refer to from everywhere, as far back as the window allows.
    const part = randomBytes(2 ** WINDOW_BITS - 500);
    const plain = Buffer.concat([part, part, part, Buffer.alloc(10_000, 'a'), part]);
    const deflated = deflate(plain) ?? expect.fail('not deflated');
    expect(inflateRawSync(deflated, { ...SYNC, windowBits: WINDOW_BITS })).toEqual(plain);
  });

  test('is in blocks of which none is the last, so that more can follow, in any order', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 2, maxLength: 4 }), (texts) => {
        const deflated = texts.map((each) => deflate(each) ?? expect.fail('not deflated'));
        const inflate = (parts: Buffer[]): Buffer => inflateRawSync(Buffer.concat(parts), SYNC);
        expect(inflate(deflated).equals(Buffer.concat(texts))).toBe(true);
        expect(inflate(deflated.toReversed()).equals(Buffer.concat(texts.toReversed()))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('ends with an empty stored block', () => {
    fc.assert(
      fc.property(text, (plain) => {
        expect(deflate(plain)?.subarray(-4).toString('hex')).toBe('0000ffff');
      }),
      { numRuns: 30 },
    );
  });
});

describe('what is not deflated', () => {
  test('is short', () => {
    for (const length of [0, 1, 100, 511]) expect(deflate(Buffer.alloc(length, 'a')), `${length}`).toBeUndefined();
    expect(deflate(Buffer.alloc(512, 'a'))?.length).toBeLessThan(20);
  });

  test('would not get smaller', () => {
    for (const length of [512, 1000, 32_767, 32_768, 40_000, 200_000])
      expect(deflate(randomBytes(length)), `${length}`).toBeUndefined();
  });
});
