import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Access, Identity } from '../../auth/access.ts';
import { refuseTokenInUrl } from '../../auth/credentials.ts';
import { formatCursor } from '../../cursor.ts';
import { FanfareError } from '../../errors.ts';
import type { Plan, Start } from '../../hub/hub.ts';
import { answerProblem } from '../../problem.ts';
import { acceptsEncoding, acceptsType } from '../../request/content-negotiation.ts';
import { encodeEvent, encodePreamble } from '../../wire/sse.ts';
import type { Admission, Refusal } from '../admission.ts';
import { identify } from '../identify.ts';
import { readStreamQuery } from '../stream-query.ts';
import { SseConnection, type SseContext, type SseOptions } from './sse-connection.ts';

const TYPE = 'text/event-stream';

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': `${TYPE}; charset=utf-8`,
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  // The stream has no length and no chunks: it ends with the connection (RFC 9112, section 6.3, case 8).
  Connection: 'close',
};

const QUERY = ['channel', 'after', 'last', 'format', 'ticket'];

const NOTHING = Buffer.alloc(0);

/** Milliseconds after which a browser comes back by itself: spread, so that those who left together do not return together. */
const RETRY = { from: 2000, to: 5000 };
/** The same after a refusal that passes by itself. */
const REFUSED_RETRY = { from: 5000, to: 15_000 };

/** What a request asks for. */
interface Wish {
  readonly format: SseOptions['format'];
  readonly channels: readonly string[];
  readonly start: Start;
  readonly ticket: string | undefined;
}

/** An accepted request, and all that its stream begins with. */
interface Accepted {
  readonly connection: SseConnection;
  readonly head: string;
  readonly preamble: string;
  readonly plan: Plan;
}

export interface SseEndpointOptions {
  readonly maxChannels: number;
  /** Whether streams are compressed for those who ask for it. */
  readonly compression: boolean;
  readonly access: Access;
}

/** `GET /v1/sse`: checks the request, and turns its socket into an event stream. */
export class SseEndpoint {
  readonly #context: SseContext;
  readonly #admission: Admission;
  readonly #options: SseEndpointOptions;
  /** Sockets whose request was accepted, and that are still on their way out of the HTTP server. */
  readonly #accepted = new WeakMap<Socket, Accepted>();

  constructor(context: SseContext, admission: Admission, options: SseEndpointOptions) {
    this.#context = context;
    this.#admission = admission;
    this.#options = options;
  }

  /**
   * Answers a request for a stream. A refusal is an ordinary response. An accepted request is marked as an upgrade:
   * Node then lets go of the socket by itself, together with its parser, request and response (which would cost several
   * times the rest for as long as the stream lives), and hands it to the server's `upgrade` listener, which calls `adopt`.
   * Headers that were set on the response before go into the stream's head.
   */
  handle(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      const error = new FanfareError('method_not_allowed', `${method} is not allowed here; use GET`);
      return answerProblem(response, error, { allow: 'GET, HEAD' });
    }
    if (hasBody(request)) {
      const error = new FanfareError('invalid_request', 'a request for a stream has no body');
      response.shouldKeepAlive = false;
      return answerProblem(response, error);
    }
    const address = this.#admission.addressOf(request);
    let wish: Wish;
    let identity: Identity | Promise<Identity>;
    try {
      if (!acceptsType(request.headers.accept, TYPE))
        throw new FanfareError('not_acceptable', `the Accept header excludes ${TYPE}, which is all there is here`);
      wish = this.#read(request, query);
      if (this.#options.compression) response.appendHeader('Vary', 'Accept-Encoding');
      const refusal = this.#admission.refusal(address);
      // Whoever comes with a ticket is sent away with what he needs to come back when it is too old to be redeemed.
      if (refusal !== undefined && wish.ticket === undefined && method === 'GET')
        return this.#sendAway(response, refusal);
      identity = identify(this.#options.access, request, wish.ticket);
    } catch (error) {
      return this.#refuse(response, error);
    }
    if (!(identity instanceof Promise)) return this.#answer(request, response, wish, identity, address);
    // What is pipelined behind it is not carried out: it may have no answer.
    response.shouldKeepAlive = false;
    identity
      .then((known) => {
        if (request.socket.destroyed) return;
        this.#answer(request, response, wish, known, address);
        this.#letGo(request.socket);
      })
      .catch((error: unknown) => {
        if (this.#accepted.delete(request.socket)) request.socket.destroy();
        else this.#refuse(response, error);
      });
  }

  /** Opens the stream, if whoever asks may have it and there is room. */
  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    { format, channels, start }: Wish,
    { principal, cookies }: Identity,
    address: string | undefined,
  ): void {
    if (cookies.length > 0) response.setHeader('Set-Cookie', cookies);
    try {
      principal.checkSubscribe(channels);
    } catch (error) {
      return this.#refuse(response, error);
    }
    const plan = this.#context.hub.plan(channels, start);
    // What several partitions bring is written with a cursor of the connection's own: nothing compressed could be shared.
    const gzip = this.#gzips(request) && plan.parts.length === 1;
    if (gzip) response.setHeader('Content-Encoding', 'gzip');
    if (request.method === 'HEAD') {
      response.shouldKeepAlive = false;
      response.writeHead(200, HEADERS).end();
      return;
    }
    const refusal = this.#admission.refusal(address);
    if (refusal !== undefined) return this.#sendAway(response, refusal);
    if (this.#context.sessions.isFull(principal)) return this.#sendAway(response, 'too_many_connections');

    const connection = new SseConnection(request.socket, this.#context, { format, gzip, address, principal });
    const cursor = plan.cursor === undefined ? undefined : formatCursor(plan.cursor);
    const preamble = encodePreamble(between(RETRY), cursor);
    this.#accepted.set(request.socket, { connection, head: headOf(response), preamble, plan });
    response.detachSocket(request.socket);
    (request as { upgrade?: boolean }).upgrade = true;
  }

  /**
   * Node looks at the mark after it has parsed what came. A request that was accepted later than that needs another look, and nothing is
   * what comes for it.
   */
  #letGo(socket: Socket): void {
    if (!this.#accepted.has(socket)) return;
    socket.emit('data', NOTHING);
    // More came behind the request meanwhile, which can have no answer.
    if (this.#accepted.delete(socket)) socket.destroy();
  }

  /** True for a socket that belongs to an accepted stream already: a request pipelined behind it has no answer. */
  owns(socket: Socket): boolean {
    return this.#accepted.has(socket);
  }

  /** Starts the stream of a request that `handle` accepted. False for any other socket. */
  adopt(socket: Socket): boolean {
    const accepted = this.#accepted.get(socket);
    if (accepted === undefined) return false;
    this.#accepted.delete(socket);
    socket.setTimeout(0);
    if (!socket.destroyed) accepted.connection.start(accepted.head, accepted.preamble, accepted.plan);
    return true;
  }

  #gzips({ headers }: IncomingMessage): boolean {
    return this.#options.compression && acceptsEncoding(headers['accept-encoding'], 'gzip');
  }

  #read(request: IncomingMessage, query: URLSearchParams): Wish {
    refuseTokenInUrl(query);
    const { channels, start } = readStreamQuery(query, QUERY, this.#options.maxChannels);
    if (channels.length === 0)
      throw new FanfareError('invalid_request', 'name at least one channel: ?channel=a&channel=b');
    const format = query.get('format') ?? 'raw';
    if (format !== 'raw' && format !== 'envelope')
      throw new FanfareError('invalid_request', '"format" is "raw" or "envelope"');
    const lastEventId = request.headers['last-event-id'];
    const resumed = typeof lastEventId === 'string' && lastEventId !== '' ? { cursor: lastEventId } : start;
    return {
      format: format === 'raw' ? 'sse' : 'sse-envelope',
      channels,
      start: resumed,
      ticket: query.get('ticket') ?? undefined,
    };
  }

  /** What passes by itself is told in a stream, what does not in an error. */
  #refuse(response: ServerResponse, error: unknown): void {
    const told =
      error instanceof FanfareError ? error : new FanfareError('internal', 'something went wrong on this node');
    if (told !== error) this.#context.logger.error({ err: error }, 'a stream could not be opened');
    const { code } = told;
    if (code === 'auth_unavailable' || code === 'log_unavailable' || code === 'starting')
      return this.#sendAway(response, code);
    this.#context.metrics.connectionRefused(code);
    answerProblem(response, told);
  }

  /** A browser gives up for good on any status but 200, so what passes by itself is told in a stream of one event. */
  #sendAway(response: ServerResponse, reason: Refusal): void {
    this.#context.metrics.connectionRefused(reason);
    response.removeHeader('Content-Encoding');
    response.shouldKeepAlive = false;
    const bye = encodeEvent({ name: 'fanfare:bye', data: JSON.stringify({ reason }) });
    const body = `retry: ${between(REFUSED_RETRY)}\n\n${bye}`;
    response.writeHead(200, { ...HEADERS, 'Content-Length': Buffer.byteLength(body) }).end(body);
  }
}

/** The head of an accepted stream. The HTTP version is the server's own, whatever the client's (RFC 9110, section 2.5). */
function headOf(response: ServerResponse): string {
  let head = 'HTTP/1.1 200 OK\r\n';
  for (const [name, value] of Object.entries({ ...HEADERS, ...response.getHeaders() }))
    for (const line of name === 'set-cookie' && Array.isArray(value) ? value : [value])
      head += `${name}: ${Array.isArray(line) ? line.join(', ') : line}\r\n`;
  return `${head}Date: ${new Date().toUTCString()}\r\n\r\n`;
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

function between({ from, to }: { from: number; to: number }): number {
  return from + Math.floor(Math.random() * (to - from + 1));
}
