import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Identity } from '../../auth/access.ts';
import { refuseTokenInUrl } from '../../auth/credentials.ts';
import { endSocket } from '../../closing.ts';
import { CLOSES, type CloseReason, type ErrorCode, FanfareError } from '../../errors.ts';
import type { Start } from '../../hub/hub.ts';
import { problemOf, writeProblem } from '../../problem.ts';
import { encodeClose, encodeText } from '../../wire/websocket/frame.ts';
import type { Admission, Refusal } from '../admission.ts';
import { identify } from '../identify.ts';
import { readStreamQuery } from '../stream-query.ts';
import { Conversation, type ConversationContext, SUBPROTOCOL } from './conversation.ts';
import { checkHandshake, type Handshake, switchingProtocols } from './handshake.ts';
import { serverMessage } from './server-message.ts';

const QUERY = ['channel', 'after', 'last', 'ticket'];

const REFUSALS: Readonly<Record<Refusal, string>> = {
  full: 'this node has all the connections that it takes; come back after 5 to 15 seconds',
  too_many_connections:
    'your address has all the connections that it may have; close one, or come back after 5 to 15 seconds',
  draining: 'this node is leaving; come back after a second or two, and another one will take you',
  starting: 'this node has not read its log yet; come back after 5 to 15 seconds',
  log_unavailable: 'this node is cut off from the log; come back after 5 to 15 seconds',
  auth_unavailable: 'tokens cannot be checked now; come back after 5 to 15 seconds',
};

const TOO_MANY_OF_SUBJECT =
  'this subject has all the connections that it may have; close one, or come back after 5 to 15 seconds';

/** What is told by a close code where a page could not read the status. */
const CLOSE_REASONS: Readonly<Partial<Record<ErrorCode, ErrorCode & CloseReason>>> = {
  unauthenticated: 'unauthenticated',
  forbidden: 'forbidden',
  auth_unavailable: 'auth_unavailable',
  log_unavailable: 'log_unavailable',
  starting: 'starting',
};

/** What a request asks for. */
interface Wish {
  readonly channels: readonly string[];
  readonly start: Start;
  readonly handshake: Handshake;
  /** Bytes that came right behind its head. */
  readonly rest: Buffer;
}

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
      refuseTokenInUrl(query);
      const wish = { ...readStreamQuery(query, QUERY, this.#context.maxChannels), handshake, rest };
      const address = this.#admission.addressOf(request);
      const ticket = query.get('ticket') ?? undefined;
      const reason = this.#admission.refusal(address);
      // Whoever comes with a ticket is sent away with what he needs to come back when it is too old to be redeemed.
      if (reason !== undefined && ticket === undefined)
        return this.#sendAway(socket, switchingProtocols(handshake), reason, REFUSALS[reason]);
      const identity = identify(this.#context.access, request, ticket);
      if (identity instanceof Promise) this.#wait(request, socket, wish, identity, address);
      else this.#open(socket, wish, identity, address);
    } catch (error) {
      this.#turnAway(request, socket, handshake, error);
    }
  }

  /** Until it is known who asks, the socket is left alone; what the client sends meanwhile stays in it. */
  #wait(
    request: IncomingMessage,
    socket: Socket,
    wish: Wish,
    identity: Promise<Identity>,
    address: string | undefined,
  ): void {
    const destroy = (): void => void socket.destroy();
    // That its client has left is told once, also while nobody reads the socket.
    for (const event of ['error', 'end']) socket.on(event, destroy);
    const known = (): void => {
      for (const event of ['error', 'end']) socket.off(event, destroy);
    };
    identity
      .then((identified) => {
        known();
        if (!socket.destroyed) this.#open(socket, wish, identified, address);
      })
      .catch((error: unknown) => {
        known();
        this.#turnAway(request, socket, wish.handshake, error);
      });
  }

  #open(
    socket: Socket,
    { channels, start, handshake, rest }: Wish,
    { principal, cookies }: Identity,
    address: string | undefined,
  ): void {
    const head = switchingProtocols(handshake, cookies);
    const reason = this.#admission.refusal(address);
    if (reason !== undefined) return this.#sendAway(socket, head, reason, REFUSALS[reason]);
    if (this.#context.sessions.isFull(principal))
      return this.#sendAway(socket, head, 'too_many_connections', TOO_MANY_OF_SUBJECT);
    // A stranger may say later who he is.
    if (!principal.stranger) principal.checkSubscribe(channels);
    socket.setTimeout(0);
    const deflate = handshake.extensions !== undefined;
    const options = { deflate, address, principal };
    new Conversation(socket, this.#context, options).start(head, rest, channels, start);
  }

  /**
   * A client that sets header fields can read an answer. A browser tells a page nothing about a refused handshake: what it sent by itself (a
   * cookie, the URL it was given) is refused by a close code behind an accepted one.
   */
  #turnAway(request: IncomingMessage, socket: Socket, handshake: Handshake, error: unknown): void {
    const told =
      error instanceof FanfareError ? error : new FanfareError('internal', 'something went wrong on this node');
    if (told !== error) this.#context.logger.error({ err: error }, 'a WebSocket could not be opened');
    const reason = CLOSE_REASONS[told.code];
    if (reason === undefined || request.headers.authorization !== undefined) return this.#refuse(request, socket, told);
    this.#sendAway(socket, switchingProtocols(handshake), reason, told.message);
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

  /** Says why behind an accepted handshake. */
  #sendAway(socket: Socket, head: string, reason: ErrorCode & CloseReason, detail: string): void {
    this.#context.metrics.connectionRefused(reason);
    const why = encodeText(serverMessage.error(reason, detail));
    endSocket(socket, Buffer.concat([Buffer.from(head), why, encodeClose(CLOSES[reason].code, reason)]));
  }
}
