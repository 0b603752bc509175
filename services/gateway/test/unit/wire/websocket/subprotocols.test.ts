import { describe, expect, test } from 'vitest';
import { parseSubprotocols } from '../../../../src/wire/websocket/subprotocols.ts';

describe('a Sec-WebSocket-Protocol header (RFC 6455 4.1 and 11.3.4)', () => {
  test('is the names that the client offers, in their order', () => {
    expect(parseSubprotocols('fanfare.v1')).toEqual(['fanfare.v1']);
    expect(parseSubprotocols('chat, superchat')).toEqual(['chat', 'superchat']);
    expect(parseSubprotocols('\tv12.stomp ,v11.stomp,  soap ')).toEqual(['v12.stomp', 'v11.stomp', 'soap']);
  });

  test('names differ by their case', () => {
    expect(parseSubprotocols('chat, Chat')).toEqual(['chat', 'Chat']);
  });

  test('empty elements do not count, and an empty list is malformed (RFC 9110 5.6.1)', () => {
    expect(parseSubprotocols(', a,,b ,')).toEqual(['a', 'b']);
    for (const header of ['', '  ', ',,']) expect(parseSubprotocols(header), header).toBeUndefined();
  });

  test('a name that stands twice is malformed', () => {
    expect(parseSubprotocols('a, b, a')).toBeUndefined();
  });

  test.each(['a b', 'a/b', 'a;b', 'a=b', '"a"', 'a, "b"', '(a)', 'a@b', 'ä', 'a\u00a0', 'a\r\nb', 'a\0'])(
    '%j is malformed',
    (header) => {
      expect(parseSubprotocols(header)).toBeUndefined();
    },
  );
});
