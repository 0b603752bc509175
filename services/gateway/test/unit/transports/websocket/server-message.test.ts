import { describe, expect, test } from 'vitest';
import { serverMessage } from '../../../../src/transports/websocket/server-message.ts';

describe('what a node says', () => {
  test.each([
    ['welcome', serverMessage.welcome('node-1', 25), { type: 'welcome', node: 'node-1', heartbeatSeconds: 25 }],
    ['subscribed', serverMessage.subscribed('a', '1-0'), { type: 'subscribed', channel: 'a', cursor: '1-0' }],
    [
      'subscribed, its cursor still unknown',
      serverMessage.subscribed('a', undefined),
      { type: 'subscribed', channel: 'a' },
    ],
    ['unsubscribed', serverMessage.unsubscribed('a'), { type: 'unsubscribed', channel: 'a' }],
    ['published', serverMessage.published('1-0'), { type: 'published', id: '1-0' }],
    ['pong', serverMessage.pong(), { type: 'pong' }],
    ['error', serverMessage.error('too_large', '“x”'), { type: 'error', code: 'too_large', detail: '“x”' }],
    ['cursor', serverMessage.cursor('0:1-0,1:2-0'), { type: 'cursor', id: '0:1-0,1:2-0' }],
    ['gap', serverMessage.gap('a', 'x"\n', 'unknown'), { type: 'gap', channel: 'a', after: 'x"\n', reason: 'unknown' }],
    ['caught-up', serverMessage.caughtUp('a', '1-0'), { type: 'caught-up', channel: 'a', cursor: '1-0' }],
  ])('%s', (_what, text, message) => {
    expect(JSON.parse(text)).toEqual(message);
  });

  test.each(['0', '9007199254740993', '1e400', '"a\\"}"', '"\\u0061"', '""'])(
    'carries the reference %s back as it was written',
    (ref) => {
      expect(serverMessage.pong(ref)).toBe(`{"type":"pong","ref":${ref}}`);
      expect(serverMessage.published('1-0', ref)).toBe(`{"type":"published","id":"1-0","ref":${ref}}`);
      expect(serverMessage.unsubscribed('a', ref)).toBe(`{"type":"unsubscribed","channel":"a","ref":${ref}}`);
      expect(serverMessage.subscribed('a', '1-0', ref)).toBe(
        `{"type":"subscribed","channel":"a","cursor":"1-0","ref":${ref}}`,
      );
      expect(serverMessage.error('internal', 'x', ref)).toBe(
        `{"type":"error","code":"internal","detail":"x","ref":${ref}}`,
      );
    },
  );
});
