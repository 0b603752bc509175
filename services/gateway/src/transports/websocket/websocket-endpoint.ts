import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { endSocket } from '../../closing.ts';
import { CLOSES, FanfareError } from '../../errors.ts';
import { problemOf, writeProblem } from '../../problem.ts';
import { encodeClose, encodeText } from '../../wire/websocket/frame.ts';
import type { Admission, Refusal } from '../admission.ts';
import { readStreamQuery } from '../stream-query.ts';
import { Conversation, type ConversationContext, SUBPROTOCOL } from './conversation.ts';
import { checkHandshake, switchingProtocols } from './handshake.ts';
import { serverMessage } from './server-message.ts';

const QUERY = ['channel', 'after', 'last'];

const REFUSALS: Readonly<Record<Refusal, string>> = {
  full: 'this node has all the connections that it takes; come back after 5 to 15 seconds',
  too_many_connections:
    'your address has all the connections that it may have; close one, or come back after 5 to 15 seconds',
  draining: 'this node is leaving; come back after a second or two, and another one will take you',
  starting: 'this node has not read its log yet; come back after 5 to 15 seconds',
  log_unavailable: 'this node is cut off from the log; come back after 5 to 15 seconds',
};

export interface WebSocketEndpointOptions {
  /** Whether permessage-deflate is agreed on with those who offer it. */
  readonly compression: boolean;
}

/** `GET /v1/ws`: checks the handshake, and speaks WebSocket from there on. */
export class WebSocketEndpoint {
  readonly #context: ConversationContext;
  readonly #admission: Admission;
  readonly #compression: boolean;

  constructor(context: ConversationContext, admission: Admission, { compression }: WebSocketEndpointOptions) {
    this.#context = context;
    this.#admission = admission;
    this.#compression = compression;
  }

  /** Takes the socket of an upgrade request, and the bytes that came right behind its head. */
  handle(request: IncomingMessage, socket: Socket, rest: Buffer, query: URLSearchParams): void {
    const handshake = checkHandshake(request, { subprotocols: [SUBPROTOCOL], deflate: this.#compression });
    if (handshake.refusal !== undefined) {
      const { code, detail, headers } = handshake.refusal;
      return this.#refuse(request, socket, new FanfareError(code, detail), headers);
    }
    try {
      const { channels, start } = readStreamQuery(query, QUERY, this.#context.maxChannels);
      const head = switchingProtocols(handshake);
      const address = this.#admission.addressOf(request);
      const reason = this.#admission.refusal(address);
      if (reason !== undefined) return this.#sendAway(socket, head, reason);
      socket.setTimeout(0);
      const deflate = handshake.extensions !== undefined;
      new Conversation(socket, this.#context, { deflate, address }).start(head, rest, channels, start);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#refuse(request, socket, error);
    }
  }

  #refuse(
    request: IncomingMessage,
    socket: Socket,
    error: FanfareError,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    this.#context.metrics.connectionRefused(error.code);
    const problem = problemOf(error);
    writeProblem(socket, { ...problem, headers: { ...problem.headers, ...headers } }, request.method);
  }

  /** A browser tells a page nothing about a refused handshake, so what passes by itself is told by a close code behind an accepted one. */
  #sendAway(socket: Socket, head: string, reason: Refusal): void {
    this.#context.metrics.connectionRefused(reason);
    const why = encodeText(serverMessage.error(reason, REFUSALS[reason]));
    endSocket(socket, Buffer.concat([Buffer.from(head), why, encodeClose(CLOSES[reason].code, reason)]));
  }
}
