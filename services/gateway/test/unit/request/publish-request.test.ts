import { describe, expect, test } from 'vitest';
import { FanfareError } from '../../../src/errors.ts';
import {
  batchMessages,
  checkChannel,
  checkMessage,
  MAX_BATCH_MESSAGES,
  parseJson,
} from '../../../src/request/publish-request.ts';

const LIMITS = { maxMessageBytes: 1000 };

/** The error that a call throws. */
function errorOf(call: () => unknown): FanfareError {
  try {
    call();
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('JSON that cannot be parsed', () => {
  test.each(['', '{', '{"data":}', 'nul', '{"a":1}x', "{'a':1}", '{"a":1,}', '\ufeff{}', '"\u0001"', '[1 2]', 'NaN'])(
    '%j is invalid_json with the parser’s own words',
    (text) => {
      const error = errorOf(() => parseJson(text));
      expect(error.code).toBe('invalid_json');
      expect(error.message).not.toBe('');
    },
  );

  test('a hundred thousand levels are not too deep', () => {
    expect(parseJson('['.repeat(100_000) + ']'.repeat(100_000))).toBeInstanceOf(Array);
  });
});

describe('a message whose channel stands inside', () => {
  test('is taken with everything that it may have', () => {
    const text = '{"idempotencyKey":"k-1","data":{"a":1},"event":"order.updated","channel":"orders:eu"}';
    expect(checkMessage(text, LIMITS, 'x')).toEqual({
      channel: 'orders:eu',
      event: 'order.updated',
      data: '{"a":1}',
      idempotencyKey: 'k-1',
    });
  });

  test('has no members for what was left out', () => {
    expect(Object.keys(checkMessage('{"channel":"a","data":1}', LIMITS, 'x'))).toEqual(['channel', 'data']);
  });

  test.each(['null', 'false', '0', '""', '[]', '{}', '1e400', '9007199254740993', ' {"b" : 1,\n"b":2} '])(
    'carries the data %s as it was written',
    (data) => {
      expect(checkMessage(`{"channel":"a","data":${data}}`, LIMITS, 'x').data).toBe(data.trim());
    },
  );

  test('names of members may be written with escapes', () => {
    expect(checkMessage('{"\\u0063hannel":"\\u0061","d\\u0061ta":1}', LIMITS, 'x')).toEqual({
      channel: 'a',
      data: '1',
    });
  });

  test.each(['constructor', '__proto__', 'toString'])('the channel may be called %s', (channel) => {
    expect(checkMessage(`{"channel":"${channel}","data":1}`, LIMITS, 'x').channel).toBe(channel);
  });

  test.each([
    ['no object', '[1]', 'must be a JSON object'],
    ['a string', '"data"', 'must be a JSON object'],
    ['no data', '{"channel":"a"}', 'no "data"'],
    ['no channel', '{"data":1}', 'no "channel"'],
    ['an unknown member', '{"channel":"a","data":1,"to":"b"}', '"to"'],
    ['a member that every object has', '{"channel":"a","data":1,"constructor":1}', '"constructor"'],
    ['a member called __proto__', '{"__proto__":{"channel":"a","data":1}}', '"__proto__"'],
    ['a member in other letters', '{"channel":"a","Data":1}', '"Data"'],
    ['a member twice', '{"channel":"a","data":1,"data":2}', 'stands twice'],
    ['a member twice, once with an escape', '{"channel":"a","data":1,"\\u0064ata":2}', 'stands twice'],
    ['a channel that is no string', '{"channel":1,"data":1}', '"channel" must be a string'],
    ['an event that is null', '{"channel":"a","data":1,"event":null}', '"event" must be a string'],
    ['an event that is empty', '{"channel":"a","data":1,"event":""}', 'must not be empty'],
    ['an event of ours', '{"channel":"a","data":1,"event":"fanfare:gap"}', 'reserved'],
    ['an event of ours with an escape', '{"channel":"a","data":1,"event":"f\\u0061nfare:gap"}', 'reserved'],
    ['an event with a line break', '{"channel":"a","data":1,"event":"a\\nid: 1"}', 'line break'],
    ['an event with a carriage return', '{"channel":"a","data":1,"event":"a\\rb"}', 'line break'],
    ['an event with NUL', '{"channel":"a","data":1,"event":"\\u0000"}', 'NUL'],
    ['an event with half a surrogate pair', '{"channel":"a","data":1,"event":"\\ud83d"}', 'surrogate'],
    ['a key that is a number', '{"channel":"a","data":1,"idempotencyKey":7}', '"idempotencyKey" must be a string'],
    ['a key that is empty', '{"channel":"a","data":1,"idempotencyKey":""}', 'idempotency key'],
    ['a ttl of nothing', '{"channel":"a","data":1,"ttl":0}', '"ttl": a time to live is a whole number of seconds'],
    ['a ttl with a fraction', '{"channel":"a","data":1,"ttl":1.5}', '"ttl"'],
    ['a ttl that is text', '{"channel":"a","data":1,"ttl":"60"}', '"ttl"'],
    ['a ttl that is null', '{"channel":"a","data":1,"ttl":null}', '"ttl"'],
    ['a ttl of more than a year', '{"channel":"a","data":1,"ttl":31536001}', 'from 1 to 31536000'],
    ['a key with a space', '{"channel":"a","data":1,"idempotencyKey":"a b"}', 'idempotency key'],
  ])('with %s is an invalid_request that says so, and where', (_what, text, words) => {
    const error = errorOf(() => checkMessage(text, LIMITS, 'messages[3]'));
    expect(error.code).toBe('invalid_request');
    expect(error.message).toContain('messages[3]');
    expect(error.message).toContain(words);
  });

  test('may have a time to live', () => {
    for (const ttl of [1, 60, 31_536_000])
      expect(checkMessage(`{"channel":"a","data":1,"ttl":${ttl}}`, LIMITS, 'x').ttlSeconds).toBe(ttl);
    expect(checkMessage('{"data":1,"ttl":5}', LIMITS, 'x', { outside: { channel: 'a' } }).ttlSeconds).toBe(5);
    expect(checkMessage('{"channel":"a","data":1}', LIMITS, 'x')).not.toHaveProperty('ttlSeconds');
  });

  test('with a bad channel is an invalid_channel', () => {
    for (const channel of ['', 'a b', 'x'.repeat(201)]) {
      const error = errorOf(() => checkMessage(`{"channel":"${channel}","data":1}`, LIMITS, 'messages[3]'));
      expect(error.code).toBe('invalid_channel');
      expect(error.message).toContain('messages[3]');
    }
  });

  test('may have as many bytes of data as the limit, and not one more', () => {
    const ascii = (bytes: number): string => `{"channel":"a","data":"${'x'.repeat(bytes - 2)}"}`;
    expect(checkMessage(ascii(1000), LIMITS, 'x').data).toHaveLength(1000);
    expect(errorOf(() => checkMessage(ascii(1001), LIMITS, 'x'))).toMatchObject({ code: 'too_large' });
    expect(errorOf(() => checkMessage(ascii(1001), LIMITS, 'x')).message).toContain('1001 bytes, the limit is 1000');
  });

  test('is measured in bytes, not in characters, and as it was written', () => {
    const text = (data: string): string => `{"channel":"a","data":${data}}`;
    expect(checkMessage(text(`"${'ü'.repeat(499)}"`), LIMITS, 'x').data).toHaveLength(501);
    expect(errorOf(() => checkMessage(text(`"${'ü'.repeat(500)}"`), LIMITS, 'x')).code).toBe('too_large');
    expect(errorOf(() => checkMessage(text(`[${' '.repeat(999)}]`), LIMITS, 'x')).code).toBe('too_large');
    expect(checkMessage(text(`1${' '.repeat(5000)}`), LIMITS, 'x').data).toBe('1');
  });
});

describe('a message whose channel stands outside', () => {
  const outside = { channel: 'orders:eu', idempotencyKey: 'k-1' };

  test('takes the channel and the key from there', () => {
    expect(checkMessage('{"data":[1],"event":"e"}', LIMITS, 'the body', { outside })).toEqual({
      channel: 'orders:eu',
      event: 'e',
      data: '[1]',
      idempotencyKey: 'k-1',
    });
  });

  test.each(['channel', 'idempotencyKey'])('must not carry a %s itself', (name) => {
    const error = errorOf(() => checkMessage(`{"data":1,"${name}":"a"}`, LIMITS, 'the body', { outside }));
    expect(error.code).toBe('invalid_request');
    expect(error.message).toContain(`"${name}"`);
    expect(error.message).toContain('event, data');
  });

  test('is refused when what stands outside is bad', () => {
    const check = (frame: { channel: string; idempotencyKey?: string }): FanfareError =>
      errorOf(() => checkMessage('{"data":1}', LIMITS, 'the body', { outside: frame }));
    expect(check({ channel: 'a b' }).code).toBe('invalid_channel');
    expect(check({ channel: 'a', idempotencyKey: '' }).code).toBe('invalid_request');
    expect(check({ channel: 'a', idempotencyKey: 'ä' }).code).toBe('invalid_request');
  });
});

describe('a message in an envelope', () => {
  test("leaves the envelope's members to whoever reads them", () => {
    const text = '{"type":"publish","ref":1,"channel":"a","data":1}';
    expect(checkMessage(text, LIMITS, 'x', { envelope: ['type', 'ref'] })).toEqual({ channel: 'a', data: '1' });
    expect(errorOf(() => checkMessage(text, LIMITS, 'x', { envelope: ['type'] })).message).toContain('"ref"');
  });
});

describe('a batch', () => {
  test('is the source texts of its messages', () => {
    expect(batchMessages('{"messages":[ {"data":1e400} , 2,"x"]}')).toEqual(['{"data":1e400}', '2', '"x"']);
  });

  test('holds 1000 messages, and not one more', () => {
    const batch = (count: number): string => `{"messages":[${Array(count).fill('{}').join(',')}]}`;
    expect(MAX_BATCH_MESSAGES).toBe(1000);
    expect(batchMessages(batch(1000))).toHaveLength(1000);
    expect(errorOf(() => batchMessages(batch(1001))).message).toContain('1001');
  });

  test.each([
    '[]',
    '{}',
    'null',
    '{"messages":null}',
    '{"messages":{}}',
    '{"messages":"[]"}',
    '{"messages":[]}',
    '{"messages":[1],"more":1}',
    '{"messages":[1],"messages":[2]}',
    '{"Messages":[1]}',
    '{"__proto__":{"messages":[1]}}',
  ])('like %s is an invalid_request', (text) => {
    expect(errorOf(() => batchMessages(text)).code).toBe('invalid_request');
  });
});

test('a channel in the path is checked, and the error says where it stood', () => {
  expect(() => checkChannel('orders', 'the path')).not.toThrow();
  expect(errorOf(() => checkChannel('a/b', 'the path'))).toMatchObject({ code: 'invalid_channel' });
  expect(errorOf(() => checkChannel('a/b', 'the path')).message).toMatch(/^the path: /);
});
