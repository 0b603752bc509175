import { OPCODE } from '../../src/wire/websocket/frame.ts';
import { WEBSOCKET_HEADERS } from '../support/raw-socket.ts';
import { CHANNELS, clientText } from './client-text.ts';
import { encode, frameOf } from './conversation.ts';
import type { Random } from './random.ts';
import { ALLOWED_ORIGIN } from './target.ts';

/** A request as a client means to send it. */
export interface Request {
  method: string;
  target: string;
  version: string;
  /** Names and values, as they are written. */
  headers: [name: string, value: string][];
  body: Buffer;
}

/** One of the requests that the public port is there for; nothing is wrong with it. */
export function anyRequest(random: Random): Request {
  const channel = random.pick(CHANNELS);
  switch (random.below(7)) {
    case 0:
    case 1:
      return streamRequest(random, channel);
    case 2:
      return handshake(random, channel);
    case 3:
      return post(random, `/v1/channels/${channel}/messages`, '{"data":{"a":"é"},"event":"made"}');
    case 4:
      return post(
        random,
        '/v1/messages',
        `{"messages":[{"channel":"${channel}","data":1},{"channel":"no good","data":2}]}`,
      );
    case 5:
      return plain(
        'GET',
        `/v1/channels/${channel}/messages?limit=${random.between(1, 50)}&wait=${random.pick([0, 0, 0, 1])}`,
      );
    default:
      return plain(
        random.pick(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT']),
        random.pick(['/', '/v1/openapi.json', '/v1/sse', '/v1/ws', '/v1/messages', '/favicon.ico', '/nothing']),
      );
  }
}

/** The bytes of a request. Each character of a header is one byte. */
export function encodeRequest({ method, target, version, headers, body }: Request): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`${method} ${target} ${version}\r\n${lines}\r\n`, 'latin1'), body]);
}

/** Sets a header that stands once. */
export function setHeader(request: Request, name: string, value: string): void {
  request.headers = request.headers.filter(([each]) => each.toLowerCase() !== name.toLowerCase());
  request.headers.push([name, value]);
}

function plain(method: string, target: string): Request {
  return { method, target, version: 'HTTP/1.1', headers: [['Host', 'localhost']], body: Buffer.alloc(0) };
}

function streamRequest(random: Random, channel: string): Request {
  const start = random.pick(['', '', '&after=1-1', '&last=5', '&format=envelope']);
  const request = plain(random.pick(['GET', 'GET', 'HEAD']), `/v1/sse?channel=${channel}${start}`);
  if (random.chance(0.5)) request.headers.push(['Accept', 'text/event-stream']);
  if (random.chance(0.5)) request.headers.push(['Accept-Encoding', 'gzip, deflate, br']);
  if (random.chance(0.3)) request.headers.push(['Last-Event-ID', '1763600000000-0']);
  if (random.chance(0.3)) request.headers.push(['Origin', ALLOWED_ORIGIN]);
  if (random.chance(0.3)) request.headers.push(['X-Forwarded-For', `192.0.2.${random.below(256)}, 10.0.0.1`]);
  return request;
}

function handshake(random: Random, channel: string): Request {
  const request = plain('GET', random.pick(['/v1/ws', `/v1/ws?channel=${channel}`]));
  request.headers.push(...Object.entries(WEBSOCKET_HEADERS));
  if (random.chance(0.5))
    request.headers.push(['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits']);
  if (random.chance(0.5)) request.headers.push(['Sec-WebSocket-Protocol', 'fanfare.v1']);
  if (random.chance(0.3)) request.headers.push(['Origin', 'http://localhost']);
  // Who knows the node need not wait for its answer.
  if (random.chance(0.3)) request.body = encode(frameOf(random, OPCODE.text, clientText(random)));
  return request;
}

function post(random: Random, target: string, json: string): Request {
  const request = plain('POST', target);
  request.headers.push(['Content-Type', 'application/json']);
  request.body = Buffer.from(json);
  if (random.chance(0.3)) request.headers.push(['Idempotency-Key', `key-${random.below(10)}`]);
  if (random.chance(0.8)) request.headers.push(['Content-Length', String(request.body.length)]);
  else {
    request.headers.push(['Transfer-Encoding', 'chunked']);
    request.body = Buffer.from(`${request.body.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`);
  }
  return request;
}
