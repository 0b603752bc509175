import type { Random } from './random.ts';
import type { Request } from './request.ts';

/** Where a request publishes that is hidden in another one's body. Nothing may ever arrive there. */
export const SMUGGLED_CHANNEL = 'smuggled:never';

const HIDDEN_BODY = '{"data":"smuggled"}';
const HIDDEN = `POST /v1/channels/${SMUGGLED_CHANNEL}/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${HIDDEN_BODY.length}\r\n\r\n${HIDDEN_BODY}`;
const CHUNKED = `5\r\n"abc"\r\n0\r\n\r\n${HIDDEN}`;

/**
 * The shapes in which two readers of one request may see its body end in different places (RFC 9112, 6.3, 7.1 and 11.2):
 * its headers, and what follows them. In each a lenient reader finds a second request, which a strict one must not serve.
 */
const SHAPES: readonly [headers: [string, string][], body: string][] = [
  [
    [
      ['Content-Length', '5'],
      ['Transfer-Encoding', 'chunked'],
    ],
    CHUNKED,
  ],
  [
    [
      ['Transfer-Encoding', 'chunked'],
      ['Content-Length', '5'],
    ],
    CHUNKED,
  ],
  [
    [
      ['Content-Length', '5'],
      ['Content-Length', String(5 + HIDDEN.length)],
    ],
    `"abc"${HIDDEN}`,
  ],
  [[['Content-Length', `5, ${5 + HIDDEN.length}`]], `"abc"${HIDDEN}`],
  [[['Content-Length', '+5']], `"abc"${HIDDEN}`],
  [[['Content-Length', '-5']], HIDDEN],
  [[['Content-Length', '0x5']], `"abc"${HIDDEN}`],
  [[['Content-Length', '5 5']], `"abc"${HIDDEN}`],
  [[['Content-Length', '']], HIDDEN],
  [[['Content-Length', '5;']], `"abc"${HIDDEN}`],
  [[['Content-Length', '99999999999999999999999']], HIDDEN],
  [[['Content-Length ', '0']], HIDDEN],
  [[['Transfer-Encoding', 'xchunked']], HIDDEN],
  [[['Transfer-Encoding', 'chunked, identity']], CHUNKED],
  [[['Transfer-Encoding', 'identity']], HIDDEN],
  [[['Transfer-Encoding', 'chunked\x0b']], CHUNKED],
  [[['Transfer-Encoding', '\x0bchunked']], CHUNKED],
  [
    [
      ['Transfer-Encoding', 'chunked'],
      ['Transfer-Encoding', 'cow'],
    ],
    CHUNKED,
  ],
  [
    [
      ['Transfer-Encoding', 'cow'],
      ['Content-Length', '5'],
    ],
    `"abc"${HIDDEN}`,
  ],
  [[['Transfer-Encoding ', 'chunked']], CHUNKED],
  [[['Transfer\x00-Encoding', 'chunked']], CHUNKED],
  [
    [
      ['X', 'a\nTransfer-Encoding: chunked'],
      ['Content-Length', '5'],
    ],
    CHUNKED,
  ],
  [
    [
      ['X', 'a\rTransfer-Encoding: chunked'],
      ['Content-Length', '5'],
    ],
    CHUNKED,
  ],
  [[['Transfer-Encoding', '\r\n chunked']], CHUNKED],
  // The end of a chunk, and what stands beside its size.
  [[['Transfer-Encoding', 'chunked']], `5\n"abc"\n0\n\n${HIDDEN}`],
  [[['Transfer-Encoding', 'chunked']], `5;a="\n\r\n"abc"\r\n0\r\n\r\n${HIDDEN}`],
  [[['Transfer-Encoding', 'chunked']], `0x5\r\n"abc"\r\n0\r\n\r\n${HIDDEN}`],
  [[['Transfer-Encoding', 'chunked']], `-5\r\n"abc"\r\n0\r\n\r\n${HIDDEN}`],
  [[['Transfer-Encoding', 'chunked']], `10000000000000005\r\n"abc"\r\n0\r\n\r\n${HIDDEN}`],
  [[['Transfer-Encoding', 'chunked']], `5 \r\n"abc"\r\n0\r\n\r\n${HIDDEN}`],
  [[['Transfer-Encoding', 'chunked']], `5\r\n"abc"XX0\r\n\r\n${HIDDEN}`],
];

/** Makes a request one of those shapes; nothing else may be done to it. */
export function smuggle(random: Random, request: Request): void {
  const [headers, body] = random.pick(SHAPES);
  request.method = 'POST';
  request.target = '/v1/channels/other/messages';
  request.headers = [['Host', 'localhost'], ['Content-Type', 'application/json'], ...headers];
  request.body = Buffer.from(body);
}
