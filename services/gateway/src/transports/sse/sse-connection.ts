import type { Socket } from 'node:net';
import { formatCursor } from '../../cursor.ts';
import type { CloseReason } from '../../errors.ts';
import type { Batch } from '../../hub/batch.ts';
import type { Hub, Plan } from '../../hub/hub.ts';
import type { Subscription } from '../../hub/subscription.ts';
import type { GapReason, Message } from '../../message.ts';
import type { EncodedMessage } from '../../wire/encoded-message.ts';
import { GZIP_HEADER, type GzipPiece, GzipTrailer, storedPiece } from '../../wire/gzip.ts';
import { encodeEvent, encodeHeartbeat } from '../../wire/sse.ts';
import { type Client, type ConnectionContext, SocketConnection } from '../socket-connection.ts';

const GZIP_OF = { sse: 'sse-gzip', 'sse-envelope': 'sse-envelope-gzip' } as const;

/** What all event streams of a node share. */
export interface SseContext extends ConnectionContext {
  readonly hub: Hub;
}

/** How one stream differs from others. */
export interface SseOptions extends Client {
  readonly format: 'sse' | 'sse-envelope';
  readonly gzip: boolean;
}

/** One event stream. What it follows is fixed when it opens. */
export class SseConnection extends SocketConnection {
  declare readonly context: SseContext;
  readonly transport = 'sse';
  readonly #format: SseOptions['format'];
  /** What has been written, for the end of a compressed stream; null for one that is not. */
  readonly #gzip: GzipTrailer | null;
  #subscriptions: readonly Subscription[] = [];
  #caughtUp: 'no' | 'due' | 'told' = 'no';

  constructor(socket: Socket, context: SseContext, options: SseOptions) {
    super(socket, context, options);
    this.#format = options.format;
    this.#gzip = options.gzip ? new GzipTrailer() : null;
  }

  /** Writes the head and the preamble, and follows the plan. */
  start(head: string, preamble: string, plan: Plan): void {
    this.open(
      this.#gzip === null ? head + preamble : Buffer.concat([Buffer.from(head), GZIP_HEADER, this.#toGzip(preamble)]),
    );
    this.guard(() => {
      this.#subscriptions = this.context.hub.subscribe(this, plan);
      this.context.hub.start(plan, this.#subscriptions);
    });
  }

  deliver(batch: Batch): number {
    // Over several partitions the cursor has a place for each, and so is this connection's own.
    if (this.#subscriptions.length > 1) return this.#deliverWithCursors(batch.messages);
    if (this.#gzip !== null) return this.#deliverPiece(batch.piece(GZIP_OF[this.#format]), this.#gzip);
    const bytes = batch.bytes(this.#format);
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
    const cursor = this.#liveCursor();
    if (cursor === undefined) return;
    this.#caughtUp = 'told';
    this.#write(encodeEvent({ name: 'fanfare:caught-up', data: JSON.stringify({ cursor }) }) + encodeHeartbeat(cursor));
  }

  beat(): void {
    if (this.#caughtUp === 'due') this.caughtUp();
    this.#write(encodeHeartbeat(this.#liveCursor()));
    this.watchReader();
    this.context.metrics.heartbeatsSent(this.transport, 1);
  }

  /** Nothing is due from a client on an event stream. */
  check(): void {}

  close(reason: CloseReason): void {
    if (this.closed) return;
    // One that is only moved elsewhere has everything that was handed over, and is told so.
    const cursor = reason === 'draining' || reason === 'max_age' ? this.#liveCursor() : undefined;
    const bye = encodeEvent({ name: 'fanfare:bye', data: JSON.stringify({ reason }) });
    const farewell = cursor === undefined ? bye : encodeHeartbeat(cursor) + bye;
    this.finish(
      reason,
      this.#gzip === null ? farewell : Buffer.concat([this.#toGzip(farewell), this.#gzip.end()]),
      true,
    );
  }

  protected leaveAll(): void {
    for (const subscription of this.#subscriptions) this.context.hub.leave(subscription);
  }

  /** A client has nothing to say on an event stream; what it sends is dropped. */
  protected received(): void {}

  protected peerEnded(): void {
    this.abandon('client_gone');
  }

  #deliverPiece(piece: GzipPiece, trailer: GzipTrailer): number {
    if (this.send(piece.bytes)) trailer.add(piece);
    return piece.bytes.length;
  }

  #deliverWithCursors(messages: readonly EncodedMessage[]): number {
    const chunks: Buffer[] = [];
    for (const message of messages)
      chunks.push(Buffer.from(`id: ${this.#cursorAt(message.message)}\n`), message.bytesWithoutId(this.#format));
    const bytes = Buffer.concat(chunks);
    this.send(bytes);
    return bytes.length;
  }

  /** Writes what comes once: however much waits, it is not the client's fault. */
  #write(text: string): void {
    if (!this.closed) this.socket.write(this.#gzip === null ? text : this.#toGzip(text));
  }

  /** Text of this connection's own, as the next bytes of its compressed stream. */
  #toGzip(text: string): Buffer {
    const piece = storedPiece(Buffer.from(text));
    this.#gzip?.add(piece);
    return piece.bytes;
  }

  /** The cursor of a client that has this message, and of the other partitions what was handed over. */
  #cursorAt({ channel, id }: Message): string {
    return formatCursor(
      new Map(
        this.#subscriptions.map((each) => [each.partition, each.channels.includes(channel) ? id : this.#placeOf(each)]),
      ),
    );
  }

  /** Where a client stands that has everything that was handed over; undefined while something is replayed. */
  #liveCursor(): string | undefined {
    if (!this.#subscriptions.every((subscription) => subscription.state === 'live')) return undefined;
    return formatCursor(new Map(this.#subscriptions.map((each) => [each.partition, this.#placeOf(each)])));
  }

  #placeOf({ state, partition, position }: Subscription): string {
    return state === 'live' ? this.context.hub.position(partition) : position;
  }
}
