import type { Socket } from 'node:net';
import { formatCursor } from '../../cursor.ts';
import { type CloseReason, FanfareError } from '../../errors.ts';
import type { Batch } from '../../hub/batch.ts';
import type { Hub, Start } from '../../hub/hub.ts';
import type { Subscription } from '../../hub/subscription.ts';
import type { GapReason, NewMessage } from '../../message.ts';
import { EMPTY_PING, encodeText } from '../../wire/websocket/frame.ts';
import { type ClientMessage, ClientMessageError, readClientMessage } from './client-message.ts';
import { serverMessage } from './server-message.ts';
import { WebSocketConnection, type WebSocketContext, type WebSocketOptions } from './websocket-connection.ts';

/** What all conversations of a node share. */
export interface ConversationContext extends WebSocketContext {
  readonly hub: Hub;
  readonly nodeName: string;
  readonly heartbeatSeconds: number;
  readonly maxChannels: number;
  /** Most bytes of one message's `data`. */
  readonly maxMessageBytes: number;
  publish(message: NewMessage): Promise<{ id: string }>;
}

/** The subprotocol (RFC 6455, 1.9) that is spoken here, with those who ask for one and with those who do not. */
export const SUBPROTOCOL = 'fanfare.v1';

/** Publishes of one connection that may be on their way to the log; past it the client is read no further. */
const MAX_PUBLISHES_IN_FLIGHT = 64;

/** A WebSocket that speaks Fanfare's JSON messages (PROTOCOL.md). */
export class Conversation extends WebSocketConnection {
  declare readonly context: ConversationContext;
  readonly #format: 'websocket' | 'websocket-deflate';
  #subscriptions: Map<string, Subscription> | null = null;
  #publishesInFlight = 0;

  constructor(socket: Socket, context: ConversationContext, options: WebSocketOptions) {
    super(socket, context, options);
    this.#format = options.deflate ? 'websocket-deflate' : 'websocket';
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

  deliver(batch: Batch): number {
    const bytes = batch.bytes(this.#format);
    this.send(bytes);
    return bytes.length;
  }

  gap(channel: string, after: string, reason: GapReason): void {
    this.writeText(serverMessage.gap(channel, after, reason));
  }

  caughtUp(channels: readonly string[]): void {
    for (const channel of channels) {
      const subscription = this.#subscriptions?.get(channel);
      if (subscription === undefined) continue;
      this.writeText(serverMessage.caughtUp(channel, this.context.hub.position(subscription.partition)));
    }
  }

  override beat(): void {
    const cursor = this.#liveCursor();
    this.writeBeat(
      cursor === undefined ? EMPTY_PING : Buffer.concat([encodeText(serverMessage.cursor(cursor)), EMPTY_PING]),
    );
  }

  override close(reason: CloseReason): void {
    // One that is only moved elsewhere has everything that was handed over, and is told so.
    const cursor = reason === 'draining' || reason === 'max_age' ? this.#liveCursor() : undefined;
    if (cursor !== undefined) this.writeText(serverMessage.cursor(cursor));
    super.close(reason);
  }

  protected leaveAll(): void {
    for (const subscription of this.#subscriptions?.values() ?? []) this.context.hub.leave(subscription);
    this.#subscriptions = null;
  }

  protected textReceived(payload: string): void {
    if (this.closed) return;
    try {
      this.#obey(readClientMessage(payload, this.context));
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#refuse(error, error instanceof ClientMessageError ? error.ref : undefined);
    }
  }

  protected binaryReceived(): void {
    this.close('unsupported_data');
  }

  #obey(message: ClientMessage): void {
    switch (message.type) {
      case 'ping':
        return this.sendText(serverMessage.pong(message.ref));
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
    this.sendText(serverMessage.unsubscribed(channel, ref));
  }

  #follow(channels: readonly string[], start: Start, ref?: string): void {
    const { hub } = this.context;
    const plan = hub.plan(channels, start);
    const subscriptions = hub.subscribe(this, plan);
    this.#subscriptions ??= new Map();
    for (const subscription of subscriptions)
      for (const channel of subscription.channels) this.#subscriptions.set(channel, subscription);
    this.socket.cork();
    for (const { partition, channels: names } of subscriptions)
      for (const channel of names) this.sendText(serverMessage.subscribed(channel, plan.cursor?.get(partition), ref));
    this.socket.uncork();
    hub.start(plan, subscriptions);
  }

  async #publish(message: NewMessage, ref: string | undefined): Promise<void> {
    if (++this.#publishesInFlight === MAX_PUBLISHES_IN_FLIGHT) this.hold();
    try {
      const { id } = await this.context.publish(message);
      this.sendText(serverMessage.published(id, ref));
    } catch (error) {
      if (!(error instanceof FanfareError)) this.context.logger.error({ err: error }, 'publish failed');
      this.#refuse(error instanceof FanfareError ? error : new FanfareError('internal', 'the publish failed'), ref);
    } finally {
      if (this.#publishesInFlight-- === MAX_PUBLISHES_IN_FLIGHT) this.listen();
    }
  }

  #refuse(error: FanfareError, ref: string | undefined): void {
    this.sendText(serverMessage.error(error.code, error.message, ref));
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
