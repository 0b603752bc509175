import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { OPCODE } from '../../../../src/wire/websocket/frame.ts';
import { Receiver } from '../../../../src/wire/websocket/receiver.ts';
import { COMPRESSED, clientFrame, compress, Recorder, type Told } from './client.ts';
import { expectTold as expectToldPlain, MAX, receive } from './receiving.ts';

const hello = clientFrame(OPCODE.text, 'Hello');

/** What is expected of a receiver whose connection negotiated permessage-deflate. */
function expectTold(bytes: Buffer | readonly Buffer[], told: Told[], maxMessageBytes = MAX): void {
  expectToldPlain(bytes, told, maxMessageBytes, true);
}

/** A compressed message in several frames: RSV1 on the first alone (RFC 7692, 6). */
function compressedFragments(opcode: number, payloads: readonly Buffer[]): Buffer[] {
  return payloads.map((payload, i) =>
    clientFrame(i === 0 ? opcode : OPCODE.continuation, payload, {
      fin: i === payloads.length - 1,
      ...(i === 0 ? COMPRESSED : {}),
    }),
  );
}

function cut(bytes: Buffer, ...ends: number[]): Buffer[] {
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

/** Bytes until a receiver with this limit fails, and with what code. */
function failure(bytes: Buffer, maxMessageBytes: number): { code: number; afterBytes: number } {
  const handler = new Recorder();
  const receiver = new Receiver({ maxMessageBytes, deflate: true, handler });
  for (let at = 0; at < bytes.length; at++) {
    receiver.push(Buffer.from(bytes.subarray(at, at + 1)));
    const [told] = handler.told;
    if (told !== undefined && 'failed' in told) return { code: told.failed, afterBytes: at + 1 };
  }
  throw new Error('it does not fail');
}

describe('a compressed message (RFC 7692 7.2.2)', () => {
  test('is told as what it was', () => {
    for (const text of ['Hello', '', 'Größe 𐀀 '.repeat(30), '{"a":1}'])
      expectTold(clientFrame(OPCODE.text, compress(text), COMPRESSED), [{ text }]);
    const bytes = Buffer.from('00ff80c0', 'hex');
    expectTold(clientFrame(OPCODE.binary, compress(bytes), COMPRESSED), [{ binary: '00ff80c0' }]);
  });

  test('may come in fragments, cut anywhere', () => {
    const payload = compress('Hello, hello, hello');
    for (let end = 0; end <= payload.length; end++)
      expectTold(compressedFragments(OPCODE.text, cut(payload, end)), [{ text: 'Hello, hello, hello' }]);
    expectTold(compressedFragments(OPCODE.binary, cut(payload, 0, 2, 2, 5, payload.length)), [
      { binary: Buffer.from('Hello, hello, hello').toString('hex') },
    ]);
  });

  test('may have control frames between its fragments', () => {
    const payload = compress('Hello');
    const [first, second] = compressedFragments(OPCODE.text, cut(payload, 3)) as [Buffer, Buffer];
    expectTold(
      [first, clientFrame(OPCODE.ping, 'hi'), clientFrame(OPCODE.pong), second, hello],
      [{ ping: '6869' }, { pong: '' }, { text: 'Hello' }, { text: 'Hello' }],
    );
  });

  test('may stand beside plain ones, which are read as ever', () => {
    const compressed = clientFrame(OPCODE.text, compress('b'), COMPRESSED);
    const plain = clientFrame(OPCODE.text, 'a');
    expectTold([plain, compressed, plain, compressed], [{ text: 'a' }, { text: 'b' }, { text: 'a' }, { text: 'b' }]);
    const cutInside = [clientFrame(OPCODE.text, Buffer.of(0xc3), { fin: false }), clientFrame(0, Buffer.of(0xa9))];
    expectTold([compressed, ...cutInside, compressed], [{ text: 'b' }, { text: 'é' }, { text: 'b' }]);
  });

  test('may have any window, and be ended in between', () => {
    const text = 'some text, some text, some text';
    for (const windowBits of [9, 12, 15]) {
      const payload = deflateRawSync(text, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
      expectTold(clientFrame(OPCODE.text, payload, COMPRESSED), [{ text }]);
    }
    const ended = Buffer.concat([deflateRawSync('one '), deflateRawSync('two'), Buffer.of(0)]);
    expectTold(clientFrame(OPCODE.text, ended, COMPRESSED), [{ text: 'one two' }]);
  });

  test('needs no window from the one before: each is inflated by itself', () => {
    const message = clientFrame(OPCODE.text, compress('Hello'), COMPRESSED);
    const refersBack = deflateRawSync('Hello', {
      dictionary: Buffer.from('Hello'),
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    expectTold(
      [message, clientFrame(OPCODE.text, refersBack.subarray(0, -4), COMPRESSED)],
      [{ text: 'Hello' }, { failed: 1007 }],
    );
  });

  test('that is not deflated data fails with 1007, when it is whole', () => {
    for (const hex of ['07', '', '48656c6c6f', 'f248cd']) {
      const frame = clientFrame(OPCODE.text, Buffer.from(hex, 'hex'), COMPRESSED);
      expectTold([frame, hello], [{ failed: 1007 }]);
      expect(failure(frame, MAX)).toEqual({ code: 1007, afterBytes: frame.length });
      expectTold([clientFrame(OPCODE.binary, Buffer.from(hex, 'hex'), COMPRESSED), hello], [{ failed: 1007 }]);
    }
  });

  test('whose text is not UTF-8 fails with 1007, wherever its frames and blocks end', () => {
    for (const hex of ['ff', 'eda080', 'e282', '616263c0']) {
      const payload = compress(Buffer.from(hex, 'hex'));
      expectTold(clientFrame(OPCODE.text, payload, COMPRESSED), [{ failed: 1007 }]);
      expectTold(compressedFragments(OPCODE.text, cut(payload, 2)), [{ failed: 1007 }]);
      expectTold(clientFrame(OPCODE.binary, payload, COMPRESSED), [{ binary: hex }]);
    }
  });

  test('may have bytes that are not UTF-8 in the frame itself', () => {
    const payload = compress('plain text');
    expect(payload.toString()).toContain('\ufffd');
    expectTold(compressedFragments(OPCODE.text, cut(payload, 1, 4)), [{ text: 'plain text' }]);
  });
});

describe('the first reserved bit (RFC 7692 6 and 7.2.3)', () => {
  test('fails with 1002 when nothing was negotiated', () => {
    expectToldPlain(clientFrame(OPCODE.text, compress('Hello'), COMPRESSED), [{ failed: 1002 }]);
  });

  test('fails with 1002 on a continuation', () => {
    const last = clientFrame(OPCODE.continuation, compress('b'), COMPRESSED);
    expectTold([clientFrame(OPCODE.text, 'a', { fin: false }), last], [{ failed: 1002 }]);
    expectTold([clientFrame(OPCODE.text, compress('a'), { fin: false, ...COMPRESSED }), last], [{ failed: 1002 }]);
    expectTold(last, [{ failed: 1002 }]);
  });

  test('fails with 1002 on a control frame', () => {
    for (const opcode of [OPCODE.ping, OPCODE.pong, OPCODE.close])
      expectTold(clientFrame(opcode, '', COMPRESSED), [{ failed: 1002 }]);
  });

  test('fails with 1002 together with another', () => {
    for (const reserved of [0b001, 0b010, 0b011, 0b101, 0b110, 0b111])
      expectTold(clientFrame(OPCODE.text, compress('Hello'), { reserved }), [{ failed: 1002 }]);
  });
});

describe('the largest message, compressed', () => {
  const bomb = compress(Buffer.alloc(1_000_000)); // some 1,000 bytes

  test('one of exactly as many bytes is good', () => {
    const text = 'a'.repeat(MAX);
    expectTold(clientFrame(OPCODE.text, compress(text), COMPRESSED), [{ text }]);
  });

  test('one of more fails with 1009, however little it is in the frame', () => {
    expectTold([clientFrame(OPCODE.text, compress('a'.repeat(MAX + 1)), COMPRESSED), hello], [{ failed: 1009 }]);
    expectTold([clientFrame(OPCODE.binary, bomb, COMPRESSED), hello], [{ failed: 1009 }]);
    expectTold([...compressedFragments(OPCODE.text, cut(bomb, 400)), hello], [{ failed: 1009 }]);
  });

  test('one that gets no smaller by being compressed is good too', () => {
    for (const bytes of [1, 20, 1000, 65_536]) {
      const plain = randomBytes(bytes);
      for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY]) {
        const options = { finishFlush: constants.Z_SYNC_FLUSH, strategy, windowBits: 9, memLevel: 1 };
        const payload = deflateRawSync(plain, options).subarray(0, -4);
        const told = [{ binary: plain.toString('hex') }];
        expect(receive(clientFrame(OPCODE.binary, payload, COMPRESSED), bytes, true)).toEqual(told);
        expect(receive(compressedFragments(OPCODE.binary, cut(payload, payload.length)), bytes, true)).toEqual(told);
      }
    }
  });

  test('one that has far more bytes than the limit in its frame fails as soon as a head announces them', () => {
    const frame = clientFrame(OPCODE.binary, '', { ...COMPRESSED, announcedLength: 2 * MAX });
    expect(failure(frame, MAX)).toEqual({ code: 1009, afterBytes: 4 });
    const [first, second] = compressedFragments(OPCODE.binary, [Buffer.alloc(MAX), Buffer.alloc(MAX)]) as [
      Buffer,
      Buffer,
    ];
    expect(failure(Buffer.concat([first, second]), MAX)).toEqual({ code: 1009, afterBytes: first.length + 4 });
    const huge = clientFrame(OPCODE.binary, '', { ...COMPRESSED, announcedLength: 2n ** 40n });
    expect(failure(huge, Number.MAX_SAFE_INTEGER)).toEqual({ code: 1009, afterBytes: 10 });
  });

  test('a plain one has no more room than before', () => {
    expectTold(clientFrame(OPCODE.binary, Buffer.alloc(MAX + 1)), [{ failed: 1009 }]);
  });

  test('one of 64 MiB is inflated where that is allowed', () => {
    const maxMessageBytes = 64 * 2 ** 20;
    const plain = Buffer.alloc(maxMessageBytes, 'Fanfare ');
    const received: Buffer[] = [];
    const handler = new Recorder();
    handler.binary = (payload) => received.push(payload);
    const receiver = new Receiver({ maxMessageBytes, deflate: true, handler });
    const frame = clientFrame(OPCODE.binary, compress(plain), COMPRESSED);
    for (let at = 0; at < frame.length; at += 65_536) receiver.push(Buffer.from(frame.subarray(at, at + 65_536)));
    expect(received[0]?.equals(plain)).toBe(true);
  });
});
