import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, FanfareError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { problemOf } from '../problem.ts';

/** Fastify's own errors (https://fastify.dev/docs/latest/Reference/Errors/) as Fanfare's. */
const FASTIFY_ERRORS: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_BAD_URL: 'invalid_request',
};

/** Answers every error of the HTTP API as a problem; what nobody expected is logged, and told as `internal` only. */
export function answerProblems(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, toFanfareError(error, logger)));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, new FanfareError('not_found', `there is no ${request.method} ${pathOf(request)}`)),
  );
}

/** Sends an error as a problem. */
export function sendProblem(reply: FastifyReply, error: FanfareError): FastifyReply {
  const { status, headers, body } = problemOf(error);
  return reply.code(status).headers(headers).send(body);
}

/** The error that a caller may see for whatever was thrown. */
export function toFanfareError(error: unknown, logger: Logger): FanfareError {
  if (error instanceof FanfareError) return error;
  const known = FASTIFY_ERRORS[(error as Partial<FastifyError>).code ?? ''];
  if (known !== undefined) return new FanfareError(known, (error as Error).message);
  logger.error({ err: error }, 'a request failed');
  return new FanfareError('internal', 'something went wrong on this node; its log tells more');
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]?.slice(0, 100) ?? '';
}
