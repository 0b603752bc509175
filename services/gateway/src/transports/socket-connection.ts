import type { Socket } from 'node:net';
import type { CloseReason } from '../errors.ts';
import { Connection } from '../hub/connection.ts';
import type { Hub } from '../hub/hub.ts';
import type { Registered, Registry } from '../hub/registry.ts';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** What all connections of a node share; each holds one reference to it. */
export interface ConnectionContext {
  readonly hub: Hub;
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Bytes that may wait for a slow reader when more is to be written; past it the connection is closed. */
  readonly maxBacklogBytes: number;
}

/** How long a peer has, whatever it does, to take the last bytes and close its side before the socket is destroyed. */
const CLOSING_MILLISECONDS = 5000;

const CONNECTION = Symbol('connection');
interface ConnectedSocket extends Socket {
  [CONNECTION]?: SocketConnection | null;
}

/**
 * A connection over a socket that Node's HTTP server has let go of: backlog, heartbeat bookkeeping and the end, as both
 * transports need them. An idle one is its socket and one of these: its listeners are functions that all share.
 */
export abstract class SocketConnection extends Connection implements Registered {
  slot = -1;
  readonly socket: Socket;
  readonly context: ConnectionContext;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #drainWaiters: (() => void)[] | null = null;
  #progressAtBeat = -1;
  #closingTimer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, context: ConnectionContext) {
    super();
    this.socket = socket;
    this.context = context;
  }

  /** True from the moment that the end was begun: nothing more is delivered. */
  get closed(): boolean {
    return this.#state !== 'open';
  }

  /** Takes the socket over, writes `greeting`, and counts the connection in. */
  protected open(greeting: string | Buffer): void {
    const socket = this.socket as ConnectedSocket;
    socket[CONNECTION] = this;
    socket.on('data', SocketConnection.#onData);
    socket.on('drain', SocketConnection.#onDrain);
    socket.on('end', SocketConnection.#onEnd);
    socket.on('error', SocketConnection.#onError);
    socket.on('close', SocketConnection.#onClose);
    socket.write(greeting);
    this.context.registry.add(this);
    this.context.metrics.connectionOpened(this.transport);
  }

  send(bytes: Buffer): void {
    if (this.#state !== 'open') return;
    if (this.socket.writableLength > this.context.maxBacklogBytes) {
      this.context.metrics.slowConsumer(this.transport);
      this.close('too_slow');
    } else this.socket.write(bytes);
  }

  drained(): Promise<void> {
    if (this.#state !== 'open' || !this.socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  /** A fault of ours in one connection must not take the others down with it. */
  protected guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.context.logger.error({ err: error, transport: this.transport }, 'a connection failed');
      this.close('internal');
    }
  }

  /** Ends every subscription. */
  protected abstract leaveAll(): void;
  /** Bytes from the client. */
  protected abstract received(chunk: Buffer): void;
  /** The client has closed its side. */
  protected abstract peerEnded(): void;
  abstract beat(): void;
  abstract override close(reason: CloseReason): void;

  /** Called at each beat after it has written, so that `check` can tell whether anything has been taken since. */
  protected markProgress(): void {
    this.#progressAtBeat = this.socket.writableLength > 0 ? this.#takenBytes() : -1;
  }

  /** Ends a connection whose peer has not finished taking any write since the last beat, though something waits for it. */
  check(): void {
    if (this.#state !== 'open' || this.#progressAtBeat === -1) return;
    if (this.socket.writableLength === 0 || this.#takenBytes() !== this.#progressAtBeat) return;
    this.context.metrics.heartbeatFailed(this.transport, 'write_stalled');
    this.abandon('write_stalled');
  }

  /** Begins the end: writes `farewell`, and closes as soon as the peer has taken it, or after a grace. */
  protected finish(reason: string, farewell: Buffer | string, end: boolean): void {
    if (this.#state !== 'open') return;
    this.#leave(reason);
    this.#state = 'closing';
    this.#closingTimer = setTimeout(SocketConnection.#giveUp, CLOSING_MILLISECONDS, this.socket);
    if (end) this.socket.end(farewell);
    else this.socket.write(farewell);
  }

  /** Ends the connection without a word. */
  protected abandon(reason: string): void {
    if (this.#state === 'open') this.#leave(reason);
    this.#state = 'closed';
    this.socket.destroy();
  }

  #leave(reason: string): void {
    this.leaveAll();
    this.context.registry.remove(this);
    this.context.metrics.connectionClosed(this.transport, reason);
    this.#wakeDrainWaiters();
  }

  #takenBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }

  #wakeDrainWaiters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = null;
    for (const wake of waiters ?? []) wake();
  }

  // The listeners: static, so that no connection has functions of its own. `this` is the socket.

  static #onData(this: ConnectedSocket, chunk: Buffer): void {
    const connection = this[CONNECTION];
    connection?.guard(() => connection.received(chunk));
  }

  static #onDrain(this: ConnectedSocket): void {
    const connection = this[CONNECTION];
    if (connection) connection.#wakeDrainWaiters();
  }

  static #onEnd(this: ConnectedSocket): void {
    this[CONNECTION]?.peerEnded();
  }

  static #onError(this: ConnectedSocket, error: NodeJS.ErrnoException): void {
    const connection = this[CONNECTION];
    if (!connection) return;
    if (connection.#state !== 'open') return;
    // A reset is how many clients leave. Anything else is a peer that cannot be reached any more.
    if (error.code === 'ECONNRESET') return connection.abandon('client_gone');
    connection.context.metrics.heartbeatFailed(connection.transport, 'socket_error');
    connection.abandon('socket_error');
  }

  static #onClose(this: ConnectedSocket): void {
    const connection = this[CONNECTION];
    if (!connection) return;
    connection.abandon('client_gone');
    if (connection.#closingTimer !== null) clearTimeout(connection.#closingTimer);
    this[CONNECTION] = null;
  }

  static #giveUp(socket: Socket): void {
    socket.destroy();
  }
}
