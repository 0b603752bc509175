import { isUtf8 } from 'node:buffer';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { type ErrorCode, FanfareError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { answerProblem, problemOf, writeProblem } from '../problem.ts';
import { parseJson } from '../publish-request.ts';
import { consoleRoutes } from './console.ts';
import { type CatchUp, historyRoute } from './history.ts';
import { OPENAPI } from './openapi.ts';
import { answerProblems, type MethodsByPath, sendProblem, toFanfareError } from './problems.ts';
import { type Publisher, type PublishLimits, publishRoutes } from './publish.ts';

/** The streams' endpoints, as the server needs them. */
export interface Streams {
  /** `/v1/sse`: may answer, or keep the socket for itself. */
  sse(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void;
  /** True for a socket that a stream has taken already. */
  owns(socket: Socket): boolean;
  /** Takes a socket that Node has let go of because `sse` kept it; false for others. */
  adopt(socket: Socket): boolean;
  /** `/v1/ws`. */
  webSocket(request: IncomingMessage, socket: Socket, rest: Buffer, query: URLSearchParams): void;
}

export interface PublicServerOptions {
  readonly streams: Streams;
  readonly publisher: Publisher;
  readonly catchUp: CatchUp;
  readonly limits: PublishLimits;
  /** Folder of the console's files; undefined: no console. */
  readonly consoleFolder: string | undefined;
  /** Aborted when the node begins to drain. */
  readonly draining: AbortSignal;
  readonly logger: Logger;
}

/** Room for 100 channels of 200 characters in one address, and then some. */
const MAX_HEAD_BYTES = 32 * 1024;
/** A request's head must have come within this time. */
const HEAD_TIMEOUT_MILLISECONDS = 10_000;
/** A whole request must have come within this time. */
const REQUEST_TIMEOUT_MILLISECONDS = 30_000;
/** Longer than NGINX keeps an idle connection to a node (60 s), so that NGINX is the one who closes, never in its face. */
const KEEP_ALIVE_MILLISECONDS = 75_000;
/** Whatever fits into a head: a channel name that is too long shall reach the check that says so. */
const MAX_PARAMETER_LENGTH = MAX_HEAD_BYTES;

/** The methods of each path; any other on it is a 405. */
const METHODS: MethodsByPath = {
  '/v1/channels/:channel/messages': 'GET, HEAD, POST',
  '/v1/messages': 'POST',
  '/v1/openapi.json': 'GET, HEAD',
  '/v1/ws': 'GET, HEAD',
};
const CONSOLE_METHODS: MethodsByPath = { '/': 'GET, HEAD' };

/** The public port: streams on Node's own server, everything else through Fastify. */
export async function createPublicServer(
  options: PublicServerOptions,
): Promise<{ server: Server; app: FastifyInstance }> {
  const { streams, logger } = options;
  let server: Server | undefined;
  const app = Fastify({
    logger: false,
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    clientErrorHandler: (error, socket) => writeProblem(socket, problemOf(brokenRequest(error))),
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, toFanfareError(error, logger)),
    serverFactory: (handler) => {
      const pending = new PendingAnswers();
      const http: ServerOptions = {
        maxHeaderSize: MAX_HEAD_BYTES,
        // Answered below, with a problem.
        requireHostHeader: false,
        // An upgrade elsewhere is ignored (RFC 9110, section 7.8): curl and Java offer h2c with every first request.
        shouldUpgradeCallback: (request) => pathOf(request) === '/v1/ws',
      };
      server = createServer(http, (request, response) => {
        const { socket } = request;
        const isStream = pathOf(request) === '/v1/sse';
        // Pipelined behind a stream, a request can have no answer; nor a stream that is asked for before an answer is out.
        if (streams.owns(socket) || (isStream && pending.on(socket))) {
          socket.destroy();
          return;
        }
        pending.add(socket, response);
        if (request.headers.host === undefined && request.httpVersion === '1.1')
          answerProblem(response, new FanfareError('invalid_request', 'the Host header is missing'), {
            connection: 'close',
          });
        else if (isStream) streams.sse(request, response, queryOf(request));
        else handler(request, response);
      });
      server.on('upgrade', (request: IncomingMessage, socket: Socket, rest: Buffer) => {
        if (streams.adopt(socket)) return;
        if (pending.on(socket)) socket.destroy();
        else streams.webSocket(request, socket, rest, queryOf(request));
      });
      return server;
    },
  });
  routes(app, options);
  await app.ready();
  if (server === undefined) throw new Error('Fastify made no server');
  server.headersTimeout = HEAD_TIMEOUT_MILLISECONDS;
  server.requestTimeout = REQUEST_TIMEOUT_MILLISECONDS;
  server.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS;
  return { server, app };
}

function routes(app: FastifyInstance, options: PublicServerOptions): void {
  answerProblems(
    app,
    options.logger,
    options.consoleFolder === undefined ? METHODS : { ...METHODS, ...CONSOLE_METHODS },
  );
  app.addHook('onSend', async (_request, reply) => {
    if (options.draining.aborted) reply.header('connection', 'close');
  });
  readJsonAsText(app);
  publishRoutes(app, options.publisher, options.limits);
  historyRoute(app, options.catchUp, options.draining);
  app.get('/v1/openapi.json', (_request, reply) => reply.send(OPENAPI));
  app.get('/v1/ws', (_request, reply) =>
    sendProblem(
      reply.headers({ upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13' }),
      new FanfareError('upgrade_required', 'open this address as a WebSocket'),
    ),
  );
  if (options.consoleFolder !== undefined) consoleRoutes(app, options.consoleFolder);
}

/** JSON bodies arrive as checked source text: what publishers wrote is carried on as it is. */
function readJsonAsText(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      if (!isUtf8(body as Buffer)) throw new FanfareError('invalid_json', 'the body is not UTF-8');
      const text = body.toString();
      parseJson(text);
      done(null, text);
    } catch (error) {
      done(error as Error);
    }
  });
}

/** Bytes that are no request, or one that came too slowly. */
function brokenRequest(error: NodeJS.ErrnoException): FanfareError {
  const codes: Readonly<Record<string, ErrorCode>> = {
    HPE_HEADER_OVERFLOW: 'headers_too_large',
    ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  };
  return new FanfareError(
    codes[error.code ?? ''] ?? 'invalid_request',
    `not a valid HTTP request (${error.code ?? 'unknown'})`,
  );
}

/** The path of a request's target, whose form may also be absolute (RFC 9112, section 3.2.2). */
function pathOf(request: IncomingMessage): string {
  const url = (request.url ?? '').replace(/^https?:\/\/[^/?]*/i, '');
  return url.split('?', 1)[0] ?? '';
}

function queryOf(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
}

/** Which sockets still owe an answer to an earlier request. */
class PendingAnswers {
  readonly #counts = new WeakMap<Socket, number>();

  on(socket: Socket): boolean {
    return (this.#counts.get(socket) ?? 0) > 0;
  }

  add(socket: Socket, response: ServerResponse): void {
    this.#counts.set(socket, (this.#counts.get(socket) ?? 0) + 1);
    response.once('close', () => this.#counts.set(socket, (this.#counts.get(socket) ?? 1) - 1));
  }
}
