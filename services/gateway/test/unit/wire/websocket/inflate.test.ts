import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inflateMessage } from '../../../../src/wire/websocket/inflate.ts';
import { compress } from './client.ts';

const MAX = 100_000;

/** What comes out, as text, or why nothing does. */
function inflate(payload: Buffer | string, maxBytes = MAX): string {
  const message = inflateMessage(typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload, maxBytes);
  return typeof message === 'string' ? message : message.toString('latin1');
}

/** Parts of a message, each up to a block that says it is the last, and each referring to those before it. */
function endingEach(parts: readonly Buffer[]): Buffer {
  let before = Buffer.alloc(0);
  const streams = parts.map((part) => {
    const stream = deflateRawSync(part, before.length === 0 ? {} : { dictionary: before.subarray(-32_768) });
    before = Buffer.concat([before, part]);
    return stream;
  });
  return Buffer.concat(streams);
}

describe('the examples of RFC 7692 7.2.3', () => {
  test('7.2.3.1: one block', () => {
    expect(inflate('f248cdc9c90700')).toBe('Hello');
  });

  test('7.2.3.3: a block with no compression', () => {
    expect(inflate('000500faff48656c6c6f00')).toBe('Hello');
  });

  test('7.2.3.4: a block that says it is the last', () => {
    expect(inflate('f348cdc9c9070000')).toBe('Hello');
  });

  test('7.2.3.5: two blocks', () => {
    expect(inflate('f24805000000ffffcac9c90700')).toBe('Hello');
  });

  test('7.2.3.6: an empty message', () => {
    expect(inflate('00')).toBe('');
  });
});

describe('any message', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }).map((each) => Buffer.from(each)),
    fc.string({ maxLength: 50 }).map((each) => Buffer.from(each.repeat(500))),
  );

  test('comes out as it was, whatever window and level it was compressed with', () => {
    fc.assert(
      fc.property(
        bytes,
        fc.integer({ min: 9, max: 15 }),
        fc.integer({ min: 0, max: 9 }),
        (plain, windowBits, level) => {
          const options = { windowBits, level, finishFlush: constants.Z_SYNC_FLUSH };
          const payload = deflateRawSync(plain, options).subarray(0, -4);
          expect(inflateMessage(payload, MAX)).toEqual(plain);
        },
      ),
    );
  });

  test('comes out as it was when it was flushed and ended in between (RFC 7692 7.2.1 and 7.2.3.4)', () => {
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 8 }), fc.boolean(), (parts, withEnd) => {
        const stream = endingEach(parts);
        const payload = withEnd ? Buffer.concat([stream, Buffer.of(0)]) : stream;
        expect(inflateMessage(payload, 1_000_000)).toEqual(Buffer.concat(parts));
      }),
    );
  });

  test('does not change what it is made of', () => {
    const payload = compress('some text, some text');
    const before = Buffer.from(payload);
    inflateMessage(payload, MAX);
    expect(payload).toEqual(before);
  });

  test('may refer back over its last blocks, as far as deflate can', () => {
    const random = randomBytes(1000);
    for (const between of [0, 10_000, 31_000]) {
      const parts = [random, Buffer.alloc(between, 'x'), random];
      const payload = endingEach(parts);
      expect(payload.length).toBeLessThan(1300); // so the last part is a reference to the first
      expect(inflateMessage(payload, MAX)).toEqual(Buffer.concat(parts));
    }
  });
});

describe('the limit', () => {
  test('is reached by as many bytes, and passed by one more', () => {
    for (const length of [1, 1000, 65_535, 65_536, 65_537, MAX]) {
      const payload = compress(Buffer.alloc(length, 'a'));
      expect(inflate(payload, length), `${length}`).toBe('a'.repeat(length));
      expect(inflate(payload, length - 1), `${length}`).toBe('too_large');
    }
  });

  test('counts what comes out of all streams of a message', () => {
    const parts = [Buffer.alloc(600, 'a'), Buffer.alloc(400, 'b')];
    expect(inflate(endingEach(parts), 1000)).toHaveLength(1000);
    expect(inflate(endingEach(parts), 999)).toBe('too_large');
    expect(inflate(endingEach([...parts, Buffer.alloc(0)]), 1000)).toHaveLength(1000);
    expect(inflate(endingEach([...parts, Buffer.of(1)]), 1000)).toBe('too_large');
  });

  test('lets an empty message pass when it is zero', () => {
    expect(inflate('00', 0)).toBe('');
    expect(inflate(compress('a'), 0)).toBe('too_large');
  });

  test('bounds the memory that a bomb takes', () => {
    const part = Buffer.concat([compress(Buffer.alloc(2 ** 20)), Buffer.from('0000ffff', 'hex')]);
    const bomb = Buffer.concat(Array<Buffer>(512).fill(part)); // half a MiB that becomes 512
    const before = process.resourceUsage().maxRSS;
    expect(inflate(bomb, 2 ** 20)).toBe('too_large');
    const grownKibibytes = process.resourceUsage().maxRSS - before;
    expect(grownKibibytes).toBeLessThan(128 * 1024);
  });
});

describe('what is not deflated data', () => {
  test.each([
    ['nothing at all', ''],
    ['a reserved kind of block', '07'],
    ['a stored block whose lengths do not agree', '000500fafe48656c6c6f00'],
    ['a reference to before the message', '02020000'],
    ['a block that breaks off', 'f248cd'],
    ['a stored block that breaks off', '000500faff4865'],
    ['a stored block that has more than comes', '00ff0000ff48656c6c6f'],
    ['something after the last block', 'f348cdc9c9070007'],
    ['text', Buffer.from('{"type":"ping"}').toString('hex')],
    ['a zlib stream', '789cf348cdc9c90700058c01f5'],
    ['a gzip stream', '1f8b0800000000000003f348cdc9c907008289d1f705000000'],
  ])('%s is invalid', (_what, hex) => {
    expect(inflate(hex)).toBe('invalid');
  });

  test('any message that is cut off inside a block is invalid', () => {
    const payload = compress(JSON.stringify({ some: 'text', that: [1, 2, 3], has: 'no repetition' }));
    for (let length = 0; length < payload.length - 1; length++)
      expect(inflate(payload.subarray(0, length)), `${length}`).toBe('invalid');
  });

  test('any bytes give bytes, or a reason', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const message = inflateMessage(Buffer.from(bytes), 1000);
        expect(message === 'invalid' || message === 'too_large' || message.length <= 1000).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('a message made of nothing but ends is too large, however long it is', () => {
    const empty = (count: number): Buffer => Buffer.from('0300'.repeat(count), 'hex');
    expect(inflate(empty(16))).toBe('');
    for (const count of [100, 30_000]) expect(inflate(empty(count))).toBe('too_large');
  });
});
