import type { Socket } from 'node:net';
import { formatCursor } from '../../cursor.ts';
import { CLOSES, type CloseReason, FanfareError } from '../../errors.ts';
import type { Plan, Start } from '../../hub/hub.ts';
import type { Subscription } from '../../hub/subscription.ts';
import type { GapReason, NewMessage } from '../../message.ts';
import { EMPTY_PING, encodeClose, encodePong, encodeText } from '../../wire/websocket/frame.ts';
import { Receiver, type ReceiverHandler, type ReceiverProblem } from '../../wire/websocket/receiver.ts';
import { type ConnectionContext, SocketConnection } from '../socket-connection.ts';
import { type ClientMessage, ClientMessageError, readClientMessage } from './client-message.ts';
import { serverMessage } from './server-message.ts';

/** What all WebSocket connections of a node share. */
export interface WebSocketContext extends ConnectionContext {
  readonly nodeName: string;
  readonly heartbeatSeconds: number;
  readonly maxChannels: number;
  readonly maxMessageBytes: number;
  publish(message: NewMessage): Promise<{ id: string }>;
}

/** A client's text may hold a whole message, and what stands around its data. */
const ENVELOPE_BYTES = 4096;
/** Publishes of one connection that may be on their way to the log; past it the client is read no further. */
const MAX_PUBLISHES_IN_FLIGHT = 64;

/** One WebSocket (RFC 6455) that speaks Fanfare's JSON messages. */
export class WebSocketConnection extends SocketConnection implements ReceiverHandler {
  declare readonly context: WebSocketContext;
  readonly transport = 'websocket';
  readonly delivery = 'websocket';
  readonly #receiver: Receiver;
  #subscriptions: Map<string, Subscription> | null = null;
  #heardSincePing = true;
  #publishesInFlight = 0;

  constructor(socket: Socket, context: WebSocketContext) {
    super(socket, context);
    this.#receiver = new Receiver({ maxMessageBytes: context.maxMessageBytes + ENVELOPE_BYTES, handler: this });
  }

  /** Answers the handshake with `head`, welcomes the client, follows what its URL named, and reads the bytes that came with the request. */
  start(head: string, rest: Buffer, channels: readonly string[], start: Start): void {
    const { nodeName, heartbeatSeconds } = this.context;
    this.open(Buffer.concat([Buffer.from(head), encodeText(serverMessage.welcome(nodeName, heartbeatSeconds))]));
    this.guard(() => {
      if (channels.length > 0) this.#follow(channels, start);
      if (rest.length > 0) this.received(rest);
    });
  }

  sendMessages(): number {
    throw new Error('a WebSocket takes shared bytes');
  }

  gap(channel: string, after: string, reason: GapReason): void {
    this.#write(serverMessage.gap(channel, after, reason));
  }

  caughtUp(channels: readonly string[]): void {
    for (const channel of channels) {
      const subscription = this.#subscriptions?.get(channel);
      if (subscription === undefined) continue;
      this.#write(serverMessage.caughtUp(channel, this.context.hub.position(subscription.partition)));
    }
  }

  beat(): void {
    const cursor = this.#liveCursor();
    this.socket.cork();
    if (cursor !== undefined) this.#tell(serverMessage.cursor(cursor));
    this.#heardSincePing = false;
    this.send(EMPTY_PING);
    this.socket.uncork();
    this.markProgress();
    this.context.metrics.heartbeatsSent(this.transport, 1);
  }

  override check(): void {
    super.check();
    // A socket that we do not read (see #publish) cannot bring a pong.
    if (this.closed || this.#heardSincePing || this.socket.isPaused()) return;
    this.context.metrics.heartbeatFailed(this.transport, 'missed_pong');
    this.close('missed_pong');
  }

  close(reason: CloseReason): void {
    this.#closeWith(CLOSES[reason].code, reason);
  }

  protected leaveAll(): void {
    for (const subscription of this.#subscriptions?.values() ?? []) this.context.hub.leave(subscription);
    this.#subscriptions = null;
  }

  protected received(chunk: Buffer): void {
    this.#heardSincePing = true;
    this.#receiver.push(chunk);
  }

  protected override abandon(reason: string): void {
    this.#receiver.stop();
    super.abandon(reason);
  }

  protected peerEnded(): void {
    this.abandon('client_gone');
  }

  // What the receiver tells.

  text(payload: string): void {
    if (this.closed) return;
    try {
      this.#obey(readClientMessage(payload, this.context));
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#fail(error, error instanceof ClientMessageError ? error.ref : undefined);
    }
  }

  binary(): void {
    this.close('unsupported_data');
  }

  ping(payload: Buffer): void {
    this.send(encodePong(payload));
  }

  pong(): void {}

  closeReceived(code: number): void {
    if (this.closed) this.socket.end();
    else this.finish('client_closed', encodeClose(code), true);
  }

  failed(problem: ReceiverProblem): void {
    const reasons = { 1002: 'protocol_error', 1007: 'invalid_utf8', 1009: 'too_large' } as const;
    this.finish(reasons[problem.code], encodeClose(problem.code, problem.detail), true);
  }

  #obey(message: ClientMessage): void {
    switch (message.type) {
      case 'ping':
        return this.#tell(serverMessage.pong(message.ref));
      case 'subscribe':
        return this.#subscribe(message.channel, message.start, message.ref);
      case 'unsubscribe':
        return this.#unsubscribe(message.channel, message.ref);
      case 'publish':
        void this.#publish(message.message, message.ref);
    }
  }

  #subscribe(channel: string, start: Start, ref: string | undefined): void {
    if (this.#subscriptions?.has(channel))
      throw new ClientMessageError(new FanfareError('invalid_request', `${channel} is subscribed already`), ref);
    const { maxChannels } = this.context;
    if ((this.#subscriptions?.size ?? 0) >= maxChannels)
      throw new ClientMessageError(new FanfareError('too_many_channels', `the limit is ${maxChannels}`), ref);
    this.#follow([channel], start, ref);
  }

  #unsubscribe(channel: string, ref: string | undefined): void {
    const subscription = this.#subscriptions?.get(channel);
    if (subscription === undefined)
      throw new ClientMessageError(new FanfareError('invalid_request', `${channel} is not subscribed`), ref);
    this.#subscriptions?.delete(channel);
    this.context.hub.drop(subscription, channel);
    this.#tell(serverMessage.unsubscribed(channel, ref));
  }

  #follow(channels: readonly string[], start: Start, ref?: string): void {
    const { hub } = this.context;
    const plan: Plan = hub.plan(channels, start);
    const subscriptions = hub.subscribe(this, plan);
    this.#subscriptions ??= new Map();
    for (const subscription of subscriptions)
      for (const channel of subscription.channels) this.#subscriptions.set(channel, subscription);
    this.socket.cork();
    for (const { partition, channels: names } of subscriptions)
      for (const channel of names) this.#tell(serverMessage.subscribed(channel, plan.cursor?.get(partition), ref));
    this.socket.uncork();
    hub.start(plan, subscriptions);
  }

  async #publish(message: NewMessage, ref: string | undefined): Promise<void> {
    if (++this.#publishesInFlight === MAX_PUBLISHES_IN_FLIGHT) this.socket.pause();
    try {
      const { id } = await this.context.publish(message);
      this.#tell(serverMessage.published(id, ref));
    } catch (error) {
      if (!(error instanceof FanfareError)) this.context.logger.error({ err: error }, 'publish failed');
      this.#fail(error instanceof FanfareError ? error : new FanfareError('internal', 'the publish failed'), ref);
    } finally {
      if (this.#publishesInFlight-- === MAX_PUBLISHES_IN_FLIGHT) {
        this.#heardSincePing = true;
        this.socket.resume();
      }
    }
  }

  #fail(error: FanfareError, ref: string | undefined): void {
    this.#tell(serverMessage.error(error.code, error.message, ref));
  }

  #tell(text: string): void {
    this.send(encodeText(text));
  }

  /** Like `#tell`, for what comes once and not at the client's bidding: however much waits, it is not the client's fault. */
  #write(text: string): void {
    if (!this.closed) this.socket.write(encodeText(text));
  }

  #closeWith(code: number, reason: string): void {
    this.finish(reason, encodeClose(code, reason), false);
  }

  /** Where a client stands that has everything up to where this node has come; undefined while something is replayed. */
  #liveCursor(): string | undefined {
    if (this.#subscriptions === null || this.#subscriptions.size === 0) return undefined;
    const places = new Map<number, string>();
    for (const { state, partition } of this.#subscriptions.values()) {
      if (state !== 'live') return undefined;
      places.set(partition, this.context.hub.position(partition));
    }
    return formatCursor(places);
  }
}
