import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { FanfareError } from '../../errors.ts';
import { problemOf, writeProblem } from '../../problem.ts';
import type { Admission } from '../admission.ts';
import { readStreamQuery } from '../stream-query.ts';
import { checkHandshake, switchingProtocols } from './handshake.ts';
import { WebSocketConnection, type WebSocketContext } from './websocket-connection.ts';

const QUERY = ['channel', 'after', 'last'];

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
    const reason = this.#admission.refusal();
    if (reason !== undefined) return this.#refuse(socket, new FanfareError(reason, 'come back later'));
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
