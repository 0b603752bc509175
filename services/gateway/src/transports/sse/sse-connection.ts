import type { Socket } from 'node:net';
import { formatCursor } from '../../cursor.ts';
import type { CloseReason } from '../../errors.ts';
import type { Delivery } from '../../hub/connection.ts';
import type { Plan } from '../../hub/hub.ts';
import type { Subscription } from '../../hub/subscription.ts';
import type { GapReason, Message } from '../../message.ts';
import type { EncodedMessage } from '../../wire/encoded-message.ts';
import { encodeEvent, encodeHeartbeat } from '../../wire/sse.ts';
import { type ConnectionContext, SocketConnection } from '../socket-connection.ts';

export type SseFormat = 'sse' | 'sse-envelope';

/** One event stream. What it follows is fixed when it opens. */
export class SseConnection extends SocketConnection {
  readonly transport = 'sse';
  readonly delivery: Delivery;
  readonly #format: SseFormat;
  #subscriptions: readonly Subscription[] = [];
  #caughtUp: 'no' | 'due' | 'told' = 'no';

  constructor(socket: Socket, context: ConnectionContext, format: SseFormat, plan: Plan) {
    super(socket, context);
    this.#format = format;
    // Over several partitions the cursor has a place for each, and so is this connection's own.
    this.delivery = plan.parts.length > 1 ? 'messages' : format;
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
      const cursor = this.#cursorAt(message.message);
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
    // Once for the stream, when the last of its partitions has caught up.
    if (this.#caughtUp === 'told') return;
    this.#caughtUp = 'due';
    if (!this.#live()) return;
    this.#caughtUp = 'told';
    const cursor = this.#cursor();
    this.#write(encodeEvent({ name: 'fanfare:caught-up', data: JSON.stringify({ cursor }) }) + encodeHeartbeat(cursor));
  }

  beat(): void {
    if (this.#caughtUp === 'due') this.caughtUp();
    this.#write(encodeHeartbeat(this.#live() ? this.#cursor() : undefined));
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

  /** The cursor of a client that has this message, and of the other partitions what was handed over. */
  #cursorAt({ channel, id }: Message): string {
    return formatCursor(
      new Map(
        this.#subscriptions.map((each) => [each.partition, each.channels.includes(channel) ? id : this.#placeOf(each)]),
      ),
    );
  }

  /** Where a client stands that has everything that was handed over. */
  #cursor(): string {
    return formatCursor(new Map(this.#subscriptions.map((each) => [each.partition, this.#placeOf(each)])));
  }

  #placeOf({ state, partition, position }: Subscription): string {
    return state === 'live' ? this.context.hub.position(partition) : position;
  }
}
