import type { Socket } from 'node:net';
import type { Access } from '../../auth/access.ts';
import type { Principal } from '../../auth/principal.ts';
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
  readonly access: Access;
  /** Seconds in which a client must say who it is, where that is required. */
  readonly authSeconds: number;
  readonly nodeName: string;
  readonly heartbeatSeconds: number;
  readonly maxChannels: number;
  /** Most bytes of one message's `data`. */
  readonly maxMessageBytes: number;
  /** Rejects with FanfareError. */
  publish(principal: Principal, message: NewMessage): Promise<{ id: string }>;
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
  /** What the URL named, until the client has said who it is. */
  #named: { readonly channels: readonly string[]; readonly start: Start } | null = null;
  /** What came while a token is being checked, in order. */
  #unread: string[] | null = null;
  /** Of all of `#unread`, UTF-16 code units. */
  #unreadLength = 0;

  constructor(socket: Socket, context: ConversationContext, options: WebSocketOptions) {
    super(socket, context, options);
    this.#format = options.deflate ? 'websocket-deflate' : 'websocket';
  }

  /** Answers the handshake with `head`, welcomes the client, follows what its URL named, and reads the bytes that came with the request. */
  start(head: string, rest: Buffer, channels: readonly string[], start: Start): void {
    const { nodeName, heartbeatSeconds } = this.context;
    this.open(Buffer.concat([Buffer.from(head), encodeText(serverMessage.welcome(nodeName, heartbeatSeconds))]));
    this.guard(() => {
      if (this.principal.stranger) this.context.deadlines.set(this, Date.now() + this.context.authSeconds * 1000);
      if (channels.length > 0)
        if (this.principal.maySubscribe(channels)) this.#follow(channels, start);
        else this.#named = { channels, start };
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

  /** A token has ended, or a stranger has had his time to bring one. */
  override deadlinePassed(): void {
    if (!this.principal.stranger) return super.deadlinePassed();
    this.#refuse(new FanfareError('unauthenticated', 'no token came in time: send {"type":"auth","token":"…"} first'));
    this.close('unauthenticated');
  }

  protected leaveAll(): void {
    for (const subscription of this.#subscriptions?.values() ?? []) this.context.hub.leave(subscription);
    this.#subscriptions = null;
  }

  protected textReceived(payload: string): void {
    if (this.closed) return;
    if (this.#unread !== null) return this.#keep(payload, this.#unread);
    let ref: string | undefined;
    try {
      const message = readClientMessage(payload, this.context);
      ref = message.ref;
      this.#obey(message);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#refuse(error, error instanceof ClientMessageError ? error.ref : ref);
    }
  }

  protected binaryReceived(): void {
    this.close('unsupported_data');
  }

  /** What was read together with a token can be a thousand times as long as it was on the way, where it is compressed. */
  #keep(payload: string, unread: string[]): void {
    this.#unreadLength += payload.length;
    if (this.#unreadLength > this.context.maxBacklogBytes) this.close('flooding');
    else unread.push(payload);
  }

  #obey(message: ClientMessage): void {
    switch (message.type) {
      case 'auth':
        void this.#authenticate(message.token, message.ref);
        return;
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
      throw new FanfareError('invalid_request', `${channel} is subscribed already`);
    const { maxChannels } = this.context;
    if ((this.#subscriptions?.size ?? 0) >= maxChannels)
      throw new FanfareError('too_many_channels', `the limit is ${maxChannels}`);
    this.principal.checkSubscribe([channel]);
    this.#follow([channel], start, ref);
  }

  #unsubscribe(channel: string, ref: string | undefined): void {
    const subscription = this.#subscriptions?.get(channel);
    if (subscription === undefined) throw new FanfareError('invalid_request', `${channel} is not subscribed`);
    this.#drop(subscription, channel, ref);
  }

  #drop(subscription: Subscription, channel: string, ref?: string): void {
    this.#subscriptions?.delete(channel);
    this.context.hub.drop(subscription, channel);
    this.sendText(serverMessage.unsubscribed(channel, ref));
  }

  #follow(channels: readonly string[], start: Start, ref?: string): void {
    const { hub } = this.context;
    // A stranger who follows what is public needs no token.
    if (this.principal.stranger) this.context.deadlines.clear(this);
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
      const { id } = await this.context.publish(this.principal, message);
      this.sendText(serverMessage.published(id, ref));
    } catch (error) {
      if (!(error instanceof FanfareError)) this.context.logger.error({ err: error }, 'publish failed');
      this.#refuse(error instanceof FanfareError ? error : new FanfareError('internal', 'the publish failed'), ref);
    } finally {
      if (this.#publishesInFlight-- === MAX_PUBLISHES_IN_FLIGHT) this.listen();
    }
  }

  /** Checks a token. What has come behind it waits, and then has its rights. */
  async #authenticate(token: string, ref: string | undefined): Promise<void> {
    this.#unread = [];
    this.hold();
    try {
      const principal = await this.context.access.check(token);
      if (!this.closed) this.#become(principal, ref);
    } catch (error) {
      this.#turnAway(error, ref);
    }
    const unread = this.#unread;
    this.#unread = null;
    this.#unreadLength = 0;
    for (const payload of unread) this.guard(() => this.textReceived(payload));
    this.listen();
  }

  /** Throws FanfareError. */
  #become(principal: Principal, ref: string | undefined): void {
    const { stranger, account } = this.principal;
    if (!stranger && principal.account !== account)
      throw new FanfareError('forbidden', 'the new token is of somebody else: open another connection for it');
    if (stranger && this.context.sessions.isFull(principal)) {
      this.#refuse(
        new FanfareError('too_many_connections', 'this subject has all the connections that it may have'),
        ref,
      );
      return this.close('too_many_connections');
    }
    this.renew(principal);
    this.sendText(serverMessage.authenticated(principal, ref));
    for (const [channel, subscription] of this.#subscriptions ?? [])
      if (!principal.maySubscribe([channel])) this.#drop(subscription, channel);
    const named = this.#named;
    this.#named = null;
    if (named === null) return;
    principal.checkSubscribe(named.channels);
    this.#follow(named.channels, named.start);
  }

  /** Whoever has no rights yet, and brings a token that gives none, is sent away. */
  #turnAway(error: unknown, ref: string | undefined): void {
    if (!(error instanceof FanfareError)) this.context.logger.error({ err: error }, 'a token could not be checked');
    const told = error instanceof FanfareError ? error : new FanfareError('internal', 'the token could not be checked');
    this.#refuse(told, ref);
    if (!this.principal.stranger) return;
    this.close(told.code === 'unauthenticated' || told.code === 'auth_unavailable' ? told.code : 'internal');
  }

  #refuse(error: FanfareError, ref?: string): void {
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
