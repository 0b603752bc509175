import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ERRORS, type ErrorCode } from '../../errors.ts';
import { hostProblem } from '../../request/host.ts';
import { parseExtensions } from '../../wire/websocket/extensions.ts';
import { negotiateDeflate } from '../../wire/websocket/negotiate-deflate.ts';
import { parseSubprotocols } from '../../wire/websocket/subprotocols.ts';

/** Why a handshake is not taken: what the HTTP answer says. */
export interface HandshakeRefusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  /** Header fields that the answer must have. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What an endpoint agrees to when a client offers it. */
export interface HandshakeOffer {
  /** Subprotocols that are spoken (RFC 6455, 1.9), any of which a client may name. */
  readonly subprotocols: readonly string[];
  /** Whether permessage-deflate (RFC 7692) is. */
  readonly deflate: boolean;
}

/** What was agreed on: the values of the answer's headers. */
export interface Handshake {
  /** `Sec-WebSocket-Accept`. */
  readonly accept: string;
  /** `Sec-WebSocket-Protocol`: the first of the client's that is spoken here. */
  readonly subprotocol: string | undefined;
  /** `Sec-WebSocket-Extensions`: permessage-deflate, or nothing. */
  readonly extensions: string | undefined;
}

export type HandshakeOutcome = (Handshake & { readonly refusal?: undefined }) | { readonly refusal: HandshakeRefusal };

/** The one version of the protocol (RFC 6455, 4.1). */
const VERSION = '13';
/** What each side joins to the key before it hashes (RFC 6455, 1.3). */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64. The last digit has four bits to spare, which the RFC's own example (4.1) does not leave at 0. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Whether a request opens a WebSocket: every condition of RFC 6455, 4.2.1. Reads the request's head only. */
export function checkHandshake(request: IncomingMessage, offer: HandshakeOffer): HandshakeOutcome {
  const { headers } = request;
  if (request.method !== 'GET')
    return refuse('method_not_allowed', `a WebSocket is opened with GET, not ${request.method}`, { Allow: 'GET' });
  if (request.httpVersionMajor < 1 || (request.httpVersionMajor === 1 && request.httpVersionMinor < 1))
    return refuse('invalid_request', `a WebSocket needs HTTP/1.1 or higher, not HTTP/${request.httpVersion}`);
  const host = hostProblem(request);
  if (host !== undefined) return refuse('invalid_request', host);
  if (!hasToken(headers.upgrade, 'websocket')) return upgradeRequired('the Upgrade header must name websocket');
  if (!hasToken(headers.connection, 'upgrade'))
    return refuse('invalid_request', 'the Connection header must name Upgrade');
  if (headers['sec-websocket-version'] !== VERSION)
    return upgradeRequired(`the Sec-WebSocket-Version header must be ${VERSION}`);
  const key = headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key))
    return refuse('invalid_request', 'the Sec-WebSocket-Key header must be 16 bytes in base64');
  if (hasBody(request)) return refuse('invalid_request', 'a request that opens a WebSocket has no body');
  // Several lines of either header are one list (RFC 6455, 9.1 and 11.3.4); Node joins them with commas.
  const protocols = headers['sec-websocket-protocol'];
  const wanted = protocols === undefined ? [] : parseSubprotocols(protocols);
  if (wanted === undefined)
    return refuse('invalid_request', 'the Sec-WebSocket-Protocol header must list tokens, none of them twice');
  const extensions = headers['sec-websocket-extensions'];
  const offered = extensions === undefined ? [] : parseExtensions(extensions);
  if (offered === undefined)
    return refuse('invalid_request', 'the Sec-WebSocket-Extensions header is not a list of extensions');
  return {
    accept: hash('sha1', key + ACCEPT_GUID, 'base64'),
    subprotocol: wanted.find((name) => offer.subprotocols.includes(name)),
    extensions: offer.deflate ? negotiateDeflate(offered) : undefined,
  };
}

/**
 * The head of the answer that opens the WebSocket (RFC 6455, 4.2.2, step 5). What it does not name is declined. `cookies`: values of
 * `Set-Cookie` fields.
 */
export function switchingProtocols(
  { accept, subprotocol, extensions }: Handshake,
  cookies: readonly string[] = [],
): string {
  return (
    'HTTP/1.1 101 Switching Protocols\r\n' +
    'Upgrade: websocket\r\n' +
    'Connection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n` +
    (subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`) +
    (extensions === undefined ? '' : `Sec-WebSocket-Extensions: ${extensions}\r\n`) +
    cookies.map((cookie) => `Set-Cookie: ${cookie}\r\n`).join('') +
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

/** True when a comma-separated list holds a token, in any case. */
function hasToken(list: string | undefined, token: string): boolean {
  return list?.split(',').some((item) => item.trim().toLowerCase() === token) ?? false;
}

function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}
