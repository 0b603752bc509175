import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advanceUtf8, decodeUtf8, UTF8_BOUNDARY, UTF8_INVALID } from '../../../../src/wire/websocket/utf8.ts';

function stateAfter(bytes: Buffer): number {
  return advanceUtf8(UTF8_BOUNDARY, bytes, 0, bytes.length);
}

/** Every way in which a character that has begun can go on, as far as it matters. */
const ENDINGS = ['', '80', '8080', '808080', 'a0', 'a080', '90', '9080', '908080'].map((hex) =>
  Buffer.from(hex, 'hex'),
);

/** By the runtime's own check: something can follow that makes it valid. */
function canBecomeValid(bytes: Buffer): boolean {
  return ENDINGS.some((ending) => isUtf8(Buffer.concat([bytes, ending])));
}

const CHARACTERS = ['\0', 'a', '\x7f', '\x80', '߿', 'ࠀ', '퟿', '\ue000', '\ufeff', '\uffff', '𐀀', '\u{10ffff}'];

describe('advancing over bytes', () => {
  test('every one, two and three first bytes fail exactly when nothing can make them valid (RFC 3629)', () => {
    const seconds = [...Array(256).keys()];
    const thirds = [0x00, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    const all: number[][] = [];
    for (const first of seconds) {
      all.push([first]);
      for (const second of seconds) {
        all.push([first, second]);
        if (first >= 0xe0) for (const third of thirds) all.push([first, second, third]);
      }
    }
    for (const bytes of all.map((each) => Buffer.from(each))) {
      const state = stateAfter(bytes);
      if ((state !== UTF8_INVALID) !== canBecomeValid(bytes)) expect.fail(`wrong verdict on ${bytes.toString('hex')}`);
      if ((state === UTF8_BOUNDARY) !== isUtf8(bytes)) expect.fail(`wrong end of ${bytes.toString('hex')}`);
    }
    expect(all.length).toBeGreaterThan(100_000);
  });

  test.each([
    ['an overlong form of two bytes', 'c0'],
    ['an overlong form of three bytes', 'e09f'],
    ['an overlong form of four bytes', 'f08f'],
    ['a surrogate', 'eda0'],
    ['what lies above U+10FFFF', 'f490'],
    ['a lead byte that no character has', 'f5'],
    ['a continuation byte with nothing before it', '80'],
  ])('%s fails at its first telling byte', (_what, hex) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(stateAfter(bytes.subarray(0, -1))).not.toBe(UTF8_INVALID);
    expect(stateAfter(bytes)).toBe(UTF8_INVALID);
  });

  test('there is no way out of invalid', () => {
    for (const length of [1, 47, 48, 100])
      expect(advanceUtf8(UTF8_INVALID, Buffer.alloc(length, 'a'), 0, length)).toBe(UTF8_INVALID);
  });

  test('the borders of the code space pass, cut anywhere, in short and in long text', () => {
    for (const character of CHARACTERS)
      for (const padding of [0, 45, 46, 47, 48, 49, 200]) {
        const bytes = Buffer.from('x'.repeat(padding) + character + 'y'.repeat(padding));
        for (let cut = 0; cut <= bytes.length; cut++) {
          const middle = advanceUtf8(UTF8_BOUNDARY, bytes, 0, cut);
          expect(middle === UTF8_BOUNDARY).toBe(isUtf8(bytes.subarray(0, cut)));
          expect(advanceUtf8(middle, bytes, cut, bytes.length)).toBe(UTF8_BOUNDARY);
        }
      }
  });

  test('any bytes, cut at random, end as the runtime judges them whole', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(...CHARACTERS).map((text) => Buffer.from(text).subarray(0, -1)),
      fc.constantFrom('c0', 'eda080', 'f4908080', 'bf').map((hex) => Buffer.from(hex, 'hex')),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 6 }), (pieces, cuts) => {
        const bytes = Buffer.concat(pieces);
        let state = UTF8_BOUNDARY;
        let at = 0;
        for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
          const end = Math.min(cut, bytes.length);
          state = advanceUtf8(state, bytes, at, end);
          at = end;
          if ((state !== UTF8_INVALID) !== canBecomeValid(bytes.subarray(0, at))) return false;
        }
        return (state === UTF8_BOUNDARY) === isUtf8(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('decoding what is whole', () => {
  test('text comes back as it was, with its byte order mark and its own U+FFFD', () => {
    for (const text of ['', 'plain', 'zwölf Boxkämpfer', '\ufefftext', 'a \ufffd that was sent', '𐀀'.repeat(1000)]) {
      const bytes = Buffer.from(`<${text}>`);
      expect(decodeUtf8(bytes, 1, bytes.length - 1)).toBe(text);
    }
  });

  test('what is not UTF-8 gives no text', () => {
    for (const hex of ['80', 'c080', 'eda080', 'f4908080', '61ff', 'efbfbdff', 'e282']) {
      const bytes = Buffer.from(hex, 'hex');
      expect(decodeUtf8(bytes, 0, bytes.length), hex).toBeUndefined();
    }
  });
});
