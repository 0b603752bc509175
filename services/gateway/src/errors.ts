/** What an error means for the three ways in which it can reach somebody. */
interface ErrorKind {
  /** HTTP status (RFC 9110, section 15). */
  readonly status: number;
  readonly title: string;
  /** Seconds after which the same request may well succeed: sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/** Every error code of the API. PROTOCOL.md lists them too, and a test holds the two together. */
export const ERRORS = {
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_request: { status: 400, title: 'The request is not valid' },
  invalid_channel: { status: 400, title: 'The channel name is not valid' },
  too_many_channels: { status: 400, title: 'Too many channels on one connection' },
  unauthenticated: { status: 401, title: 'Not authenticated' },
  forbidden: { status: 403, title: 'Not allowed' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  not_acceptable: { status: 406, title: 'Not acceptable' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  too_large: { status: 413, title: 'Too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  upgrade_required: { status: 426, title: 'This address speaks WebSocket only' },
  headers_too_large: { status: 431, title: 'The request head is too large' },
  too_many_connections: {
    status: 429,
    title: 'Too many connections from one address, or of one subject',
    retryAfterSeconds: 10,
  },
  rate_limited: { status: 429, title: 'Too many messages', retryAfterSeconds: 1 },
  internal: { status: 500, title: 'Internal error' },
  log_unavailable: { status: 503, title: 'The log cannot be reached', retryAfterSeconds: 2 },
  /** After these two the message may have been published all the same. */
  log_timeout: { status: 503, title: 'The log did not answer in time', retryAfterSeconds: 2 },
  not_replicated: { status: 503, title: 'Too few replicas confirmed the message in time', retryAfterSeconds: 2 },
  auth_unavailable: { status: 503, title: 'Tokens cannot be checked', retryAfterSeconds: 5 },
  full: { status: 503, title: 'This node is full', retryAfterSeconds: 5 },
  draining: { status: 503, title: 'This node is shutting down', retryAfterSeconds: 1 },
  starting: { status: 503, title: 'This node is starting', retryAfterSeconds: 1 },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** An error that is meant for the caller: `detail` says what is wrong and where, and never holds a secret. */
export class FanfareError extends Error {
  readonly code: ErrorCode;
  /** When to try again, where that is known better than the code tells. */
  readonly #retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions & { readonly retryAfterSeconds?: number }) {
    super(detail, options);
    this.name = 'FanfareError';
    this.code = code;
    this.#retryAfterSeconds = options?.retryAfterSeconds;
  }

  /** Seconds after which the same request may well succeed; undefined when it will not. */
  get retryAfterSeconds(): number | undefined {
    return this.#retryAfterSeconds ?? this.kind.retryAfterSeconds;
  }

  get kind(): ErrorKind {
    return ERRORS[this.code];
  }
}

/** Why a connection is ended: its WebSocket close code (RFC 6455, section 7.4) and the reason that both transports name. */
export const CLOSES = {
  max_age: { code: 1001, comeBack: true },
  protocol_error: { code: 1002, comeBack: false },
  unsupported_data: { code: 1003, comeBack: false },
  invalid_payload: { code: 1007, comeBack: false },
  flooding: { code: 1008, comeBack: false },
  too_large: { code: 1009, comeBack: false },
  internal: { code: 1011, comeBack: true },
  draining: { code: 1012, comeBack: true },
  full: { code: 1013, comeBack: true },
  too_many_connections: { code: 1013, comeBack: true },
  starting: { code: 1013, comeBack: true },
  log_unavailable: { code: 1013, comeBack: true },
  auth_unavailable: { code: 1013, comeBack: true },
  unauthenticated: { code: 4401, comeBack: false },
  /** With a new token. */
  token_expired: { code: 4401, comeBack: true },
  forbidden: { code: 4403, comeBack: false },
  disconnected: { code: 4403, comeBack: false },
  too_slow: { code: 4408, comeBack: true },
  missed_pong: { code: 4409, comeBack: true },
} as const satisfies Record<string, { code: number; comeBack: boolean }>;

export type CloseReason = keyof typeof CLOSES;
