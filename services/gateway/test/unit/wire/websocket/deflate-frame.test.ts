import { randomBytes } from 'node:crypto';
import { constants, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deflateFrame, encodeDeflated } from '../../../../src/wire/websocket/deflate-frame.ts';
import { encodeFrame, encodePing, encodeText, OPCODE } from '../../../../src/wire/websocket/frame.ts';
import { inflateMessage } from '../../../../src/wire/websocket/inflate.ts';

/** A whole, unmasked frame, read plainly from RFC 6455, 5.2. */
function readFrame(frame: Buffer): { first: number; payload: Buffer } {
  const [first = 0, length = 0] = frame;
  if (length === 126) return { first, payload: exactly(frame.subarray(4), frame.readUInt16BE(2)) };
  if (length === 127) return { first, payload: exactly(frame.subarray(10), Number(frame.readBigUInt64BE(2))) };
  return { first, payload: exactly(frame.subarray(2), length) };
}

function exactly(payload: Buffer, length: number): Buffer {
  expect(payload).toHaveLength(length);
  return payload;
}

describe('a frame for those who negotiated permessage-deflate (RFC 7692 7.2.1)', () => {
  test.each([512, 600, 5000, 65_535, 65_536, 200_000])('has RSV1, and its %i bytes in fewer', (length) => {
    const text = '{"orderId":42,"state":"paid"},'.repeat(length).slice(0, length);
    const frame = deflateFrame(encodeText(text));
    const { first, payload } = readFrame(frame);
    expect(first).toBe(0xc1);
    expect(frame.length).toBeLessThan(length);
    expect(inflateMessage(payload, length)).toEqual(Buffer.from(text));
  });

  test('leaves out the last four bytes of the flush, and no more', () => {
    const text = 'some text '.repeat(100);
    const { payload } = readFrame(deflateFrame(encodeText(text)));
    const whole = Buffer.concat([payload, Buffer.from('0000ffff', 'hex')]);
    expect(inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH }).toString()).toBe(text);
    expect(payload.at(-1)).toBe(0); // the head of the empty block
  });

  test('needs no window from the message before it', () => {
    const [first, second] = ['one and one and one '.repeat(50), 'one and two and one '.repeat(50)];
    const alone = deflateFrame(encodeText(second));
    deflateFrame(encodeText(first));
    expect(deflateFrame(encodeText(second))).toEqual(alone);
  });

  test('is the plain one, the very same, when that would not be larger', () => {
    for (const frame of [
      encodeText(''),
      encodeText('a'.repeat(511)),
      encodeFrame(OPCODE.binary, randomBytes(512)),
      encodeFrame(OPCODE.binary, randomBytes(100_000)),
    ])
      expect(deflateFrame(frame)).toBe(frame);
  });

  test('is the plain one for a control frame, which is never compressed (RFC 7692 6)', () => {
    const ping = encodePing(Buffer.alloc(125, 'a'));
    expect(deflateFrame(ping)).toBe(ping);
  });

  test('does not change the plain one', () => {
    const frame = encodeText('a'.repeat(1000));
    const before = Buffer.from(frame);
    deflateFrame(frame);
    expect(frame).toEqual(before);
  });

  test('holds any message, as text or as bytes', () => {
    const any = fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(40))
      .map(([part, times]) => Buffer.concat(Array<Buffer>(times).fill(Buffer.from(part))));
    fc.assert(
      fc.property(any, fc.constantFrom(OPCODE.text, OPCODE.binary), (plain, opcode) => {
        const { first, payload } = readFrame(encodeDeflated(opcode, plain));
        if (first === (0x80 | opcode)) expect(payload).toEqual(plain);
        else {
          expect(first).toBe(0xc0 | opcode);
          expect(payload.length).toBeLessThan(plain.length);
          expect(inflateMessage(payload, plain.length)).toEqual(plain);
        }
      }),
    );
  });
});
