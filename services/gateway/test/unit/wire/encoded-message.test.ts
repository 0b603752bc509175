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
    for (const format of ['sse', 'sse-envelope', 'websocket', 'websocket-deflate'] as const)
      expect(encoded.bytes(format)).toBe(encoded.bytes(format));
    for (const format of ['sse-gzip', 'sse-envelope-gzip'] as const)
      expect(encoded.piece(format)).toBe(encoded.piece(format));
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

  test('costs more memory than its text', () => {
    expect(new EncodedMessage(message).memoryBytes).toBeGreaterThan(message.data.length);
  });
});

test('a short message has one frame for all WebSockets, a long one a smaller one for those that inflate', () => {
  const short = new EncodedMessage({ id: '1-0', channel: 'a', data: '1' });
  expect(short.bytes('websocket-deflate')).toBe(short.bytes('websocket'));
  const long = new EncodedMessage({ id: '1-0', channel: 'a', data: `"${'text '.repeat(200)}"` });
  expect(long.bytes('websocket-deflate').length).toBeLessThan(long.bytes('websocket').length / 2);
  expect(long.piece('sse-gzip').bytes.length).toBeLessThan(long.bytes('sse').length / 2);
});
