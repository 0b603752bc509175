import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptsEncoding, acceptsType } from '../../../src/request/content-negotiation.ts';

const STREAM = 'text/event-stream';

describe('an event stream is accepted', () => {
  test.each([
    undefined,
    '',
    'text/event-stream',
    'Text/Event-Stream',
    'text/event-stream; charset=utf-8',
    'text/event-stream;charset=utf-8;q=0.1',
    '*/*',
    'text/*',
    'application/json, text/*;q=0.001',
    'application/json , \t text/event-stream ; q=1',
    'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2',
    'text/*;q=0, text/event-stream',
    '*/*;q=0, text/*',
    'text/event-stream;q=0, text/event-stream;charset=utf-8',
    'text/event-stream;charset=utf-8, text/event-stream;q=0',
    'text/event-stream;q=often',
    'text/event-stream;q=7',
    'text/event-stream;q=.0',
    'text/event-stream;q=',
    'text/event-stream;q=-0',
    ', ,text/event-stream,',
    'everything',
    ';q=0',
  ])('by Accept: %s', (accept) => {
    expect(acceptsType(accept, STREAM)).toBe(true);
  });
});

describe('an event stream is not accepted', () => {
  test.each([
    'application/json',
    'text/html, image/*',
    'text/event-stream;q=0',
    'text/event-stream; Q=0.000',
    'text/event-stream;charset=utf-8;q=0',
    'text/event-stream;q=0, */*',
    'text/event-stream;q=0, text/*;q=1',
    'text/*;q=0, */*',
    '*/*;q=0',
    'text/event-streams',
    'x-text/event-stream',
    'application/json, everything',
  ])('by Accept: %s', (accept) => {
    expect(acceptsType(accept, STREAM)).toBe(false);
  });
});

describe('an answer comes in gzip', () => {
  test.each([
    'gzip',
    'GZIP',
    'x-gzip',
    'gzip, deflate, br, zstd',
    'br;q=1, gzip;q=0.2',
    '*',
    'deflate, *;q=0.5',
    'gzip;q=0.5, identity;q=0.5',
    'gzip, identity;q=0.9',
    'gzip;q=1.0, *;q=0',
    'identity;q=0, *',
    'gzip;q=0, x-gzip',
    'x-gzip, gzip;q=0',
    'gzip, identity;q=7',
    'deflate,gzip;q=1.000 , ',
  ])('with Accept-Encoding: %s', (acceptEncoding) => {
    expect(acceptsEncoding(acceptEncoding, 'gzip')).toBe(true);
  });
});

describe('an answer comes as it is', () => {
  test.each([
    undefined,
    '',
    'identity',
    'br, deflate',
    'gzip;q=0',
    'gzip; q=0.000',
    '*;q=0',
    '*, gzip;q=0',
    'gzip;q=0.5, identity',
    'gzip;q=0.5, *',
    'identity, *;q=0.5',
    'gzipped',
    'not gzip',
  ])('with Accept-Encoding: %s', (acceptEncoding) => {
    expect(acceptsEncoding(acceptEncoding, 'gzip')).toBe(false);
  });
});

test('a head full of one header costs no more than reading it', () => {
  // What takes time by the square of its length takes longer than a test may.
  const length = 200_000;
  for (const piece of ['1', 'q=', ';', ',', ' ', '.1', '*/*,', ';q=0']) {
    const header = `text/event-stream;q=${piece.repeat(length / piece.length)}x`;
    expect(acceptsType(header, STREAM)).toBe(true);
    expect(acceptsEncoding(header, 'gzip')).toBe(false);
  }
});

test('whatever the headers hold, an answer comes', () => {
  const piece = fc.constantFrom(
    'text',
    '/',
    '*',
    ';',
    ',',
    'q=',
    '0',
    '.',
    '1',
    '"',
    ' ',
    'gzip',
    'event-stream',
    '\u00ff',
  );
  const header = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(header, (text) => {
      expect(typeof acceptsType(text, STREAM)).toBe('boolean');
      expect(typeof acceptsEncoding(text, 'gzip')).toBe('boolean');
    }),
  );
});
