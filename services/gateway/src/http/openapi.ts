import { ref, SCHEMAS } from './openapi-schemas.ts';

const json = (schema: object): object => ({ content: { 'application/json': { schema } } });
const inQuery = (name: string, description: string, schema: object, extra: object = {}): object => ({
  name,
  in: 'query',
  description,
  schema,
  ...extra,
});

const PROBLEM = {
  description: 'An error (RFC 9457). `code` is stable.',
  content: { 'application/problem+json': { schema: ref('Problem') } },
};
const RETRY_LATER = {
  ...PROBLEM,
  description:
    'Not now; `Retry-After` says when. After `log_timeout` and `not_replicated` it may have been published all the same.',
  headers: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds' } },
};
const UNAUTHENTICATED = {
  ...PROBLEM,
  description: 'A token or a key is needed, or the one that came is not good',
  headers: { 'WWW-Authenticate': { schema: { const: 'Bearer' } } },
};
const FORBIDDEN = {
  ...PROBLEM,
  description: 'The token or key gives no right to it, or the page’s origin is not allowed',
};
const TOO_MANY = {
  ...RETRY_LATER,
  description: 'More than one key, subject or address may; `Retry-After` says when again',
};
const PROBLEMS = { 401: UNAUTHENTICATED, 403: FORBIDDEN, 429: TOO_MANY, 503: RETRY_LATER, default: PROBLEM };
const CHANNEL_PARAMETER = { name: 'channel', in: 'path', required: true, schema: ref('Channel') };
const CHANNELS_QUERY = (required: boolean): object =>
  inQuery('channel', 'Channels to follow', { type: 'array', items: ref('Channel') }, { required, explode: true });
const START_QUERY = [
  inQuery('after', 'Cursor to resume from', { type: 'string' }),
  inQuery('last', 'Start with up to this many of the newest messages of each channel', {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
  }),
];
const TICKET_QUERY = inQuery('ticket', 'From `POST /v1/tickets`; goes before any other proof of who asks', {
  type: 'string',
  pattern: '^fft_[A-Za-z0-9_-]{22}$',
});
const MESSAGES = '/v1/channels/{channel}/messages';

/** The HTTP API as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0). PROTOCOL.md describes the streams. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Fanfare',
    version: '1',
    description:
      'Publish with a POST; receive over Server-Sent Events or WebSocket, on any node, and resume with a cursor.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  // Public channels need none, and a node without authentication asks for none.
  security: [{}, { bearer: [] }, { cookie: [] }],
  paths: {
    [MESSAGES]: {
      post: {
        operationId: 'publish',
        summary: 'Publish one message',
        parameters: [
          CHANNEL_PARAMETER,
          {
            name: 'Idempotency-Key',
            in: 'header',
            description: 'A retry with the same key on the same channel returns the first id.',
            schema: { type: 'string', minLength: 1, maxLength: 255 },
          },
        ],
        requestBody: { required: true, ...json(ref('NewMessage')) },
        responses: {
          201: { description: 'Published', ...json(ref('Published')) },
          200: {
            description: 'Published before, with the same key',
            headers: { 'Idempotent-Replayed': { schema: { const: 'true' } } },
            ...json(ref('Published')),
          },
          ...PROBLEMS,
        },
      },
      get: {
        operationId: 'catchUp',
        summary: 'Read messages after a cursor, or wait for one (long polling)',
        parameters: [
          CHANNEL_PARAMETER,
          inQuery('after', 'Cursor; without it, from the oldest retained message', { type: 'string' }),
          inQuery('limit', 'Most messages', { type: 'integer', minimum: 1, maximum: 1000, default: 100 }),
          inQuery('wait', 'Seconds to wait for a first message', {
            type: 'integer',
            minimum: 0,
            maximum: 60,
            default: 0,
          }),
        ],
        responses: { 200: { description: 'Messages', ...json(ref('CaughtUp')) }, ...PROBLEMS },
      },
    },
    '/v1/messages': {
      post: {
        operationId: 'publishMany',
        summary: 'Publish 1–1000 messages',
        requestBody: {
          required: true,
          ...json({
            type: 'object',
            required: ['messages'],
            additionalProperties: false,
            properties: { messages: { type: 'array', minItems: 1, maxItems: 1000, items: ref('BatchMessage') } },
          }),
        },
        responses: {
          200: {
            description: 'One result for each message, in the same order',
            ...json({
              type: 'object',
              required: ['results'],
              properties: { results: { type: 'array', items: { oneOf: [ref('Published'), ref('Failed')] } } },
            }),
          },
          ...PROBLEMS,
        },
      },
    },
    '/v1/tickets': {
      post: {
        operationId: 'createTicket',
        summary: 'Trade a token for a ticket, which opens one stream',
        security: [{ bearer: [] }, { cookie: [] }],
        responses: {
          201: {
            description: 'A ticket',
            headers: { 'Cache-Control': { schema: { const: 'no-store' } } },
            ...json(ref('Ticket')),
          },
          ...PROBLEMS,
        },
      },
    },
    '/v1/disconnect': {
      post: {
        operationId: 'disconnect',
        summary: 'End a subject’s connections on every node, and refuse its tokens that were issued until now',
        security: [{ bearer: [] }],
        requestBody: { required: true, ...json(ref('Disconnect')) },
        responses: {
          202: { description: 'The log has it, and every node will hear of it', ...json(ref('Disconnect')) },
          ...PROBLEMS,
        },
      },
    },
    '/v1/sse': {
      get: {
        operationId: 'sse',
        summary: 'Follow channels as Server-Sent Events',
        parameters: [
          CHANNELS_QUERY(true),
          ...START_QUERY,
          TICKET_QUERY,
          inQuery('format', '`raw`: data is the message’s data; `envelope`: data is the whole message', {
            enum: ['raw', 'envelope'],
            default: 'raw',
          }),
          {
            name: 'Last-Event-ID',
            in: 'header',
            description: 'Cursor to resume from; wins over `after` and `last`',
            schema: { type: 'string' },
          },
        ],
        responses: {
          200: {
            description:
              'The stream, in gzip for those who accept it. One that ends with `fanfare:bye` at once is a refusal that passes by itself.',
            headers: {
              'Set-Cookie': {
                schema: { type: 'string' },
                description: 'With a ticket that was redeemed now: what the same browser may come back with',
              },
            },
            content: { 'text/event-stream': { schema: { type: 'string' } } },
          },
          401: UNAUTHENTICATED,
          403: FORBIDDEN,
          406: { ...PROBLEM, description: 'The Accept header excludes event streams' },
          default: PROBLEM,
        },
      },
    },
    '/v1/ws': {
      get: {
        operationId: 'webSocket',
        summary: 'Follow and publish over a WebSocket (RFC 6455)',
        parameters: [CHANNELS_QUERY(false), ...START_QUERY, TICKET_QUERY],
        responses: {
          101: { description: 'Switching protocols; the subprotocol is `fanfare.v1`' },
          401: UNAUTHENTICATED,
          403: FORBIDDEN,
          426: { ...PROBLEM, description: 'Not a WebSocket handshake of version 13' },
          default: PROBLEM,
        },
      },
    },
  },
  components: {
    securitySchemes: {
      bearer: {
        type: 'http',
        scheme: 'bearer',
        description:
          'A JSON Web Token with `sub`, `iat`, `exp`, and channel patterns in `subscribe` and `publish`; or a publisher’s key (`ffk_…`)',
      },
      cookie: {
        type: 'apiKey',
        in: 'cookie',
        name: 'FANFARE_COOKIE_NAME',
        description: 'A token in the cookie that this setting names, from pages of the same origin and of allowed ones',
      },
    },
    schemas: SCHEMAS,
  },
};
