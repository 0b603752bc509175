import type { IncomingHttpHeaders } from 'node:http';
import type { OriginJudgement } from '../request/origins.ts';

/** What a page may read of an answer besides the header fields that every page may. */
const EXPOSED = 'Idempotent-Replayed, Retry-After';
/** What clients send. The last two are set by replacements for EventSource that are made of `fetch`. */
const REQUEST_HEADERS = 'authorization, content-type, idempotency-key, last-event-id, cache-control';
/** Two hours: Chromium remembers no preflight for longer, whatever it is told. */
const MAX_AGE_SECONDS = 7200;

/** Whether a request is a browser's question before the real one (WHATWG Fetch, CORS-preflight request). */
export function isPreflight(request: {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers.origin !== undefined &&
    request.headers['access-control-request-method'] !== undefined
  );
}

/**
 * The header fields that let a page read the answer to a request of its origin (WHATWG Fetch, CORS protocol). `Vary`
 * stands on every answer, whatever the judgement: who may have it always depends on the Origin, and a cache must not
 * hand one to the other.
 */
export function corsHeaders(judgement: OriginJudgement, origin: string | undefined): Record<string, string> {
  const allowed = allowedOrigin(judgement, origin);
  return allowed === undefined ? { vary: 'Origin' } : { ...allowed, 'access-control-expose-headers': EXPOSED };
}

/** The header fields of the answer to a preflight; a judgement other than `allowed` and `any` permits nothing. */
export function preflightHeaders(judgement: OriginJudgement, origin: string | undefined): Record<string, string> {
  const allowed = allowedOrigin(judgement, origin);
  if (allowed === undefined) return { vary: 'Origin' };
  return {
    ...allowed,
    'access-control-allow-methods': 'GET, HEAD, POST',
    'access-control-allow-headers': REQUEST_HEADERS,
    'access-control-max-age': String(MAX_AGE_SECONDS),
  };
}

/**
 * The origin is sent back as it came: a browser compares it byte for byte. With `*` browsers send and accept no
 * credentials.
 */
function allowedOrigin(judgement: OriginJudgement, origin: string | undefined): Record<string, string> | undefined {
  if (judgement === 'any') return { 'access-control-allow-origin': '*', vary: 'Origin' };
  if (judgement !== 'allowed' || origin === undefined) return undefined;
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'Origin' };
}
