import { ERRORS } from '../errors.ts';
import { MAX_TTL_SECONDS } from '../message.ts';

/** A schema by its name below. */
export const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
const text = (description: string): object => ({ type: 'string', description });

/** What the API takes and answers, as JSON Schema (2020-12, the dialect of OpenAPI 3.1). */
export const SCHEMAS = {
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
  Ticket: {
    type: 'object',
    required: ['ticket', 'expiresInSeconds'],
    properties: { ticket: { type: 'string' }, expiresInSeconds: { type: 'integer', minimum: 0, maximum: 30 } },
  },
  Disconnect: {
    type: 'object',
    required: ['subject'],
    additionalProperties: false,
    properties: {
      subject: { type: 'string', minLength: 1, maxLength: 256, description: 'The `sub` of its tokens' },
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
};
