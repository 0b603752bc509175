import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EMPTY_PING,
  EMPTY_PONG,
  encodeClose,
  encodeFrame,
  encodePing,
  encodePong,
  encodeText,
  OPCODE,
} from '../../../../src/wire/websocket/frame.ts';
import { WsReceiver, WsSender } from './client.ts';

const EMPTY = Buffer.alloc(0);

describe('a frame (RFC 6455 5.2)', () => {
  test.each([
    [0, '8200'],
    [1, '8201'],
    [125, '827d'],
    [126, '827e007e'],
    [65535, '827effff'],
    [65536, '827f0000000000010000'],
  ])('of %i bytes has its length in the shortest form', (length, head) => {
    const payload = Buffer.alloc(length, 7);
    const frame = encodeFrame(OPCODE.binary, payload);
    expect(frame.toString('hex', 0, head.length / 2)).toBe(head);
    expect(frame.subarray(head.length / 2).equals(payload)).toBe(true);
  });

  test('is byte for byte what the ws library sends', () => {
    for (const length of [0, 1, 125, 126, 127, 65535, 65536, 100_000]) {
      const payload = Buffer.alloc(length, 'é');
      const options = { fin: true, opcode: OPCODE.text, mask: false, readOnly: true, rsv1: false };
      const theirs = Buffer.concat(WsSender.frame(payload, options).map((part) => Buffer.from(part)));
      expect(encodeFrame(OPCODE.text, payload).equals(theirs), `${length}`).toBe(true);
    }
  });
});

describe('the examples of RFC 6455 5.7', () => {
  test('a single-frame unmasked text message', () => {
    expect(encodeText('Hello').toString('hex')).toBe('810548656c6c6f');
  });

  test('an unmasked ping', () => {
    expect(encodePing(Buffer.from('Hello')).toString('hex')).toBe('890548656c6c6f');
  });

  test('256 bytes and 64 KiB of binary in one frame', () => {
    expect(encodeFrame(OPCODE.binary, Buffer.alloc(256)).toString('hex', 0, 4)).toBe('827e0100');
    expect(encodeFrame(OPCODE.binary, Buffer.alloc(65536)).toString('hex', 0, 10)).toBe('827f0000000000010000');
  });
});

describe('a text frame', () => {
  test('holds any text as UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) =>
        encodeText(text).equals(encodeFrame(OPCODE.text, Buffer.from(text))),
      ),
    );
  });

  test('has its length in bytes, not in characters', () => {
    expect(encodeText('€'.repeat(42)).toString('hex', 0, 4)).toBe('817e007e');
  });

  test('holds U+FFFD in place of half of a surrogate pair', () => {
    expect(encodeText('a\ud800b').subarray(2).toString()).toBe('a\ufffdb');
  });
});

describe('a control frame (RFC 6455 5.5)', () => {
  test('that is empty is the same ready-made buffer each time', () => {
    expect(encodePing(EMPTY)).toBe(EMPTY_PING);
    expect(encodePong(EMPTY)).toBe(EMPTY_PONG);
    expect(EMPTY_PING.toString('hex')).toBe('8900');
    expect(EMPTY_PONG.toString('hex')).toBe('8a00');
  });

  test('holds 125 bytes and not one more', () => {
    expect(encodePong(Buffer.alloc(125))).toHaveLength(127);
    expect(() => encodePing(Buffer.alloc(126))).toThrow(RangeError);
    expect(() => encodePong(Buffer.alloc(126))).toThrow(RangeError);
    expect(() => encodeFrame(OPCODE.close, Buffer.alloc(126))).toThrow(RangeError);
  });
});

describe('a close frame (RFC 6455 5.5.1)', () => {
  test('holds the code and the reason', () => {
    expect(encodeClose(1000).toString('hex')).toBe('880203e8');
    expect(encodeClose(4408, 'too slow').toString('hex')).toBe(`880a1138${Buffer.from('too slow').toString('hex')}`);
  });

  test('has no payload when there is no code', () => {
    expect(encodeClose(1005, 'never sent').toString('hex')).toBe('8800');
  });

  test('refuses a code that no frame may hold', () => {
    for (const code of [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65536])
      expect(() => encodeClose(code), `${code}`).toThrow(RangeError);
  });

  test.each([
    ['a', 123],
    ['é', 122],
    ['€', 123],
    ['x€', 121],
    ['𐀀', 120],
  ])('cuts a reason of many "%s" to %i bytes, at the end of a character', (part, bytes) => {
    const text = part === 'x€' ? `x${'€'.repeat(100)}` : part.repeat(200);
    const frame = encodeClose(1000, text);
    expect(frame[1]).toBe(2 + bytes);
    expect(frame).toHaveLength(4 + bytes);
    expect(text.startsWith(frame.subarray(4).toString())).toBe(true);
  });

  test('holds at most 125 bytes of valid UTF-8, whatever the reason', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 150 }), async (reason) => {
        const receiver = new WsReceiver({ isServer: false });
        const concluded = once(receiver, 'conclude');
        receiver.write(encodeClose(1000, reason));
        const [code, received] = (await concluded) as [number, Buffer];
        expect(code).toBe(1000);
        expect(reason.startsWith(received.toString())).toBe(true);
        if (Buffer.byteLength(reason) <= 123) expect(received.toString()).toBe(reason);
        else expect(received.length).toBeGreaterThanOrEqual(120);
      }),
    );
  });
});
