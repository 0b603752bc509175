import { type IncomingHttpHeaders, request } from 'node:http';
import { expect } from 'vitest';
import { ERRORS, type ErrorCode } from '../../src/errors.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; throws when it is none. */
  readonly json: Record<string, unknown>;
}

export interface HttpQuestion {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  /** Sent as it is; with a content-length unless `chunked`. */
  readonly body?: string | Buffer;
  readonly chunked?: boolean;
}

/** One HTTP request on a connection of its own. Path and body go out byte for byte: nothing is normalised. */
export function exchange(url: string, path: string, question: HttpQuestion = {}): Promise<HttpAnswer> {
  const { method = 'GET', headers = {}, body, chunked = false } = question;
  const length = body === undefined || chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    let answered = false;
    const { hostname, port } = new URL(url);
    const outgoing = request(
      { hostname, port, path, method, headers: { ...headers, ...length }, agent: false },
      (response) => {
        answered = true;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            get json() {
              return JSON.parse(text) as Record<string, unknown>;
            },
          });
        });
      },
    );
    // A node that has refused a body need not read it to the end.
    outgoing.on('error', (error) => {
      if (!answered) reject(error);
    });
    outgoing.end(body);
  });
}

/** A POST of JSON text, as it is. */
export function postJson(
  url: string,
  path: string,
  body: string | Buffer,
  headers: Record<string, string | string[]> = {},
): Promise<HttpAnswer> {
  return exchange(url, path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
}

/** Holds an answer to the whole shape of a problem (RFC 9457); returns its detail. */
export function expectProblem(answer: HttpAnswer, code: ErrorCode): string {
  const { status, title, retryAfterSeconds } = ERRORS[code] as (typeof ERRORS)[ErrorCode] & {
    retryAfterSeconds?: number;
  };
  const { detail, ...rest } = answer.json;
  expect(rest).toEqual({ type: 'about:blank', title, status, code });
  expect(detail).toEqual(expect.stringMatching(/\S/));
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.headers['retry-after']).toBe(retryAfterSeconds === undefined ? undefined : String(retryAfterSeconds));
  return String(detail);
}
