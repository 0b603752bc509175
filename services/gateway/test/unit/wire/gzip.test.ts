import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { crc32, createGunzip, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  GZIP_HEADER,
  type GzipPiece,
  GzipTrailer,
  gzipPiece,
  joinPieces,
  storedPiece,
} from '../../../src/wire/gzip.ts';

/** A whole stream of these pieces. */
function streamOf(pieces: readonly GzipPiece[]): Buffer {
  const trailer = new GzipTrailer();
  for (const piece of pieces) trailer.add(piece);
  return Buffer.concat([GZIP_HEADER, ...pieces.map((piece) => piece.bytes), trailer.end()]);
}

const bytes = fc.uint8Array({ maxLength: 700 }).map((each) => Buffer.from(each));
const text = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(100))
  .map(([part, times]) => Buffer.from(part.repeat(times)));
const plain = fc.oneof(bytes, text, fc.constant(Buffer.alloc(0)));
const piece = fc
  .tuple(plain, fc.boolean())
  .map(([each, shared]) => ({ plain: each, piece: shared ? gzipPiece(each) : storedPiece(each) }));
const pieces = fc.array(piece, { maxLength: 8 });

const plainOf = (all: readonly { plain: Buffer }[]): Buffer => Buffer.concat(all.map((each) => each.plain));
const piecesOf = (all: readonly { piece: GzipPiece }[]): GzipPiece[] => all.map((each) => each.piece);

describe('a gzip stream in pieces (RFC 1952)', () => {
  test('is what its pieces hold, in any order, with the right checksum and length', () => {
    fc.assert(
      fc.property(pieces, (all) => {
        expect(gunzipSync(streamOf(piecesOf(all)))).toEqual(plainOf(all));
        const turned = all.toReversed();
        expect(gunzipSync(streamOf(piecesOf(turned)))).toEqual(plainOf(turned));
      }),
      { numRuns: 300 },
    );
  });

  test('may be empty', () => {
    const stream = streamOf([]);
    expect(stream.toString('hex')).toBe('1f8b08000000000000ff03000000000000000000');
    expect(gunzipSync(stream)).toHaveLength(0);
  });

  test('ends with the CRC-32 and the length of all its text', () => {
    const texts = ['one', '', 'two '.repeat(1000), 'three'].map((each) => Buffer.from(each));
    const end = streamOf(texts.map(gzipPiece)).subarray(-8);
    expect(end.readUInt32LE(0)).toBe(crc32(Buffer.concat(texts)));
    expect(end.readUInt32LE(4)).toBe(Buffer.concat(texts).length);
  });

  test('has its length modulo 2^32', () => {
    const trailer = new GzipTrailer();
    const gibibyte = joinPieces(Array<GzipPiece>(1024).fill(gzipPiece(Buffer.alloc(2 ** 20))));
    for (const total of [2 ** 30, 2 ** 31, 3 * 2 ** 30, 0, 2 ** 30]) {
      trailer.add(gibibyte);
      expect(trailer.end().readUInt32LE(6)).toBe(total);
    }
  });

  test('shares its pieces with others that hold other things', () => {
    const [a, b] = [gzipPiece(Buffer.from('a'.repeat(1000))), storedPiece(Buffer.from('b'))];
    expect(gunzipSync(streamOf([a, b, a])).toString()).toBe(`${'a'.repeat(1000)}b${'a'.repeat(1000)}`);
    expect(gunzipSync(streamOf([b, a])).toString()).toBe(`b${'a'.repeat(1000)}`);
  });

  test('gives the text of each piece as soon as it is there', async () => {
    const gunzip = createGunzip();
    const trailer = new GzipTrailer();
    let out = Buffer.alloc(0);
    gunzip.on('data', (chunk: Buffer) => {
      out = Buffer.concat([out, chunk]);
    });
    gunzip.write(GZIP_HEADER);
    let expected = Buffer.alloc(0);
    for (const each of [
      storedPiece(Buffer.from(': heartbeat\n\n')),
      gzipPiece(Buffer.from('data: {"a":1}\n\n'.repeat(100))),
      gzipPiece(Buffer.from('data: 1\n\n')),
      gzipPiece(Buffer.from('x'.repeat(200_000))),
      storedPiece(randomBytes(100_000)),
      joinPieces([gzipPiece(Buffer.from('y'.repeat(600))), storedPiece(Buffer.from('z'))]),
    ]) {
      trailer.add(each);
      expected = Buffer.concat([expected, gunzipSync(streamOf([each]))]);
      gunzip.write(each.bytes);
      while (out.length < expected.length) await once(gunzip, 'data');
      expect(out.equals(expected)).toBe(true);
    }
    gunzip.end(trailer.end());
    await once(gunzip, 'end');
    expect(out.equals(expected)).toBe(true);
  });

  test('may be cut anywhere on its way', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.nat(), { maxLength: 10 }), async (all, places) => {
        const stream = streamOf(piecesOf(all));
        const cuts = places.map((place) => place % stream.length).sort((a, b) => a - b);
        const gunzip = createGunzip();
        const out: Buffer[] = [];
        gunzip.on('data', (chunk: Buffer) => out.push(chunk));
        for (const [i, cut] of [...cuts, stream.length].entries()) gunzip.write(stream.subarray(cuts[i - 1] ?? 0, cut));
        gunzip.end();
        await once(gunzip, 'end');
        expect(Buffer.concat(out)).toEqual(plainOf(all));
      }),
      { numRuns: 50 },
    );
  });
});

describe('pieces joined', () => {
  test('are one piece of all their text', () => {
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 4 }), (groups) => {
        const joined = groups.map((all) => joinPieces(piecesOf(all)));
        expect(gunzipSync(streamOf(joined))).toEqual(plainOf(groups.flat()));
        for (const [i, all] of groups.entries()) {
          const whole = gzipPiece(plainOf(all));
          expect({ ...joined[i], bytes: null }).toEqual({ ...whole, bytes: null });
        }
      }),
    );
  });

  test('of none are an empty piece', () => {
    expect(joinPieces([])).toEqual(gzipPiece(Buffer.alloc(0)));
  });
});

describe('a piece', () => {
  test('of nothing is nothing', () => {
    expect(storedPiece(Buffer.alloc(0))).toMatchObject({ plainBytes: 0, crc: 0, bytes: Buffer.alloc(0) });
  });

  test('is smaller than its text when that is worth it', () => {
    const shared = gzipPiece(Buffer.from('data: {"orderId":42}\n\n'.repeat(100)));
    expect(shared.bytes.length).toBeLessThan(100);
  });

  test('is stored when it is short, or cannot be made smaller', () => {
    for (const each of [Buffer.from('a'.repeat(511)), randomBytes(1000)])
      expect(gzipPiece(each)).toEqual(storedPiece(each));
  });

  test('that is stored has five bytes more for each 65,535', () => {
    for (const [length, blocks] of [
      [1, 1],
      [65_534, 1],
      [65_535, 1],
      [65_536, 2],
      [131_070, 2],
      [131_071, 3],
      [1_000_000, 16],
    ] as const) {
      const each = randomBytes(length);
      const stored = storedPiece(each);
      expect(stored.bytes).toHaveLength(length + 5 * blocks);
      expect(gunzipSync(streamOf([stored, stored])).equals(Buffer.concat([each, each])), `${length}`).toBe(true);
    }
  });

  test('keeps nothing but its bytes: not the room that they were made in', () => {
    const shared = gzipPiece(Buffer.alloc(1_000_000, 'a'));
    expect(shared.bytes.buffer.byteLength).toBeLessThan(100_000);
  });

  test('has numbers that cost no object', () => {
    const isSmall = (each: number): boolean => (each | 0) === each;
    fc.assert(
      fc.property(plain, (each) => {
        const { crc, crcFactor } = gzipPiece(each);
        expect(isSmall(crc) && isSmall(crcFactor)).toBe(true);
      }),
    );
  });
});
