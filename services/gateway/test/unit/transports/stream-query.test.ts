import { describe, expect, test } from 'vitest';
import { FanfareError } from '../../../src/errors.ts';
import { MAX_LAST, readStreamQuery } from '../../../src/transports/stream-query.ts';

const ALLOWED = ['channel', 'after', 'last', 'format'];

function read(query: string, maxChannels = 3): ReturnType<typeof readStreamQuery> {
  return readStreamQuery(new URLSearchParams(query), ALLOWED, maxChannels);
}

function errorOf(query: string, maxChannels?: number): FanfareError {
  try {
    read(query, maxChannels);
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
  throw new Error(`${query} was taken`);
}

describe('the channels of a stream', () => {
  test('are all that are named, each once, in their order', () => {
    expect(read('channel=b&channel=a&channel=b').channels).toEqual(['b', 'a']);
    expect(read('').channels).toEqual([]);
    expect(read('channel=constructor&channel=__proto__').channels).toEqual(['constructor', '__proto__']);
    expect(read('channel=orders%3Aeu.42%40x').channels).toEqual(['orders:eu.42@x']);
  });

  test('are as many as the limit, and not one more', () => {
    expect(read('channel=a&channel=b&channel=c&channel=a').channels).toHaveLength(3);
    expect(errorOf('channel=a&channel=b&channel=c&channel=d')).toMatchObject({ code: 'too_many_channels' });
    expect(errorOf('channel=a&channel=b', 1).message).toContain('2 channels, the limit is 1');
  });

  test.each([
    'channel=',
    'channel',
    'channel=a+b',
    'channel=a,b',
    'channel=%00',
    'channel=%ff',
    'channel=%ud800',
    'channel=a%0d%0a',
  ])('%s is an invalid_channel', (query) => {
    expect(errorOf(query).code).toBe('invalid_channel');
  });

  test('a name of 200 characters passes, one of 201 does not', () => {
    expect(read(`channel=${'x'.repeat(200)}`).channels).toHaveLength(1);
    expect(errorOf(`channel=${'x'.repeat(201)}`).message).toContain('201');
  });
});

describe('where a stream starts', () => {
  test('is now, when nothing is said', () => {
    expect(read('channel=a').start).toEqual({});
  });

  test.each(['1763600000000-7', '0:1-0,2:2-3', 'garbage', '\0', '😀', '1-0 '])(
    'is after the cursor %j, sense or no sense: that is not judged here',
    (cursor) => {
      expect(read(`channel=a&after=${encodeURIComponent(cursor)}`).start).toEqual({ cursor });
    },
  );

  test('is some messages back, from 1 to the limit', () => {
    expect(MAX_LAST).toBe(1000);
    for (const last of [1, 2, 1000]) expect(read(`channel=a&last=${last}`).start).toEqual({ last });
  });

  test.each(['', '0', '1001', '-1', '1.5', '1e2', '0x10', ' 5', '٣', 'all', '99999', '10000000000000000000'])(
    'is refused for last=%s',
    (last) => {
      const error = errorOf(`channel=a&last=${encodeURIComponent(last)}`);
      expect(error.code).toBe('invalid_request');
      expect(error.message).toContain('from 1 to 1000');
    },
  );

  test('last is bounded over all channels together', () => {
    const query = (channels: number): URLSearchParams =>
      new URLSearchParams([...Array.from({ length: channels }, (_, i) => ['channel', `c${i}`]), ['last', '1000']]);
    expect(readStreamQuery(query(10), ALLOWED, 100).start).toEqual({ last: 1000 });
    expect(() => readStreamQuery(query(11), ALLOWED, 100)).toThrow('here it is 11000');
  });

  test('is said in one way only', () => {
    expect(errorOf('channel=a&after=1-0&last=5')).toMatchObject({ code: 'invalid_request' });
    for (const query of ['after=1-0&after=1-0', 'last=1&last=1', 'format=raw&format=raw'])
      expect(errorOf(`channel=a&${query}`).message).toContain('more than once');
  });
});

describe('a parameter that is not known', () => {
  test.each(['channels', 'Channel', 'lastEventId', 'constructor', '__proto__', ''])('called %j is refused', (name) => {
    const error = errorOf(`channel=a&${name}=1`);
    expect(error.code).toBe('invalid_request');
    expect(error.message).toContain(JSON.stringify(name));
    expect(error.message).toContain('channel, after, last, format');
  });

  test('is repeated in the error by its beginning only', () => {
    expect(errorOf(`${'x'.repeat(10_000)}=1`).message.length).toBeLessThan(200);
  });

  test('may be one that another transport knows', () => {
    expect(() => readStreamQuery(new URLSearchParams('format=raw'), ['channel', 'after', 'last'], 3)).toThrow(
      '"format"',
    );
  });
});
