import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { turnMask, unmask } from '../../../../src/wire/websocket/mask.ts';

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0xfd]);
const MASK = KEY.readInt32LE(0);

/** RFC 6455, 5.3, word for word. */
function naively(bytes: Buffer, start: number, end: number): Buffer {
  return Buffer.from(bytes.map((byte, i) => (i < start || i >= end ? byte : byte ^ (KEY[(i - start) % 4] ?? 0))));
}

test('every length at every alignment is unmasked, and no byte beside it is touched', () => {
  for (let offset = 0; offset < 9; offset++)
    for (const length of [...Array(300).keys(), 1023, 1024, 1025, 65535, 65536, 65537]) {
      const bytes = Buffer.from(new ArrayBuffer(length + 32), offset, length + 20);
      randomBytes(bytes.length).copy(bytes);
      const expected = naively(bytes, 7, 7 + length);
      unmask(bytes, 7, 7 + length, MASK);
      expect(bytes.equals(expected), `${length} bytes at ${offset}`).toBe(true);
    }
});

test('a payload that comes in pieces is unmasked as if it came whole', () => {
  for (const piece of [1, 2, 3, 5, 127, 128, 131, 400]) {
    const bytes = randomBytes(1500);
    const expected = naively(bytes, 0, bytes.length);
    let mask = MASK;
    for (let at = 0; at < bytes.length; at += piece) {
      const end = Math.min(at + piece, bytes.length);
      unmask(bytes, at, end, mask);
      mask = turnMask(mask, end - at);
    }
    expect(bytes.equals(expected), `pieces of ${piece}`).toBe(true);
  }
});
