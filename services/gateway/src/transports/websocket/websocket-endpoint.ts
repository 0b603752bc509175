import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { FanfareError } from '../../errors.ts';
import { problemOf, writeProblem } from '../../problem.ts';
import type { Admission, Refusal } from '../admission.ts';
import { readStreamQuery } from '../stream-query.ts';
import { checkHandshake, switchingProtocols } from './handshake.ts';
import { WebSocketConnection, type WebSocketContext } from './websocket-connection.ts';

const QUERY = ['channel', 'after', 'last'];

const REFUSALS: Readonly<Record<Refusal, string>> = {
  full: 'this node has all the connections that it takes; come back after a random delay',
  draining: 'this node is leaving; come back, and another one will take you',
  starting: 'this node has not read its log yet; come back soon',
  log_unavailable: 'this node is cut off from the log; come back soon',
};

/** `GET /v1/ws`: checks the handshake, and speaks WebSocket from there on. */
export class WebSocketEndpoint {
  readonly #context: WebSocketContext;
  readonly #admission: Admission;

  constructor(context: WebSocketContext, admission: Admission) {
    this.#context = context;
    this.#admission = admission;
  }

  /** Takes the socket of an upgrade request, and the bytes that came right behind its head. */
  handle(request: IncomingMessage, socket: Socket, rest: Buffer, query: URLSearchParams): void {
    const handshake = checkHandshake(request);
    if (handshake.refusal !== undefined) {
      const { code, detail, headers } = handshake.refusal;
      return this.#refuse(socket, new FanfareError(code, detail), headers);
    }
    if (!isSameOrigin(request))
      return this.#refuse(
        socket,
        new FanfareError('forbidden', 'this WebSocket may be opened by pages of its own origin'),
      );
    const reason = this.#admission.refusal();
    if (reason !== undefined) return this.#refuse(socket, new FanfareError(reason, REFUSALS[reason]));
    try {
      const { channels, start } = readStreamQuery(query, QUERY, this.#context.maxChannels);
      socket.setTimeout(0);
      const connection = new WebSocketConnection(socket, this.#context);
      connection.start(switchingProtocols(handshake.accept), rest, channels, start);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#refuse(socket, error);
    }
  }

  #refuse(socket: Socket, error: FanfareError, headers: Readonly<Record<string, string>> = {}): void {
    this.#context.metrics.connectionRefused(error.code);
    const problem = problemOf(error);
    writeProblem(socket, { ...problem, headers: { ...problem.headers, ...headers } });
  }
}

/**
 * True for a page of the origin that it connects to, and for clients that are no pages (RFC 6455, section 10.2). Browsers
 * let any page open a WebSocket to anywhere, also to this machine's loopback; it is the server who must refuse.
 */
function isSameOrigin({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers;
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}
