import type { Socket } from 'node:net';
import { formatCursor } from '../../cursor.ts';
import type { CloseReason } from '../../errors.ts';
import type { Delivery } from '../../hub/connection.ts';
import type { Plan } from '../../hub/hub.ts';
import type { Subscription } from '../../hub/subscription.ts';
import type { GapReason } from '../../message.ts';
import type { EncodedMessage } from '../../wire/encoded-message.ts';
import { encodeEvent, encodeHeartbeat } from '../../wire/sse.ts';
import { type ConnectionContext, SocketConnection } from '../socket-connection.ts';

export type SseFormat = 'sse' | 'sse-envelope';

/** One event stream. What it follows is fixed when it opens. */
export class SseConnection extends SocketConnection {
  readonly transport = 'sse';
  readonly delivery: Delivery;
  readonly #format: SseFormat;
  /** With several partitions the cursor has a place for each, so this connection keeps its own; else null. */
  readonly #places: Map<number, string> | null;
  #subscriptions: readonly Subscription[] = [];

  constructor(socket: Socket, context: ConnectionContext, format: SseFormat, plan: Plan) {
    super(socket, context);
    this.#format = format;
    const several = plan.parts.length > 1;
    this.#places = several ? new Map(plan.parts.map((part) => [part.partition, part.position])) : null;
    this.delivery = several ? 'messages' : format;
  }

  /** Writes the head and the preamble, and follows the plan. */
  start(head: string, plan: Plan): void {
    this.open(head);
    this.#subscriptions = this.context.hub.subscribe(this, plan);
    this.context.hub.start(plan, this.#subscriptions);
  }

  sendMessages(messages: readonly EncodedMessage[]): number {
    const chunks: Buffer[] = [];
    for (const message of messages) {
      const cursor = this.#moveTo(message);
      chunks.push(Buffer.from(`id: ${cursor}\n`), message.bytesWithoutId(this.#format));
    }
    const bytes = Buffer.concat(chunks);
    this.send(bytes);
    return bytes.length;
  }

  gap(channel: string, after: string, reason: GapReason): void {
    this.#write(encodeEvent({ name: 'fanfare:gap', data: JSON.stringify({ channel, after, reason }) }));
  }

  caughtUp(): void {
    if (!this.#live()) return;
    const cursor = this.#liveCursor();
    this.#write(encodeEvent({ name: 'fanfare:caught-up', data: JSON.stringify({ cursor }) }) + encodeHeartbeat(cursor));
  }

  beat(): void {
    this.#write(encodeHeartbeat(this.#live() ? this.#liveCursor() : undefined));
    this.markProgress();
    this.context.metrics.heartbeatsSent(this.transport, 1);
  }

  close(reason: CloseReason): void {
    this.finish(reason, encodeEvent({ name: 'fanfare:bye', data: JSON.stringify({ reason }) }), true);
  }

  protected leaveAll(): void {
    for (const subscription of this.#subscriptions) this.context.hub.leave(subscription);
  }

  /** A client has nothing to say on an event stream; what it sends is dropped. */
  protected received(): void {}

  protected peerEnded(): void {
    this.abandon('client_gone');
  }

  #write(text: string): void {
    if (!this.closed) this.socket.write(text);
  }

  #live(): boolean {
    return this.#subscriptions.every((subscription) => subscription.state === 'live');
  }

  /** The cursor of a client that has this message. */
  #moveTo(message: EncodedMessage): string {
    const { channel, id } = message.message;
    const subscription = this.#subscriptions.find((candidate) => candidate.channels.includes(channel));
    if (this.#places === null || subscription === undefined) return id;
    this.#places.set(subscription.partition, id);
    return formatCursor(this.#places);
  }

  /** Where a client stands that has everything up to where this node has come. */
  #liveCursor(): string {
    const [first] = this.#subscriptions;
    if (this.#places === null) return first === undefined ? '' : this.context.hub.position(first.partition);
    for (const { partition } of this.#subscriptions) this.#places.set(partition, this.context.hub.position(partition));
    return formatCursor(this.#places);
  }
}
