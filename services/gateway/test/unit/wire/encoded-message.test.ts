import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { EncodedMessage } from '../../../src/wire/encoded-message.ts';
import { GZIP_HEADER, GzipTrailer } from '../../../src/wire/gzip.ts';
import { encodeEnvelope, encodeRaw } from '../../../src/wire/sse.ts';
import { deflateFrame } from '../../../src/wire/websocket/deflate-frame.ts';
import { encodeMessageFrame } from '../../../src/wire/websocket/message-frame.ts';

const MESSAGES = [
  { id: '1-0', channel: 'a', data: 'null' },
  { id: '18446744073709551615-18446744073709551615', channel: 'orders:eu', event: 'é😀', data: '"ü\\ud800"' },
  { id: '1763600000000-7', channel: 'a', event: 'e', data: `[\r\n${' '.repeat(70_000)}]` },
];

const PLAIN = ['sse', 'sse-envelope', 'websocket', 'websocket-deflate'] as const;
const GZIP = ['sse-gzip', 'sse-envelope-gzip'] as const;

describe.each(MESSAGES)('the message $id', (message) => {
  test('has the bytes of each format', () => {
    const encoded = new EncodedMessage(message);
    expect(encoded.bytes('sse').toString()).toBe(encodeRaw(message));
    expect(encoded.bytes('sse-envelope').toString()).toBe(encodeEnvelope(message));
    expect(encoded.bytes('websocket').equals(encodeMessageFrame(message))).toBe(true);
  });

  test('has the same in the compressed formats', () => {
    const encoded = new EncodedMessage(message);
    expect(encoded.bytes('websocket-deflate').equals(deflateFrame(encodeMessageFrame(message)))).toBe(true);
    for (const format of ['sse', 'sse-envelope'] as const) {
      const trailer = new GzipTrailer();
      const piece = encoded.piece(`${format}-gzip`);
      trailer.add(piece);
      expect(gunzipSync(Buffer.concat([GZIP_HEADER, piece.bytes, trailer.end()]))).toEqual(encoded.bytes(format));
    }
  });

  test('is encoded once for each format', () => {
    const encoded = new EncodedMessage(message);
    for (const format of PLAIN) expect(encoded.bytes(format)).toBe(encoded.bytes(format));
    for (const format of GZIP) expect(encoded.piece(format)).toBe(encoded.piece(format));
  });

  test('can be had without its id line, over the same memory', () => {
    const encoded = new EncodedMessage(message);
    for (const format of ['sse', 'sse-envelope'] as const) {
      const whole = encoded.bytes(format);
      const rest = encoded.bytesWithoutId(format);
      expect(`id: ${message.id}\n${rest.toString()}`).toBe(whole.toString());
      expect(rest.buffer).toBe(whole.buffer);
    }
  });

  test('shares its memory with nothing: no small rest of it keeps much else alive', () => {
    const encoded = new EncodedMessage(message);
    for (const format of PLAIN) expect(encoded.bytes(format).buffer.byteLength).toBe(encoded.bytes(format).length);
    for (const format of GZIP) {
      const { bytes } = encoded.piece(format);
      expect(bytes.buffer.byteLength).toBe(bytes.length);
    }
  });

  test('tells who keeps it what memory it takes, also for what it is encoded to then, until it is released', () => {
    const encoded = new EncodedMessage(message);
    encoded.bytes('sse');
    const keeper = { bytes: 7 };
    encoded.keep(keeper);
    expect(keeper.bytes).toBe(7 + encoded.memoryBytes);
    for (const format of PLAIN) encoded.bytes(format);
    for (const format of GZIP) encoded.piece(format);
    const buffers = new Set<Buffer>([
      ...PLAIN.map((format) => encoded.bytes(format)),
      ...GZIP.map((format) => encoded.piece(format).bytes),
    ]);
    const encodedBytes = [...buffers].reduce((sum, { length }) => sum + length, 0);
    expect(keeper.bytes).toBe(7 + encoded.memoryBytes);
    expect(encoded.memoryBytes).toBeGreaterThan(encodedBytes + message.data.length);
    encoded.release();
    expect(keeper.bytes).toBe(7);
  });
});

test('text takes two bytes a character in memory when one of its characters needs them', () => {
  const bytesOf = (data: string): number => new EncodedMessage({ id: '1-0', channel: 'a', data }).memoryBytes;
  expect(bytesOf(`"${'é'.repeat(1000)}"`)).toBe(bytesOf(`"${'e'.repeat(1000)}"`));
  expect(bytesOf(`"${'é'.repeat(999)}語"`) - bytesOf(`"${'e'.repeat(1000)}"`)).toBe(1002);
});

test('a short message has one frame for all WebSockets, a long one a smaller one for those that inflate', () => {
  const short = new EncodedMessage({ id: '1-0', channel: 'a', data: '1' });
  expect(short.bytes('websocket-deflate')).toBe(short.bytes('websocket'));
  const long = new EncodedMessage({ id: '1-0', channel: 'a', data: `"${'text '.repeat(200)}"` });
  expect(long.bytes('websocket-deflate').length).toBeLessThan(long.bytes('websocket').length / 2);
  expect(long.piece('sse-gzip').bytes.length).toBeLessThan(long.bytes('sse').length / 2);
});
