import { describe, expect, test } from 'vitest';
import { OPCODE } from '../../../../src/wire/websocket/frame.ts';
import { Receiver } from '../../../../src/wire/websocket/receiver.ts';
import { clientFragments, clientFrame, Recorder } from './client.ts';
import { bytesUntilFailure, expectTold, MAX } from './receiving.ts';

const hello = clientFrame(OPCODE.text, 'Hello');

describe('text is UTF-8 (RFC 6455 5.6 and 8.1)', () => {
  test('a character may be cut by fragments anywhere', () => {
    const bytes = Buffer.from('κόσμε€𐀀');
    for (let cut = 0; cut <= bytes.length; cut++)
      expectTold(clientFragments(OPCODE.text, [bytes.subarray(0, cut), bytes.subarray(cut)]), [{ text: 'κόσμε€𐀀' }]);
  });

  test('a byte order mark and U+FFFD are ordinary text', () => {
    expectTold(clientFrame(OPCODE.text, '\ufeffa\ufffd'), [{ text: '\ufeffa\ufffd' }]);
    expectTold(clientFragments(OPCODE.text, ['\ufeff', 'a\ufffd']), [{ text: '\ufeffa\ufffd' }]);
  });

  test('bad bytes in a whole frame fail with 1007', () => {
    for (const hex of ['80', 'c080', 'eda080', 'f4908080', 'f8', '61ff61', 'e282'])
      expectTold([clientFrame(OPCODE.text, Buffer.from(hex, 'hex')), hello], [{ failed: 1007 }]);
  });

  test('a bad byte fails when it comes, before its frame is whole', () => {
    const bytes = Buffer.concat([Buffer.from('aé'), Buffer.from('f4908080', 'hex'), Buffer.alloc(900, 'b')]);
    expect(bytesUntilFailure(clientFrame(OPCODE.text, bytes))).toBe(8 + 3 + 2); // at 90, which cannot follow F4
  });

  test('a bad byte fails when it comes, across fragments', () => {
    const [first, second] = clientFragments(OPCODE.text, [Buffer.from('e2', 'hex'), Buffer.from('41aa', 'hex')]) as [
      Buffer,
      Buffer,
    ];
    expect(bytesUntilFailure(Buffer.concat([first, second]))).toBe(first.length + 6 + 1);
  });

  test('a bad byte fails when it comes, also deep in a large piece', () => {
    const bytes = Buffer.alloc(500, 'a');
    bytes[450] = 0xff;
    const handler = new Recorder();
    new Receiver({ maxMessageBytes: MAX, deflate: false, handler }).push(
      clientFrame(OPCODE.text, bytes).subarray(0, 8 + 460),
    );
    expect(handler.told).toEqual([{ failed: 1007 }]);
  });

  test('a message that ends inside a character fails with 1007', () => {
    const cut = Buffer.from('€').subarray(0, 2);
    expectTold(clientFragments(OPCODE.text, ['a', cut]), [{ failed: 1007 }]);
    expectTold(clientFragments(OPCODE.text, [cut, '']), [{ failed: 1007 }]);
  });

  test('binary messages may hold any bytes', () => {
    expectTold(clientFrame(OPCODE.binary, Buffer.from('80ff', 'hex')), [{ binary: '80ff' }]);
    expectTold(clientFragments(OPCODE.binary, [Buffer.from('c0', 'hex'), Buffer.from('e2', 'hex')]), [
      { binary: 'c0e2' },
    ]);
  });
});
