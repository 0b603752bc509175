import { isUtf8 } from 'node:buffer';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Access } from '../auth/access.ts';
import type { Sessions } from '../auth/sessions/sessions.ts';
import { type ErrorCode, FanfareError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { answerProblem, problemOf, writeProblem } from '../problem.ts';
import { hostProblem } from '../request/host.ts';
import type { Origins } from '../request/origins.ts';
import { parseJson } from '../request/publish-request.ts';
import type { OwnNames } from '../request/rebinding.ts';
import { Authentication } from './authentication.ts';
import { consoleRoutes } from './console.ts';
import { corsHeaders, isPreflight, preflightHeaders } from './cors.ts';
import { type Disconnects, disconnectRoute } from './disconnect.ts';
import { type CatchUp, historyRoute } from './history.ts';
import { OPENAPI } from './openapi.ts';
import { PendingAnswers } from './pending-answers.ts';
import { answerProblems, type MethodsByPath, sendProblem, toFanfareError } from './problems.ts';
import { type Publisher, type PublishLimits, publishRoutes } from './publish.ts';
import { ticketRoute } from './tickets.ts';

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
  /** Who may do what. */
  readonly access: Access;
  readonly sessions: Sessions;
  readonly disconnects: Disconnects;
  readonly publisher: Publisher;
  readonly catchUp: CatchUp;
  readonly limits: PublicServerLimits;
  /** Whose pages may use the API. */
  readonly origins: Origins;
  /** By which names it may be asked; undefined: by all. */
  readonly ownNames: OwnNames | undefined;
  readonly metrics: Metrics;
  /** Folder of the console's files; undefined: no console. */
  readonly consoleFolder: string | undefined;
  /** Aborted when the node begins to drain. */
  readonly draining: AbortSignal;
  readonly logger: Logger;
}

export interface PublicServerLimits extends PublishLimits {
  /** Open sockets, streams among them; more are closed at once. */
  readonly maxSockets: number;
  /** A request's head must have come within this time. */
  readonly handshakeTimeoutSeconds: number;
}

/** Room for 100 channels of 200 characters in one address, and then some. */
const MAX_HEAD_BYTES = 32 * 1024;
/** Time for a request's body to come, once its head has. */
const BODY_TIMEOUT_MILLISECONDS = 20_000;
/** How often requests are looked at for being late. */
const LATENESS_CHECK_MILLISECONDS = 1000;
/** Longer than NGINX keeps an idle connection to a node (60 s), so that NGINX is the one who closes, never in its face. */
const KEEP_ALIVE_MILLISECONDS = 75_000;
const CONSOLE_PREFIX = '/console/';
const SSE_PATH = '/v1/sse';
const WEBSOCKET_PATH = '/v1/ws';
/** Whatever fits into a head: a channel name that is too long shall reach the check that says so. */
const MAX_PARAMETER_LENGTH = MAX_HEAD_BYTES;

/** The methods of each path; any other on it is a 405. */
const METHODS: MethodsByPath = {
  '/v1/channels/:channel/messages': 'GET, HEAD, POST',
  '/v1/messages': 'POST',
  '/v1/tickets': 'POST',
  '/v1/disconnect': 'POST',
  '/v1/openapi.json': 'GET, HEAD',
  '/v1/ws': 'GET, HEAD',
};
const CONSOLE_METHODS: MethodsByPath = { '/': 'GET, HEAD' };

/** The public port: streams on Node's own server, everything else through Fastify. */
export async function createPublicServer(
  options: PublicServerOptions,
): Promise<{ server: Server; app: FastifyInstance }> {
  const { streams, logger, limits } = options;
  const pending = new PendingAnswers();
  let server: Server | undefined;
  const app = Fastify({
    logger: false,
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    clientErrorHandler: (error, socket) => {
      // A stream that was accepted, and cannot begin with this behind it.
      if (streams.owns(socket)) pending.forget(socket);
      if (!pending.endWithWhole(socket)) writeProblem(socket, problemOf(brokenRequest(error)));
    },
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, toFanfareError(error, logger)),
    serverFactory: (handler) => {
      const http: ServerOptions = {
        maxHeaderSize: MAX_HEAD_BYTES,
        headersTimeout: limits.handshakeTimeoutSeconds * 1000,
        requestTimeout: limits.handshakeTimeoutSeconds * 1000 + BODY_TIMEOUT_MILLISECONDS,
        connectionsCheckingInterval: LATENESS_CHECK_MILLISECONDS,
        keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
        // Answered below, with a problem.
        requireHostHeader: false,
        // Node would drop the second of two Authorization fields, and whoever stands in front may have looked at that one.
        joinDuplicateHeaders: true,
        // An upgrade elsewhere is ignored (RFC 9110, section 7.8): curl and Java offer h2c with every first request.
        shouldUpgradeCallback: (request) => pathOf(request) === WEBSOCKET_PATH,
      };
      server = createServer(http, (request, response) => {
        const { socket } = request;
        const path = pathOf(request);
        const isStream = path === SSE_PATH;
        if (pending.lastOn(socket)) {
          // It will have no answer, but it is there until the socket closes, and counts.
          response.shouldKeepAlive = false;
          if (!pending.add(socket, response)) socket.destroy();
          return;
        }
        // Pipelined behind a stream, a request can have no answer; nor a stream that is asked for before an answer is out. Node
        // gives a response its socket when it is the next to be written, and a stream can be had of no other.
        const isNext = response.socket === socket && !pending.on(socket);
        if (streams.owns(socket) || (isStream && !isNext) || !pending.add(socket, response)) {
          socket.destroy();
          return;
        }
        if (answerEarly(request, response, path, options)) return;
        if (isStream) streams.sse(request, response, queryOf(request));
        else handler(request, response);
      });
      // Node would answer an Expect that it does not know with 417 by itself, beside the answers that are counted here. Nobody has
      // to (RFC 9110, section 10.1.1).
      server.on('checkExpectation', (request, response) => server?.emit('request', request, response));
      server.on('upgrade', (request: IncomingMessage, socket: Socket, rest: Buffer) => {
        if (streams.adopt(socket)) pending.forget(socket);
        else if (pending.on(socket)) socket.destroy();
        else {
          const refusal = refusalOf(request, options);
          if (refusal === undefined) return streams.webSocket(request, socket, rest, queryOf(request));
          options.metrics.connectionRefused(refusal.code);
          writeProblem(socket, problemOf(refusal), request.method);
        }
      });
      // Each long poll listens for the end of its connection, and many may be pipelined.
      server.on('connection', (socket: Socket) => socket.setMaxListeners(0));
      server.maxConnections = limits.maxSockets;
      server.on('drop', () => options.metrics.connectionRefused('full'));
      return server;
    },
  });
  routes(app, options, pending);
  await app.ready();
  if (server === undefined) throw new Error('Fastify made no server');
  return { server, app };
}

/**
 * Answers what no route need see: a bad Host, a page of an origin that may not, a preflight. True when it did. On all other
 * answers of the API it sets the header fields that let an allowed page read them.
 */
function answerEarly(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  options: PublicServerOptions,
): boolean {
  const { origins, ownNames, metrics } = options;
  const host = hostProblem(request);
  if (host !== undefined) {
    response.shouldKeepAlive = false;
    answerProblem(response, new FanfareError('invalid_request', host));
    return true;
  }
  const isConsole = path === '/' || path.startsWith(CONSOLE_PREFIX);
  const { origin } = request.headers;
  const judgement = origins.judge(request.headers);
  // Everything but the console, however its path is written: the router would read /v%31/ as /v1/.
  if (!isConsole) {
    // What publishers wrote is data, whatever it looks like.
    if (path !== SSE_PATH) response.setHeader('x-content-type-options', 'nosniff');
    for (const [name, value] of Object.entries(corsHeaders(judgement, origin))) response.setHeader(name, value);
  }
  const refusal = isConsole ? foreignName(request, ownNames) : refusalOf(request, options);
  if (refusal !== undefined) {
    if (path === SSE_PATH) metrics.connectionRefused(refusal.code);
    response.shouldKeepAlive = false;
    answerProblem(response, refusal);
    return true;
  }
  if (isConsole || !isPreflight(request)) return false;
  response.writeHead(204, preflightHeaders(judgement, origin)).end();
  return true;
}

/** Why nothing of the API may be asked in this way, whoever it is; undefined when it may. */
function refusalOf(request: IncomingMessage, { origins, ownNames }: PublicServerOptions): FanfareError | undefined {
  return (
    foreignName(request, ownNames) ?? (origins.judge(request.headers) === 'refused' ? foreignPage(request) : undefined)
  );
}

function foreignName(request: IncomingMessage, ownNames: OwnNames | undefined): FanfareError | undefined {
  // What is no Host at all is refused as such.
  if (ownNames === undefined || hostProblem(request) !== undefined) return undefined;
  const problem = ownNames.rebindingProblem(request.headers.host);
  return problem === undefined ? undefined : new FanfareError('forbidden', problem);
}

function foreignPage({ headers }: IncomingMessage): FanfareError {
  return new FanfareError(
    'forbidden',
    `pages of ${JSON.stringify(headers.origin?.slice(0, 100))} may not use this node; FANFARE_ALLOWED_ORIGINS lists those that may`,
  );
}

function routes(app: FastifyInstance, options: PublicServerOptions, pending: PendingAnswers): void {
  const { access } = options;
  answerProblems(
    app,
    options.logger,
    options.consoleFolder === undefined ? METHODS : { ...METHODS, ...CONSOLE_METHODS },
  );
  app.addHook('onSend', async (request, reply) => {
    // Requests that are pipelined behind this one are answered too.
    if (options.draining.aborted && pending.isNewest(request.raw.socket, reply.raw)) reply.raw.shouldKeepAlive = false;
  });
  readJsonAsText(app);
  const authentication = new Authentication(access);
  publishRoutes(app, options.publisher, options.limits, authentication);
  historyRoute(app, options, authentication);
  ticketRoute(app, access, authentication);
  disconnectRoute(app, options.disconnects, authentication);
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
      // Which routes need one, they say themselves.
      if (body.length === 0) return done(null, undefined);
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
