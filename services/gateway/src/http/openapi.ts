import { ERRORS } from '../errors.ts';
import { MAX_TTL_SECONDS } from '../message.ts';

const json = (schema: object): object => ({ content: { 'application/json': { schema } } });
const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
const text = (description: string): object => ({ type: 'string', description });
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
          503: RETRY_LATER,
          default: PROBLEM,
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
        responses: { 200: { description: 'Messages', ...json(ref('CaughtUp')) }, 503: RETRY_LATER, default: PROBLEM },
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
          503: RETRY_LATER,
          default: PROBLEM,
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
            content: { 'text/event-stream': { schema: { type: 'string' } } },
          },
          406: { ...PROBLEM, description: 'The Accept header excludes event streams' },
          default: PROBLEM,
        },
      },
    },
    '/v1/ws': {
      get: {
        operationId: 'webSocket',
        summary: 'Follow and publish over a WebSocket (RFC 6455)',
        parameters: [CHANNELS_QUERY(false), ...START_QUERY],
        responses: {
          101: { description: 'Switching protocols; the subprotocol is `fanfare.v1`' },
          426: { ...PROBLEM, description: 'Not a WebSocket handshake of version 13' },
          default: PROBLEM,
        },
      },
    },
  },
  components: {
    schemas: {
      Channel: { type: 'string', pattern: '^[A-Za-z0-9_\\-.:@]{1,200}$' },
      Ttl: {
        type: 'integer',
        minimum: 1,
        maximum: MAX_TTL_SECONDS,
        description: 'Seconds for which it may be replayed, where that is shorter than what its namespace keeps',
      },
      NewMessage: {
        type: 'object',
        required: ['data'],
        additionalProperties: false,
        properties: {
          event: text('Name for clients to listen to; not `fanfare:…`'),
          data: { description: 'Any JSON value' },
          ttl: ref('Ttl'),
        },
      },
      BatchMessage: {
        type: 'object',
        required: ['channel', 'data'],
        additionalProperties: false,
        properties: {
          channel: ref('Channel'),
          event: { type: 'string' },
          data: { description: 'Any JSON value' },
          ttl: ref('Ttl'),
          idempotencyKey: { type: 'string', minLength: 1, maxLength: 255 },
        },
      },
      Message: {
        type: 'object',
        required: ['id', 'channel', 'data'],
        properties: { id: { type: 'string' }, channel: ref('Channel'), event: { type: 'string' }, data: {} },
      },
      Published: {
        type: 'object',
        required: ['id', 'channel'],
        properties: { id: text('Place in the log; opaque'), channel: ref('Channel') },
      },
      Failed: {
        type: 'object',
        required: ['error'],
        properties: {
          error: {
            type: 'object',
            required: ['code', 'detail'],
            properties: { code: ref('ErrorCode'), detail: { type: 'string' } },
          },
        },
      },
      CaughtUp: {
        type: 'object',
        required: ['messages', 'cursor', 'gap'],
        properties: {
          messages: { type: 'array', items: ref('Message') },
          cursor: text('Hand it back as `after`'),
          gap: { type: 'boolean', description: 'True when messages after `after` are gone' },
        },
      },
      ErrorCode: { type: 'string', enum: Object.keys(ERRORS) },
      Problem: {
        type: 'object',
        required: ['type', 'title', 'status', 'code', 'detail'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          code: ref('ErrorCode'),
          detail: text('What is wrong, and where'),
        },
      },
    },
  },
};
