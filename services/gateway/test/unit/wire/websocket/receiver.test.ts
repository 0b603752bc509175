import { describe, expect, test } from 'vitest';
import { OPCODE } from '../../../../src/wire/websocket/frame.ts';
import { Receiver } from '../../../../src/wire/websocket/receiver.ts';
import { clientFragments, clientFrame, closePayload, Recorder, WsSender } from './client.ts';
import { bytesUntilFailure, expectTold, MAX, receive } from './receiving.ts';

const hello = clientFrame(OPCODE.text, 'Hello');

describe('the examples of RFC 6455 5.7', () => {
  test('a single-frame masked text message', () => {
    expectTold(Buffer.from('818537fa213d7f9f4d5158', 'hex'), [{ text: 'Hello' }]);
  });

  test('a masked pong with the body of the ping', () => {
    expectTold(Buffer.from('8a8537fa213d7f9f4d5158', 'hex'), [{ pong: Buffer.from('Hello').toString('hex') }]);
  });
});

describe('payload lengths (RFC 6455 5.2)', () => {
  test.each([0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 200_000])(
    'a message of %i bytes comes as it was sent, in one chunk and in many',
    (length) => {
      const payload = Buffer.alloc(length, 'abcdefghijk');
      for (const chunkBytes of [length + 14, 1460, 7]) {
        const handler = new Recorder();
        const receiver = new Receiver({ maxMessageBytes: 200_000, deflate: false, handler });
        const bytes = Buffer.concat([clientFrame(OPCODE.text, payload), clientFrame(OPCODE.binary, payload)]);
        for (let at = 0; at < bytes.length; at += chunkBytes)
          receiver.push(Buffer.from(bytes.subarray(at, at + chunkBytes)));
        expect(handler.told).toEqual([{ text: payload.toString() }, { binary: payload.toString('hex') }]);
      }
    },
  );

  test('a length that is not in its shortest form fails with 1002', () => {
    expectTold(clientFrame(OPCODE.text, 'a', { lengthBits: 16 }), [{ failed: 1002 }]);
    expectTold(clientFrame(OPCODE.text, 'a'.repeat(125), { lengthBits: 16 }), [{ failed: 1002 }]);
    expectTold(clientFrame(OPCODE.text, 'a'.repeat(126), { lengthBits: 64 }), [{ failed: 1002 }]);
    expectTold(clientFrame(OPCODE.binary, Buffer.alloc(65535), { lengthBits: 64 }), [{ failed: 1002 }], 100_000);
  });

  test('a 64-bit length with its topmost bit set fails with 1002, at that byte', () => {
    const frame = clientFrame(OPCODE.binary, '', { announcedLength: 2n ** 63n });
    expectTold(frame, [{ failed: 1002 }]);
    expect(bytesUntilFailure(frame)).toBe(3);
  });

  test.each([2n ** 31n, 2n ** 32n + 5n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n])(
    'a length of %i fails with 1009',
    (announcedLength) => {
      expectTold(clientFrame(OPCODE.binary, '', { announcedLength }), [{ failed: 1009 }]);
      expectTold(clientFrame(OPCODE.binary, '', { announcedLength }), [{ failed: 1009 }], Number.MAX_SAFE_INTEGER);
    },
  );
});

describe('the mask (RFC 6455 5.1 and 5.3)', () => {
  test('a frame without one fails with 1002, at its second byte', () => {
    for (const opcode of [OPCODE.text, OPCODE.binary, OPCODE.ping, OPCODE.close]) {
      const frame = clientFrame(opcode, '', { mask: undefined });
      expectTold(frame, [{ failed: 1002 }]);
      expect(bytesUntilFailure(frame)).toBe(2);
    }
  });

  test('any four bytes are a mask', () => {
    for (const mask of [
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [0, 0, 0, 128],
      [1, 2, 3, 4],
    ])
      for (const text of ['Hello', 'Hello'.repeat(50)])
        expectTold(clientFrame(OPCODE.text, text, { mask }), [{ text }]);
  });
});

describe('reserved bits and opcodes (RFC 6455 5.2)', () => {
  test('a reserved bit fails with 1002, at the first byte', () => {
    for (let reserved = 1; reserved <= 7; reserved++)
      for (const opcode of [OPCODE.text, OPCODE.binary, OPCODE.ping, OPCODE.close]) {
        expectTold(clientFrame(opcode, '', { reserved }), [{ failed: 1002 }]);
        expect(bytesUntilFailure(clientFrame(opcode, '', { reserved }))).toBe(1);
      }
  });

  test('a reserved bit on a continuation fails too', () => {
    const first = clientFrame(OPCODE.text, 'a', { fin: false });
    expectTold([first, clientFrame(OPCODE.continuation, 'b', { reserved: 0b100 })], [{ failed: 1002 }]);
  });

  test.each([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])('the opcode %i fails with 1002, at the first byte', (opcode) => {
    expectTold([hello, clientFrame(opcode, 'x')], [{ text: 'Hello' }, { failed: 1002 }]);
    expect(bytesUntilFailure(clientFrame(opcode, ''))).toBe(1);
    expectTold([clientFrame(OPCODE.text, 'a', { fin: false }), clientFrame(opcode)], [{ failed: 1002 }]);
  });
});

describe('fragmentation (RFC 6455 5.4)', () => {
  test('fragments are one message', () => {
    expectTold(clientFragments(OPCODE.text, ['Hel', 'lo']), [{ text: 'Hello' }]);
    expectTold(clientFragments(OPCODE.binary, ['Hel', '', 'l', 'o']), [{ binary: '48656c6c6f' }]);
  });

  test('empty fragments are as good as others', () => {
    expectTold(clientFragments(OPCODE.text, ['', '', '']), [{ text: '' }]);
    expectTold(clientFragments(OPCODE.binary, ['', '']), [{ binary: '' }]);
    expectTold(clientFragments(OPCODE.text, ['', 'a', '']), [{ text: 'a' }]);
    expectTold(clientFragments(OPCODE.text, ['a', '', 'b']), [{ text: 'ab' }]);
  });

  test('control frames may come in between, and are told at once', () => {
    const [first, second, third] = clientFragments(OPCODE.text, ['a', 'b', 'c']) as [Buffer, Buffer, Buffer];
    const ping = clientFrame(OPCODE.ping, 'hi');
    const pong = clientFrame(OPCODE.pong, '');
    expectTold(
      [first, ping, second, pong, ping, third, hello],
      [{ ping: '6869' }, { pong: '' }, { ping: '6869' }, { text: 'abc' }, { text: 'Hello' }],
    );
  });

  test('a close in between ends the message that had begun', () => {
    const [first, second] = clientFragments(OPCODE.text, ['a', 'b']) as [Buffer, Buffer];
    expectTold([first, clientFrame(OPCODE.close), second], [{ close: 1005, reason: '' }]);
  });

  test('a continuation of nothing fails with 1002', () => {
    expectTold(clientFrame(OPCODE.continuation, 'a'), [{ failed: 1002 }]);
    expectTold(clientFrame(OPCODE.continuation, 'a', { fin: false }), [{ failed: 1002 }]);
    expectTold([hello, clientFrame(OPCODE.continuation, 'a')], [{ text: 'Hello' }, { failed: 1002 }]);
    expectTold(
      [...clientFragments(OPCODE.text, ['a', 'b']), clientFrame(OPCODE.continuation, 'c')],
      [{ text: 'ab' }, { failed: 1002 }],
    );
  });

  test('a new message before the last fragment fails with 1002', () => {
    const first = clientFrame(OPCODE.text, 'a', { fin: false });
    expectTold([first, hello], [{ failed: 1002 }]);
    expectTold([first, clientFrame(OPCODE.binary, 'b', { fin: false })], [{ failed: 1002 }]);
  });

  test('ten thousand fragments are one message', () => {
    const pieces = Array.from({ length: 10_000 }, (_, i) => String.fromCharCode(97 + (i % 26)));
    expect(receive(clientFragments(OPCODE.text, pieces), 10_000)).toEqual([{ text: pieces.join('') }]);
  });
});

describe('control frames (RFC 6455 5.5)', () => {
  test('one with 125 bytes is good', () => {
    const payload = Buffer.alloc(125, 'p');
    expectTold(
      [clientFrame(OPCODE.ping, payload), clientFrame(OPCODE.pong, payload)],
      [{ ping: payload.toString('hex') }, { pong: payload.toString('hex') }],
    );
  });

  test('one with more than 125 bytes fails with 1002, at its second byte', () => {
    for (const opcode of [OPCODE.ping, OPCODE.pong, OPCODE.close])
      for (const length of [126, 65536]) {
        expect(receive(clientFrame(opcode, Buffer.alloc(length)))).toEqual([{ failed: 1002 }]);
        expect(bytesUntilFailure(clientFrame(opcode, Buffer.alloc(length)))).toBe(2);
      }
  });

  test('a fragmented one fails with 1002, at its first byte', () => {
    for (const opcode of [OPCODE.ping, OPCODE.pong, OPCODE.close]) {
      expectTold(clientFrame(opcode, '', { fin: false }), [{ failed: 1002 }]);
      expect(bytesUntilFailure(clientFrame(opcode, '', { fin: false }))).toBe(1);
    }
  });

  test('they do not count for the largest message', () => {
    const [first, second] = clientFragments(OPCODE.text, ['ab', 'c']) as [Buffer, Buffer];
    const ping = clientFrame(OPCODE.ping, '12345');
    expectTold([first, ping, second], [{ ping: '3132333435' }, { text: 'abc' }], 3);
  });
});

describe('close frames (RFC 6455 5.5.1 and 7.4)', () => {
  test('an empty one has the code 1005', () => {
    expectTold(clientFrame(OPCODE.close), [{ close: 1005, reason: '' }]);
  });

  test('the code and the reason are told', () => {
    expectTold(clientFrame(OPCODE.close, closePayload(1000)), [{ close: 1000, reason: '' }]);
    expectTold(clientFrame(OPCODE.close, closePayload(4999, 'bis später')), [{ close: 4999, reason: 'bis später' }]);
    const longest = 'r'.repeat(123);
    expectTold(clientFrame(OPCODE.close, closePayload(3000, longest)), [{ close: 3000, reason: longest }]);
  });

  test('half a code fails with 1002, at the second byte', () => {
    expectTold(clientFrame(OPCODE.close, Buffer.from([3])), [{ failed: 1002 }]);
    expect(bytesUntilFailure(clientFrame(OPCODE.close, Buffer.from([3])))).toBe(2);
  });

  test.each([0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])('the code %i fails with 1002', (code) => {
    expectTold(clientFrame(OPCODE.close, closePayload(code)), [{ failed: 1002 }]);
    expectTold(clientFrame(OPCODE.close, closePayload(code, 'reason')), [{ failed: 1002 }]);
  });

  test('a reason that is not UTF-8 fails with 1007', () => {
    for (const hex of ['ff', 'eda080', 'e282'])
      expectTold(clientFrame(OPCODE.close, closePayload(1000, Buffer.from(hex, 'hex'))), [{ failed: 1007 }]);
  });

  test('nothing is read after it', () => {
    expectTold([clientFrame(OPCODE.close, closePayload(1000)), hello, clientFrame(15)], [{ close: 1000, reason: '' }]);
  });
});

describe('the largest message (RFC 6455 10.4)', () => {
  test('one of exactly as many bytes is good', () => {
    const text = 'a'.repeat(MAX);
    expectTold(clientFrame(OPCODE.text, text), [{ text }]);
    expectTold(clientFragments(OPCODE.text, [text.slice(0, 400), text.slice(400), '']), [{ text }]);
  });

  test('a larger one fails with 1009 as soon as its length is known, before its mask and payload', () => {
    expectTold(clientFrame(OPCODE.text, Buffer.alloc(MAX + 1)), [{ failed: 1009 }]);
    expect(bytesUntilFailure(clientFrame(OPCODE.text, Buffer.alloc(MAX + 1)))).toBe(4);
    expect(bytesUntilFailure(clientFrame(OPCODE.binary, '', { announcedLength: 70_000 }))).toBe(10);
    expect(bytesUntilFailure(clientFrame(OPCODE.binary, 'ab'), 1)).toBe(2);
  });

  test('the fragments are summed', () => {
    const [first, second] = clientFragments(OPCODE.binary, [Buffer.alloc(600), Buffer.alloc(401)]) as [Buffer, Buffer];
    expectTold([first, second], [{ failed: 1009 }]);
    expect(bytesUntilFailure(Buffer.concat([first, second]))).toBe(first.length + 4);
  });

  test('each message begins to count from nothing', () => {
    const text = 'a'.repeat(MAX);
    expectTold(
      [...clientFragments(OPCODE.text, [text, '']), ...clientFragments(OPCODE.text, ['', text])],
      [{ text }, { text }],
    );
  });

  test('a head that announces much reserves nothing of it', () => {
    const maxMessageBytes = 2 ** 24;
    const receivers: Receiver[] = [];
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 500; i++) {
      const receiver = new Receiver({ maxMessageBytes, deflate: false, handler: new Recorder() });
      receiver.push(clientFrame(OPCODE.binary, 'a', { announcedLength: maxMessageBytes }));
      receiver.push(clientFrame(OPCODE.binary, 'more').subarray(6));
      receivers.push(receiver);
    }
    const held = process.memoryUsage().arrayBuffers - before;
    expect(receivers).toHaveLength(500);
    expect(held).toBeLessThan(maxMessageBytes); // 500 of them would have reserved 500 times as much
  });
});

describe('the end', () => {
  test('after a failure nothing is told, whatever comes', () => {
    const handler = new Recorder();
    const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
    receiver.push(Buffer.concat([hello, clientFrame(3), hello]));
    receiver.push(clientFrame(OPCODE.text, 'x'));
    receiver.push(clientFrame(OPCODE.close));
    expect(handler.told).toEqual([{ text: 'Hello' }, { failed: 1002 }]);
    expect(handler.detail).toBe('the opcode 0x3 is reserved');
  });

  test.each(['text', 'binary', 'ping', 'pong'] as const)('a handler may stop the receiver in %s', (method) => {
    const frame = clientFrame(OPCODE[method], 'abc');
    for (const chunks of [[Buffer.concat([frame, frame, hello])], [frame.subarray(0, 7), frame.subarray(7), frame]]) {
      const handler = new Recorder();
      const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
      const tell = handler[method].bind(handler) as (payload: string | Buffer) => void;
      handler[method] = (payload: string | Buffer) => {
        tell(payload);
        receiver.stop();
      };
      for (const chunk of chunks) receiver.push(Buffer.from(chunk));
      expect(handler.told).toHaveLength(1);
    }
  });

  test('a handler may stop the receiver when a frame begins: nothing of it is told', () => {
    for (const frame of [hello, clientFrame(OPCODE.ping), clientFrame(OPCODE.close), clientFrame(OPCODE.binary)]) {
      const handler = new Recorder();
      const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
      handler.frame = () => {
        if (++handler.frames === 3) receiver.stop();
      };
      receiver.push(Buffer.concat([hello, hello, frame, hello, clientFrame(3)]));
      receiver.push(Buffer.from(hello));
      expect(handler.told).toEqual([{ text: 'Hello' }, { text: 'Hello' }]);
      expect(handler.frames).toBe(3);
    }
  });

  test('a stopped receiver stays stopped in the middle of a frame', () => {
    const handler = new Recorder();
    const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
    receiver.push(Buffer.from(hello.subarray(0, 8)));
    receiver.stop();
    receiver.push(Buffer.from(hello.subarray(8)));
    receiver.push(clientFrame(OPCODE.ping));
    expect(handler.told).toEqual([]);
  });

  test('what a handler throws is passed on and ends the receiver, since the rest of the chunk is lost', () => {
    const handler = new Recorder();
    const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
    handler.ping = () => {
      throw new Error('handler broke');
    };
    expect(() => receiver.push(Buffer.concat([hello, clientFrame(OPCODE.ping), hello]))).toThrow('handler broke');
    receiver.push(clientFrame(OPCODE.text, 'x'));
    expect(handler.told).toEqual([{ text: 'Hello' }]);
  });
});

test('every frame is told of once, whatever it is and however it is cut', () => {
  const frames = [
    ...clientFragments(OPCODE.text, ['a', '', '', 'b']),
    clientFrame(OPCODE.ping),
    clientFrame(OPCODE.pong, 'p'),
    clientFrame(OPCODE.binary, Buffer.alloc(900)),
    clientFrame(OPCODE.text, ''),
    clientFrame(OPCODE.close),
  ];
  const bytes = Buffer.concat(frames);
  for (const chunkBytes of [1, 3, bytes.length]) {
    const handler = new Recorder();
    const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
    for (let at = 0; at < bytes.length; at += chunkBytes)
      receiver.push(Buffer.from(bytes.subarray(at, at + chunkBytes)));
    expect(handler.frames).toBe(frames.length);
  }
});

test('a frame is told of before what is in it', () => {
  const order: string[] = [];
  const handler = new Recorder();
  handler.frame = () => order.push('frame');
  handler.ping = () => order.push('ping');
  const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
  receiver.push(Buffer.concat([clientFrame(OPCODE.ping), clientFrame(OPCODE.ping)]));
  expect(order).toEqual(['frame', 'ping', 'frame', 'ping']);
});

test('payloads may be kept: later frames do not change them', () => {
  const kept: Buffer[] = [];
  const handler = new Recorder();
  handler.binary = (payload) => kept.push(payload);
  handler.ping = (payload) => kept.push(payload);
  const receiver = new Receiver({ maxMessageBytes: MAX, deflate: false, handler });
  for (const text of ['one', 'two', 'three']) {
    receiver.push(clientFrame(OPCODE.binary, text));
    for (const frame of clientFragments(OPCODE.binary, [text, text])) receiver.push(frame);
    for (const byte of clientFrame(OPCODE.ping, text)) receiver.push(Buffer.from([byte]));
  }
  expect(kept.map(String)).toEqual(['one', 'oneone', 'one', 'two', 'twotwo', 'two', 'three', 'threethree', 'three']);
});

test('frames of the ws library are understood', () => {
  for (const length of [0, 1, 23, 24, 125, 126, 127, 128, 1000, 65535, 65536, 100_000]) {
    const payload = Buffer.alloc(length, 'Größe ');
    const options = { fin: true, opcode: OPCODE.binary, mask: true, readOnly: true, rsv1: false };
    const frame = Buffer.concat(WsSender.frame(payload, options).map((part) => Buffer.from(part)));
    expect(receive(frame, 100_000)).toEqual([{ binary: payload.toString('hex') }]);
  }
});
