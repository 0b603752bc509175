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
  // A method that the router does not know.
  FST_ERR_NOT_FOUND: 'not_found',
  // A body that breaks off: there is nobody left to be answered.
  ECONNRESET: 'invalid_request',
};

/** The methods (as `Allow` lists them) of each path; `:name` stands for one segment. */
export type MethodsByPath = Readonly<Record<string, string>>;

/** Answers every error of the HTTP API as a problem; what nobody expected is logged, and told as `internal` only. */
export function answerProblems(app: FastifyInstance, logger: Logger, methods: MethodsByPath): void {
  const paths = Object.entries(methods).map(([path, allow]) => ({
    pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
    allow,
  }));
  app.setErrorHandler((error, _request, reply) => {
    // The body goes on being read, and dropped: on a closed socket the answer would be lost with it.
    if ((error as Partial<FastifyError>).code === 'FST_ERR_CTP_BODY_TOO_LARGE') reply.removeHeader('connection');
    return sendProblem(reply, toFanfareError(error, logger));
  });
  // Before anything is said, or read, of a body that has nowhere to go.
  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return;
    const { method } = request;
    const path = pathOf(request);
    const allow = paths.find(({ pattern }) => pattern.test(path))?.allow;
    if (allow === undefined) return sendProblem(reply, new FanfareError('not_found', `there is no ${method} ${path}`));
    const error = new FanfareError('method_not_allowed', `${method} is not allowed here; allowed are ${allow}`);
    return sendProblem(reply.header('allow', allow), error);
  });
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
  if (known === 'unsupported_media_type')
    return new FanfareError(known, 'send the body with content-type: application/json');
  if (known !== undefined) return new FanfareError(known, (error as Error).message);
  logger.error({ err: error }, 'a request failed');
  return new FanfareError('internal', 'something went wrong on this node; its log tells more');
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]?.slice(0, 100) ?? '';
}
