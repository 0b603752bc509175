import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Batch } from '../../../src/hub/batch.ts';
import { EncodedMessage } from '../../../src/wire/encoded-message.ts';
import { GZIP_HEADER, type GzipPiece, GzipTrailer } from '../../../src/wire/gzip.ts';

const FORMATS = ['sse', 'sse-envelope', 'websocket'] as const;

function message(sequence: number): EncodedMessage {
  return new EncodedMessage({ id: `1-${sequence}`, channel: 'a', data: `{"n":${sequence}}` });
}

function unzip(piece: GzipPiece): string {
  const trailer = new GzipTrailer();
  trailer.add(piece);
  return gunzipSync(Buffer.concat([GZIP_HEADER, piece.bytes, trailer.end()])).toString();
}

describe('a batch', () => {
  test.each(FORMATS)('is the bytes of its messages in their order, as %s', (format) => {
    const messages = [message(1), message(2), message(3)];
    const bytes = Buffer.concat(messages.map((each) => each.bytes(format)));
    expect(new Batch(messages).bytes(format).equals(bytes)).toBe(true);
  });

  test('is joined once for each format', () => {
    const batch = new Batch([message(1), message(2)]);
    const all = FORMATS.map((format) => batch.bytes(format));
    expect(new Set(all).size).toBe(3);
    for (const [i, format] of FORMATS.entries()) expect(batch.bytes(format)).toBe(all[i]);
  });

  test("of one message shares that one's bytes", () => {
    const only = message(1);
    expect(new Batch([only]).bytes('sse')).toBe(only.bytes('sse'));
  });

  test('grows while it is being filled', () => {
    const batch = new Batch();
    batch.messages.push(message(1), message(2));
    expect(batch.bytes('sse').toString()).toContain('"n":2');
  });

  test.each([
    [true, 'packed together'],
    [false, 'each for itself'],
  ])('for many (%s) has its messages in a gzip stream %s', (forMany) => {
    const messages = Array.from({ length: 40 }, (_, i) => message(i));
    const batch = new Batch(messages, forMany);
    const piece = batch.piece('sse-gzip');
    expect(unzip(piece)).toBe(batch.bytes('sse').toString());
    expect(batch.piece('sse-gzip')).toBe(piece);
    if (forMany) expect(piece.bytes.length).toBeLessThan(batch.bytes('sse').length / 2);
    else expect(piece.bytes.includes(messages[7]?.piece('sse-gzip').bytes ?? '')).toBe(true);
  });

  test("of one message shares that one's piece", () => {
    const only = message(1);
    expect(new Batch([only], true).piece('sse-envelope-gzip')).toBe(only.piece('sse-envelope-gzip'));
  });

  test('of nothing is no bytes', () => {
    expect(new Batch().bytes('sse')).toHaveLength(0);
  });
});
