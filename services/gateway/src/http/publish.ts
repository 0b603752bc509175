import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../auth/principal.ts';
import { FanfareError } from '../errors.ts';
import type { NewMessage } from '../message.ts';
import { batchMessages, checkChannel, checkMessage } from '../request/publish-request.ts';
import type { Authentication } from './authentication.ts';
import { checkQuery } from './query.ts';

/** What the API needs to publish. */
export interface Publisher {
  /** Throws FanfareError `forbidden` or `unauthenticated` for whoever may not publish there. */
  check(principal: Principal, channel: string): void;
  /** Rejects with FanfareError `forbidden`, `unauthenticated`, `rate_limited`, `log_unavailable`, `log_timeout` or `not_replicated`. */
  publish(principal: Principal, message: NewMessage): Promise<{ id: string; replayed: boolean }>;
  /** Outcomes in the order of the messages; never rejects. */
  publishMany(
    principal: Principal,
    messages: readonly NewMessage[],
  ): Promise<readonly ({ id: string; replayed: boolean } | Error)[]>;
}

export interface PublishLimits {
  /** Most bytes of one message's `data`. */
  readonly maxMessageBytes: number;
}

/** What may stand around the data of one message in a request. */
const ENVELOPE_BYTES = 16 * 1024;
/** A batch may be as large as this many of the largest messages. */
const BATCH_FACTOR = 64;

/** `POST /v1/channels/{channel}/messages` and `POST /v1/messages`. */
export function publishRoutes(
  app: FastifyInstance,
  publisher: Publisher,
  limits: PublishLimits,
  authentication: Authentication,
): void {
  const { identify } = authentication;
  // Nobody's body is read in vain.
  const mayPublish = async (request: FastifyRequest): Promise<void> => {
    const { channel } = request.params as { channel: string };
    checkChannel(channel, 'the path');
    publisher.check(authentication.principalOf(request), channel);
  };
  const isKnown = async (request: FastifyRequest): Promise<void> => {
    if (authentication.principalOf(request).stranger)
      throw new FanfareError('unauthenticated', 'a token or a key is needed to publish');
  };
  app.post(
    '/v1/channels/:channel/messages',
    { onRequest: [identify, mayPublish], bodyLimit: limits.maxMessageBytes + ENVELOPE_BYTES },
    async (request: FastifyRequest<{ Params: { channel: string } }>, reply) => {
      checkQuery(request, []);
      const { channel } = request.params;
      const idempotencyKey = idempotencyKeyOf(request);
      const outside = { channel, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
      const message = checkMessage(bodyOf(request), limits, 'the body', { outside });
      const { id, replayed } = await publisher.publish(authentication.principalOf(request), message);
      if (replayed) return send(reply.header('idempotent-replayed', 'true'), 200, { id, channel });
      return send(reply, 201, { id, channel });
    },
  );

  app.post(
    '/v1/messages',
    { onRequest: [identify, isKnown], bodyLimit: limits.maxMessageBytes * BATCH_FACTOR },
    async (request, reply) => {
      checkQuery(request, []);
      if (idempotencyKeyOf(request) !== undefined)
        throw new FanfareError(
          'invalid_request',
          'a batch has an "idempotencyKey" in each message, and none in its head',
        );
      const sources = batchMessages(bodyOf(request));
      const checked = sources.map((source, i) => check(source, limits, `messages[${i}]`));
      const good = checked.filter((message): message is NewMessage => !(message instanceof FanfareError));
      const outcomes = await publisher.publishMany(authentication.principalOf(request), good);
      const [first] = outcomes;
      // When nothing at all was taken, for a reason that passes, the batch is one failed request.
      if (good.length === sources.length && first instanceof FanfareError && first.retryAfterSeconds !== undefined)
        if (outcomes.every((outcome) => outcome instanceof FanfareError && outcome.code === first.code)) throw first;
      let next = 0;
      const results = checked.map((message) => {
        if (message instanceof FanfareError) return { error: errorOf(message) };
        const outcome = outcomes[next++];
        if (outcome === undefined || outcome instanceof Error) return { error: errorOf(outcome) };
        return { id: outcome.id, channel: message.channel };
      });
      return send(reply, 200, { results });
    },
  );
}

/** The request's JSON text. */
function bodyOf(request: FastifyRequest): string {
  if (typeof request.body === 'string') return request.body;
  throw new FanfareError('invalid_json', 'the body is empty');
}

function check(source: string, limits: PublishLimits, at: string): NewMessage | FanfareError {
  try {
    return checkMessage(source, limits, at);
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
}

/** Draft RFC "The Idempotency-Key HTTP Header Field" makes it a quoted string; a bare one is taken too. */
function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const value = Array.isArray(header) ? header.join(',') : header;
  return /^"[^"\\]*"$/.test(value) ? value.slice(1, -1) : value;
}

function errorOf(error: Error | undefined): { code: string; detail: string } {
  if (error instanceof FanfareError) return { code: error.code, detail: error.message };
  return { code: 'internal', detail: 'the message could not be published' };
}

function send(reply: FastifyReply, status: number, body: object): FastifyReply {
  return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body));
}
