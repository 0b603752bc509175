import { crc32 } from 'node:zlib';
import { deflate } from './deflate.ts';

/**
 * A gzip stream (RFC 1952) in pieces that many streams share: each is whole blocks of deflate (RFC 1951) that refer to
 * nothing before them and end on a byte's border. So they can follow each other in any order, and what a piece holds comes
 * out as soon as it is there. Only the end, a checksum of everything, is each stream's own.
 */

/** What every stream begins with (RFC 1952, 2.3.1): deflate, no flags, no time, an unknown system. */
export const GZIP_HEADER = Buffer.from('1f8b08000000000000ff', 'hex');

/** Some text of a stream. Shared: never to be changed. */
export interface GzipPiece {
  readonly bytes: Buffer;
  /** How many bytes the text has. */
  readonly plainBytes: number;
  /** Its CRC-32, as a signed 32-bit number. */
  readonly crc: number;
  /** What the CRC of the text before it must be multiplied by: x to the power of this text's bits. */
  readonly crcFactor: number;
}

/** A piece for many: deflated when that makes it smaller. */
export function gzipPiece(plain: Buffer): GzipPiece {
  const deflated = deflate(plain);
  return pieceOf(plain, deflated === undefined ? storedBlocks(plain) : Buffer.from(deflated));
}

/** A piece that is used once, for which deflating would be too dear: the text as it is, and five bytes before each 64 KiB. */
export function storedPiece(plain: Buffer): GzipPiece {
  return pieceOf(plain, storedBlocks(plain));
}

/** Several pieces as one. */
export function joinPieces(pieces: readonly GzipPiece[]): GzipPiece {
  let plainBytes = 0;
  let crc = 0;
  let crcFactor = ONE;
  for (const piece of pieces) {
    plainBytes += piece.plainBytes;
    crc = multiply(crc, piece.crcFactor) ^ piece.crc;
    crcFactor = multiply(crcFactor, piece.crcFactor);
  }
  return { bytes: Buffer.concat(pieces.map((piece) => piece.bytes)), plainBytes, crc, crcFactor };
}

/** What one stream needs to know of the pieces that were written to it, so that it can end: two small integers. */
export class GzipTrailer {
  #crc = 0;
  #plainBytes = 0;

  /** Takes note of the piece that is written next. */
  add(piece: GzipPiece): void {
    this.#crc = multiply(this.#crc, piece.crcFactor) ^ piece.crc;
    this.#plainBytes = (this.#plainBytes + piece.plainBytes) | 0;
  }

  /** The stream's last bytes: an empty last block, and CRC-32 and length of everything (RFC 1952, 2.3.1). */
  end(): Buffer {
    const end = Buffer.allocUnsafe(10);
    end.writeUInt16LE(EMPTY_LAST_BLOCK, 0);
    end.writeInt32LE(this.#crc, 2);
    end.writeInt32LE(this.#plainBytes, 6);
    return end;
  }
}

/** BFINAL, fixed codes, and the code that ends the block (RFC 1951, 3.2.3 and 3.2.6). */
const EMPTY_LAST_BLOCK = 0x0003;
/** BFINAL or not, no compression; LEN and NLEN (RFC 1951, 3.2.4). */
const STORED_HEAD_BYTES = 5;
const MAX_STORED_BYTES = 65_535;

function pieceOf(plain: Buffer, bytes: Buffer): GzipPiece {
  return { bytes, plainBytes: plain.length, crc: crc32(plain) | 0, crcFactor: powerOfX(plain.length) };
}

function storedBlocks(plain: Buffer): Buffer {
  const blocks = Math.ceil(plain.length / MAX_STORED_BYTES);
  const bytes = Buffer.allocUnsafe(plain.length + blocks * STORED_HEAD_BYTES);
  let at = 0;
  for (let start = 0; start < plain.length; start += MAX_STORED_BYTES) {
    const length = Math.min(plain.length - start, MAX_STORED_BYTES);
    bytes[at] = 0;
    bytes.writeUInt16LE(length, at + 1);
    bytes.writeUInt16LE(~length & 0xffff, at + 3);
    plain.copy(bytes, at + STORED_HEAD_BYTES, start, start + length);
    at += STORED_HEAD_BYTES + length;
  }
  return bytes;
}

// CRC-32 is a remainder of polynomials over two elements: that of A followed by B is that of A, times x to the power of B's
// bits, plus that of B. A polynomial is a 32-bit number here, its topmost bit the coefficient of x^0 (RFC 1952, section 8).

/** x^32, in the remainder's terms. */
const POLYNOMIAL = 0xedb88320 | 0;
const ONE = 0x80000000 | 0;
const X_TO_THE_8 = 0x00800000;

/** The product of two polynomials, as a remainder. Hot: once for each connection and write. */
function multiply(a: number, b: number): number {
  let product = 0;
  let rest = a;
  let shifted = b; // b times x, as often as `rest` has moved on
  while (rest !== 0) {
    product ^= shifted & (rest >> 31);
    shifted = (shifted >>> 1) ^ (POLYNOMIAL & -(shifted & 1));
    rest <<= 1;
  }
  return product;
}

/** x to the power of the bits of so many bytes, as a remainder. */
function powerOfX(bytes: number): number {
  let power = ONE;
  let square = X_TO_THE_8;
  for (let rest = bytes; rest > 0; rest >>>= 1) {
    if ((rest & 1) !== 0) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}
