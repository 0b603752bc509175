import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { endSocket } from './closing.ts';
import type { FanfareError } from './errors.ts';

/** An error as `application/problem+json` (RFC 9457), and the headers that go with it. */
export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Makes the answer that a caller gets for an error. `code` is the stable name to program against. */
export function problemOf(error: FanfareError): Problem {
  const { kind, retryAfterSeconds } = error;
  const { status, title } = kind;
  return {
    status,
    headers: {
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
      // RFC 9110, 15.5.2.
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    },
    body: JSON.stringify({ type: 'about:blank', title, status, code: error.code, detail: error.message }),
  };
}

/** Answers a request that Node's own server holds. */
export function answerProblem(response: ServerResponse, error: FanfareError, extra: Record<string, string> = {}): void {
  const { status, headers, body } = problemOf(error);
  response.writeHead(status, { ...headers, ...extra, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** Answers on a socket that the HTTP server has already let go of, and closes it. The answer to a HEAD has no body (RFC 9110, 9.3.2). */
export function writeProblem(socket: Socket, { status, headers, body }: Problem, method = 'GET'): void {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ndate: ${new Date().toUTCString()}\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  head += `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  endSocket(socket, method === 'HEAD' ? head : head + body);
}
