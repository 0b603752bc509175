import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { formatCursor } from '../../cursor.ts';
import { FanfareError } from '../../errors.ts';
import type { Plan } from '../../hub/hub.ts';
import { answerProblem } from '../../problem.ts';
import { encodeEvent, encodePreamble } from '../../wire/sse.ts';
import type { Admission, Refusal } from '../admission.ts';
import type { ConnectionContext } from '../socket-connection.ts';
import { readStreamQuery } from '../stream-query.ts';
import { SseConnection, type SseFormat } from './sse-connection.ts';

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
  // The stream has no length and no chunks: it ends with the connection (RFC 9112, section 6.3, case 8).
  Connection: 'close',
} as const;

const HEAD = `HTTP/1.1 200 OK\r\n${Object.entries(HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('')}\r\n`;

const QUERY = ['channel', 'after', 'last', 'format'];

/** Milliseconds after which a browser comes back by itself: spread, so that those who left together do not return together. */
const RETRY = { from: 2000, to: 5000 };
/** The same after a refusal that passes by itself. */
const REFUSED_RETRY = { from: 5000, to: 15_000 };

/** `GET /v1/sse`: checks the request, and turns its socket into an event stream. */
export class SseEndpoint {
  readonly #context: ConnectionContext;
  readonly #admission: Admission;
  readonly #maxChannels: number;
  /** Sockets whose request was accepted, and that are still on their way out of the HTTP server. */
  readonly #accepted = new WeakMap<Socket, { connection: SseConnection; head: string; plan: Plan }>();

  constructor(context: ConnectionContext, admission: Admission, maxChannels: number) {
    this.#context = context;
    this.#admission = admission;
    this.#maxChannels = maxChannels;
  }

  /**
   * Answers a request for a stream. A refusal is an ordinary response. An accepted request is marked as an upgrade:
   * Node then lets go of the socket by itself, together with its parser, request and response (which would cost several
   * times the rest for as long as the stream lives), and hands it to the server's `upgrade` listener, which calls `adopt`.
   */
  handle(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      const error = new FanfareError('method_not_allowed', `${method} is not allowed here; use GET`);
      return answerProblem(response, error, { allow: 'GET, HEAD' });
    }
    if (hasBody(request)) {
      const error = new FanfareError('invalid_request', 'a request for a stream has no body');
      return answerProblem(response, error, { connection: 'close' });
    }
    let format: SseFormat;
    let plan: Plan;
    try {
      ({ format, plan } = this.#read(request, query));
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#context.metrics.connectionRefused(error.code);
      return answerProblem(response, error);
    }
    if (method === 'HEAD') {
      response.writeHead(200, HEADERS).end();
      return;
    }
    const refusal = this.#admission.refusal();
    if (refusal !== undefined) return this.#sendAway(response, refusal);

    const cursor = plan.cursor === undefined ? undefined : formatCursor(plan.cursor);
    const head = HEAD + encodePreamble(between(RETRY), cursor);
    const connection = new SseConnection(request.socket, this.#context, format, plan);
    this.#accepted.set(request.socket, { connection, head, plan });
    response.detachSocket(request.socket);
    (request as { upgrade?: boolean }).upgrade = true;
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
    if (!socket.destroyed) accepted.connection.start(accepted.head, accepted.plan);
    return true;
  }

  #read(request: IncomingMessage, query: URLSearchParams): { format: SseFormat; plan: Plan } {
    const { channels, start } = readStreamQuery(query, QUERY, this.#maxChannels);
    if (channels.length === 0)
      throw new FanfareError('invalid_request', 'name at least one channel: ?channel=a&channel=b');
    const format = query.get('format') ?? 'raw';
    if (format !== 'raw' && format !== 'envelope')
      throw new FanfareError('invalid_request', '"format" is "raw" or "envelope"');
    const lastEventId = request.headers['last-event-id'];
    const resumed = typeof lastEventId === 'string' && lastEventId !== '' ? { cursor: lastEventId } : start;
    return { format: format === 'raw' ? 'sse' : 'sse-envelope', plan: this.#context.hub.plan(channels, resumed) };
  }

  /** A browser gives up for good on any status but 200, so what passes by itself is told in a stream of one event. */
  #sendAway(response: ServerResponse, reason: Refusal): void {
    this.#context.metrics.connectionRefused(reason);
    const bye = encodeEvent({ name: 'fanfare:bye', data: JSON.stringify({ reason }) });
    response.writeHead(200, HEADERS).end(`retry: ${between(REFUSED_RETRY)}\n\n${bye}`);
  }
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

function between({ from, to }: { from: number; to: number }): number {
  return from + Math.floor(Math.random() * (to - from + 1));
}
