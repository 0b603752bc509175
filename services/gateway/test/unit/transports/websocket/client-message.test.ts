import { describe, expect, test } from 'vitest';
import { ClientMessageError, readClientMessage } from '../../../../src/transports/websocket/client-message.ts';

const LIMITS = { maxMessageBytes: 1000 };

function read(text: string): ReturnType<typeof readClientMessage> {
  return readClientMessage(text, LIMITS);
}

function errorOf(text: string): ClientMessageError {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ClientMessageError) return error;
    throw error;
  }
  throw new Error(`${text.slice(0, 100)} was taken`);
}

describe('what a client may say', () => {
  test.each([
    ['{"type":"ping"}', { type: 'ping' }],
    ['{"type":"ping","ref":1}', { type: 'ping', ref: '1' }],
    ['{"type":"auth","token":"a.b.c","ref":2}', { type: 'auth', token: 'a.b.c', ref: '2' }],
    [' {\n"ref" : "a" , "type":"p\\u0069ng"} ', { type: 'ping', ref: '"a"' }],
    ['{"type":"subscribe","channel":"orders:eu"}', { type: 'subscribe', channel: 'orders:eu', start: {} }],
    [
      '{"type":"subscribe","channel":"a","after":"1-0","ref":7}',
      { type: 'subscribe', channel: 'a', start: { cursor: '1-0' }, ref: '7' },
    ],
    [
      '{"type":"subscribe","channel":"a","after":"no cursor"}',
      { type: 'subscribe', channel: 'a', start: { cursor: 'no cursor' } },
    ],
    ['{"type":"subscribe","channel":"a","last":1}', { type: 'subscribe', channel: 'a', start: { last: 1 } }],
    ['{"type":"subscribe","channel":"a","last":1000}', { type: 'subscribe', channel: 'a', start: { last: 1000 } }],
    ['{"type":"subscribe","channel":"constructor"}', { type: 'subscribe', channel: 'constructor', start: {} }],
    ['{"type":"unsubscribe","channel":"__proto__"}', { type: 'unsubscribe', channel: '__proto__' }],
    ['{"type":"publish","channel":"a","data":1e400}', { type: 'publish', message: { channel: 'a', data: '1e400' } }],
    [
      '{"data":{ "b":1 },"type":"publish","idempotencyKey":"k","event":"e","channel":"a","ref":"r"}',
      { type: 'publish', message: { channel: 'a', event: 'e', data: '{ "b":1 }', idempotencyKey: 'k' }, ref: '"r"' },
    ],
  ])('%s', (text, message) => {
    expect(read(text)).toEqual({ ref: undefined, ...message });
  });
});

describe('a reference', () => {
  test.each([
    '0',
    '-1.5e400',
    '9007199254740993',
    '""',
    '"\\ud800"',
    '"a\\"b"',
    '"😀"',
    '1'.repeat(100),
    `"${'x'.repeat(100)}"`,
  ])('like %s is kept as it was written', (ref) => {
    expect(read(`{"type":"ping","ref":${ref}}`).ref).toBe(ref);
  });

  test.each(['null', 'true', '{}', '["a"]', '1'.repeat(101), `"${'x'.repeat(101)}"`])('like %s is refused', (ref) => {
    const error = errorOf(`{"type":"ping","ref":${ref}}`);
    expect(error.code).toBe('invalid_request');
    expect(error.message).toContain('"ref"');
    expect(error.ref).toBeUndefined();
  });

  test('goes with every error that comes after it was read', () => {
    for (const text of [
      '{"type":"shout","ref":7}',
      '{"ref":7}',
      '{"type":"subscribe","ref":7}',
      '{"type":"subscribe","channel":"a b","ref":7}',
      '{"type":"publish","channel":"a","ref":7}',
      '{"type":"ping","more":1,"ref":7}',
    ])
      expect(errorOf(text).ref, text).toBe('7');
  });
});

describe('a mistake', () => {
  test.each([
    ['no JSON', '{"type":', 'invalid_json', ''],
    ['an empty text', '', 'invalid_json', ''],
    ['two messages in one', '{"type":"ping"}{"type":"ping"}', 'invalid_json', ''],
    ['a byte order mark', '\ufeff{"type":"ping"}', 'invalid_json', ''],
    ['no object', '["ping"]', 'invalid_request', 'must be a JSON object'],
    ['a member twice', '{"type":"ping","type":"ping"}', 'invalid_request', 'stands twice'],
    ['no type', '{}', 'invalid_request', '"type" must be one of auth, subscribe, unsubscribe, publish, ping'],
    ['a type that is no string', '{"type":1}', 'invalid_request', '"type" must be a string'],
    ['an unknown type', '{"type":"shout"}', 'invalid_request', '"type" must be one of'],
    ['a type of ours', '{"type":"welcome"}', 'invalid_request', '"type" must be one of'],
    ['a type in other letters', '{"type":"Ping"}', 'invalid_request', '"type" must be one of'],
    ['a type that is empty', '{"type":""}', 'invalid_request', '"type" must be one of'],
    ['a type by inheritance', '{"__proto__":{"type":"ping"}}', 'invalid_request', '"type" must be one of'],
    ['auth without a token', '{"type":"auth"}', 'invalid_request', '"token" is missing'],
    ['auth with an empty token', '{"type":"auth","token":""}', 'invalid_request', '"token" is missing'],
    ['auth with a token that is no text', '{"type":"auth","token":7}', 'invalid_request', '"token" must be a string'],
    [
      'an unknown member',
      '{"type":"ping","channel":"a"}',
      'invalid_request',
      '"ping" has the unknown member "channel"',
    ],
    ['a member that every object has', '{"type":"ping","constructor":1}', 'invalid_request', '"constructor"'],
    ['no channel', '{"type":"subscribe"}', 'invalid_request', '"channel" is missing'],
    ['a channel that is null', '{"type":"unsubscribe","channel":null}', 'invalid_request', 'must be a string'],
    ['an empty channel', '{"type":"subscribe","channel":""}', 'invalid_channel', 'empty'],
    ['a bad channel', '{"type":"unsubscribe","channel":"a\\u0000"}', 'invalid_channel', '"channel"'],
    ['both starts', '{"type":"subscribe","channel":"a","after":"1-0","last":1}', 'invalid_request', 'exclude'],
    ['a cursor that is a number', '{"type":"subscribe","channel":"a","after":1}', 'invalid_request', '"after"'],
    ['nothing to publish', '{"type":"publish","channel":"a"}', 'invalid_request', 'no "data"'],
    ['nowhere to publish', '{"type":"publish","data":1}', 'invalid_request', 'no "channel"'],
    [
      'an event of ours',
      '{"type":"publish","channel":"a","data":1,"event":"fanfare:x"}',
      'invalid_request',
      'reserved',
    ],
  ])('with %s is told', (_what, text, code, words) => {
    const error = errorOf(text);
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.message).not.toBe('');
  });

  test.each(['constructor', 'toString', 'hasOwnProperty', '__proto__'])(
    'with the type %s is told, though every object has it',
    (type) => {
      for (const text of [`{"type":"${type}"}`, `{"type":"${type}","channel":"a","ref":1}`])
        expect(errorOf(text).message).toContain('"type" must be one of');
    },
  );

  test.each(['0', '1001', '-1', '1.5', '1e400', '"5"', 'null', 'true', '[5]', '{}', '""'])(
    'with last=%s is told',
    (last) => {
      const error = errorOf(`{"type":"subscribe","channel":"a","last":${last}}`);
      expect(error.code).toBe('invalid_request');
      expect(error.message).toContain('from 1 to 1000');
    },
  );

  test('with too much data is told, with the limit', () => {
    const publish = (bytes: number): string => `{"type":"publish","channel":"a","data":"${'x'.repeat(bytes - 2)}"}`;
    expect(read(publish(1000)).type).toBe('publish');
    const error = errorOf(publish(1001));
    expect(error.code).toBe('too_large');
    expect(error.message).toContain('1001 bytes, the limit is 1000');
  });

  test('with a hundred thousand levels in the wrong place is told like any other', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(errorOf(deep).code).toBe('invalid_request');
    expect(errorOf(`{"type":${deep}}`).message).toContain('"type" must be a string');
    expect(errorOf(`{"type":"publish","channel":"a","data":${deep}}`).code).toBe('too_large');
  });
});
