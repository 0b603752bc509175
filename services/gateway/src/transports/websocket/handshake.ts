import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ERRORS, type ErrorCode } from '../../errors.ts';

/** Why a handshake is not taken: what the HTTP answer says. */
export interface HandshakeRefusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  /** Header fields that the answer must have. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** `accept` is the value of `Sec-WebSocket-Accept`. */
export type HandshakeOutcome =
  | { readonly accept: string; readonly refusal?: undefined }
  | { readonly refusal: HandshakeRefusal; readonly accept?: undefined };

/** The one version of the protocol (RFC 6455, 4.1). */
const VERSION = '13';
/** What each side joins to the key before it hashes (RFC 6455, 1.3). */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64 with no bits to spare: the last digit has only two that count. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** Whether a request opens a WebSocket: every condition of RFC 6455, 4.2.1. Reads the request's head only. */
export function checkHandshake(request: IncomingMessage): HandshakeOutcome {
  const { headers } = request;
  if (request.method !== 'GET')
    return refuse('method_not_allowed', `a WebSocket is opened with GET, not ${request.method}`, { Allow: 'GET' });
  if (request.httpVersionMajor < 1 || (request.httpVersionMajor === 1 && request.httpVersionMinor < 1))
    return refuse('invalid_request', `a WebSocket needs HTTP/1.1 or higher, not HTTP/${request.httpVersion}`);
  const hosts = hostLines(request);
  if (hosts !== 1 || headers.host === '')
    return refuse('invalid_request', `a request has exactly one Host header with a value, this one has ${hosts}`);
  if (!hasToken(headers.upgrade, 'websocket')) return upgradeRequired('the Upgrade header must name websocket');
  if (!hasToken(headers.connection, 'upgrade'))
    return refuse('invalid_request', 'the Connection header must name Upgrade');
  if (headers['sec-websocket-version'] !== VERSION)
    return upgradeRequired(`the Sec-WebSocket-Version header must be ${VERSION}`);
  const key = headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key))
    return refuse('invalid_request', 'the Sec-WebSocket-Key header must be 16 bytes in base64');
  if (hasBody(request)) return refuse('invalid_request', 'a request that opens a WebSocket has no body');
  return { accept: hash('sha1', key + ACCEPT_GUID, 'base64') };
}

/**
 * The head of the answer that opens the WebSocket (RFC 6455, 4.2.2, step 5). What is negotiated besides, a subprotocol or an
 * extension, would be a line of its own here; naming none declines all that the client offered.
 */
export function switchingProtocols(accept: string): string {
  return (
    'HTTP/1.1 101 Switching Protocols\r\n' +
    'Upgrade: websocket\r\n' +
    'Connection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n` +
    '\r\n'
  );
}

function refuse(code: ErrorCode, detail: string, headers?: Record<string, string>): HandshakeOutcome {
  const refusal = { status: ERRORS[code].status, code, detail };
  return { refusal: headers === undefined ? refusal : { ...refusal, headers } };
}

/** A 426 names what to upgrade to (RFC 9110, 15.5.22), and which version of it (RFC 6455, 4.4). */
function upgradeRequired(detail: string): HandshakeOutcome {
  return refuse('upgrade_required', detail, {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': VERSION,
  });
}

/** How many Host lines there are. `headers` cannot tell: it keeps the first and drops the others. */
function hostLines(request: IncomingMessage): number {
  let lines = 0;
  for (let i = 0; i < request.rawHeaders.length; i += 2) if (request.rawHeaders[i]?.toLowerCase() === 'host') lines++;
  return lines;
}

/** True when a comma-separated list holds a token, in any case. */
function hasToken(list: string | undefined, token: string): boolean {
  return list?.split(',').some((item) => item.trim().toLowerCase() === token) ?? false;
}

function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}
