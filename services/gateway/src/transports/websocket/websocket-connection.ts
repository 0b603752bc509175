import type { Socket } from 'node:net';
import { CLOSES, type CloseReason } from '../../errors.ts';
import { EMPTY_PING, encodeClose, encodePong, encodeText } from '../../wire/websocket/frame.ts';
import { Receiver, type ReceiverHandler, type ReceiverProblem } from '../../wire/websocket/receiver.ts';
import { type Client, type ConnectionContext, SocketConnection } from '../socket-connection.ts';
import type { RateLimit } from './rate-limit.ts';

/** What all WebSocket connections of a node share. */
export interface WebSocketContext extends ConnectionContext {
  /** Largest message of a client, in bytes, over all its fragments and inflated. */
  readonly maxPayloadBytes: number;
  /** Frames, and KiB of messages, that a client may send. */
  readonly frames: RateLimit;
}

/** How one WebSocket differs from others. */
export interface WebSocketOptions extends Client {
  /** Whether permessage-deflate was agreed on. */
  readonly deflate: boolean;
}

const CLOSE_REASONS = { 1002: 'protocol_error', 1007: 'invalid_payload', 1009: 'too_large' } as const;

/** One WebSocket (RFC 6455): frames, heartbeat and the closing handshake. What the messages mean is its subclasses' affair. */
export abstract class WebSocketConnection extends SocketConnection implements ReceiverHandler {
  declare readonly context: WebSocketContext;
  readonly transport = 'websocket';
  protected readonly deflate: boolean;
  readonly #receiver: Receiver;
  #heardSincePing = true;
  #frames = 0;
  #holds = 0;

  constructor(socket: Socket, context: WebSocketContext, options: WebSocketOptions) {
    super(socket, context, options);
    const { deflate } = options;
    this.deflate = deflate;
    this.#receiver = new Receiver({ maxMessageBytes: context.maxPayloadBytes, deflate, handler: this });
  }

  beat(): void {
    this.writeBeat(EMPTY_PING);
  }

  /** Writes a heartbeat, which ends with a ping. It comes once: however much waits, it is not the client's fault. */
  protected writeBeat(bytes: Buffer): void {
    if (this.closed) return;
    this.#heardSincePing = false;
    this.socket.write(bytes);
    this.watchReader();
    this.context.metrics.heartbeatsSent(this.transport, 1);
  }

  check(): void {
    // A socket that we do not read cannot bring a pong. A ping that still waits here, behind something large, has not been
    // asked; that it moves on is what `watchReader` sees to.
    if (this.closed || this.#heardSincePing || this.socket.isPaused() || this.socket.writableLength > 0) return;
    this.context.metrics.heartbeatFailed(this.transport, 'missed_pong');
    this.close('missed_pong');
  }

  close(reason: CloseReason): void {
    // After a fault of ours nothing more is read, so the client's answer could not be waited for.
    this.finish(reason, encodeClose(CLOSES[reason].code, reason), reason === 'internal');
  }

  /** Stops reading until each `hold` has its `listen`: the client is held back by TCP, and is asked for no pong. */
  protected hold(): void {
    if (this.#holds++ === 0) this.socket.pause();
  }

  protected listen(): void {
    if (--this.#holds > 0) return;
    this.#heardSincePing = true;
    this.socket.resume();
  }

  protected sendText(text: string): void {
    this.send(encodeText(text));
  }

  /** Like `sendText`, for what comes once and not at the client's bidding: however much waits, it is not the client's fault. */
  protected writeText(text: string): void {
    if (!this.closed) this.socket.write(encodeText(text));
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
    // A client that has said goodbye may close its side at once, and still be due what waits for it and our close frame.
    if (this.closed) this.socket.end();
    else this.abandon('client_gone');
  }

  /** A message of the client. */
  protected abstract textReceived(payload: string): void;
  protected abstract binaryReceived(payload: Buffer): void;

  /**
   * Takes from what the client may send: 1 for each frame, and 1 for each KiB of a message as it is read, since a small
   * compressed one can be long. False when that was too much: the connection is closed.
   */
  #spend(count: number): boolean {
    const frames = this.context.frames.allow(this.#frames, performance.now(), count);
    if (frames >= 0) {
      this.#frames = frames;
      return true;
    }
    this.#receiver.stop();
    this.finish('flooding', encodeClose(CLOSES.flooding.code, 'flooding'), true);
    return false;
  }

  // What the receiver tells.

  frame(): void {
    this.#spend(1);
  }

  text(payload: string): void {
    if (this.#spend(payload.length >>> 10)) this.textReceived(payload);
  }

  binary(payload: Buffer): void {
    if (this.#spend(payload.length >>> 10)) this.binaryReceived(payload);
  }

  ping(payload: Buffer): void {
    // Due until the client's close frame has come, also behind ours (RFC 6455, 5.5.2).
    if (this.closed) this.socket.write(encodePong(payload));
    else this.send(encodePong(payload));
  }

  pong(): void {}

  closeReceived(code: number): void {
    if (this.closed) this.socket.end();
    else this.finish('client_closed', encodeClose(code), true);
  }

  failed({ code, detail }: ReceiverProblem): void {
    this.finish(CLOSE_REASONS[code], encodeClose(code, detail), true);
  }
}
