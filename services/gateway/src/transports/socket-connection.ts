import type { Socket } from 'node:net';
import type { Principal } from '../auth/principal.ts';
import type { Deadlines, Timed } from '../auth/sessions/deadlines.ts';
import type { Session, Sessions } from '../auth/sessions/sessions.ts';
import { CLOSING_MILLISECONDS } from '../closing.ts';
import type { CloseReason } from '../errors.ts';
import { Connection } from '../hub/connection.ts';
import type { Registered, Registry } from '../hub/registry.ts';
import type { Logger } from '../logger.ts';
import type { HeartbeatFailure, Metrics } from '../metrics/metrics.ts';
import type { AddressLimit } from './address-limit.ts';

/** What all connections of a node share; each holds one reference to it. */
export interface ConnectionContext {
  readonly registry: Registry;
  readonly addresses: AddressLimit;
  readonly sessions: Sessions;
  readonly deadlines: Deadlines;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Bytes that may wait for a slow reader when more is to be written; past it the connection is closed. */
  readonly maxBacklogBytes: number;
  /** Seconds in which a reader must take something of what waits for it at a heartbeat. */
  readonly stallSeconds: number;
}

/** Whose connection it is. */
export interface Client {
  /** By what it is counted among the connections of its address; undefined when those are not limited. */
  readonly address: string | undefined;
  readonly principal: Principal;
}

const CONNECTION = Symbol('connection');
interface ConnectedSocket extends Socket {
  [CONNECTION]?: SocketConnection | null;
}

/**
 * A connection over a socket that Node's HTTP server has let go of: backlog, heartbeat bookkeeping and the end, as both
 * transports need them. An idle one is its socket and one of these: its listeners are functions that all share.
 */
export abstract class SocketConnection extends Connection implements Registered, Session, Timed {
  slot = -1;
  beatsLeft = 0;
  deadlineSecond = 0;
  readonly socket: Socket;
  readonly context: ConnectionContext;
  readonly #address: string | undefined;
  #principal: Principal;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #drainWaiters: (() => void)[] | null = null;
  #closingTimer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, context: ConnectionContext, { address, principal }: Client) {
    super();
    this.socket = socket;
    this.context = context;
    this.#address = address;
    this.#principal = principal;
  }

  get principal(): Principal {
    return this.#principal;
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
    if (this.#address !== undefined) this.context.addresses.add(this.#address);
    this.#enter();
    this.context.metrics.connectionOpened(this.transport);
  }

  /** From now on the connection lasts on the rights of another token. */
  protected renew(principal: Principal): void {
    this.context.sessions.remove(this);
    this.context.deadlines.clear(this);
    this.#principal = principal;
    this.#enter();
  }

  #enter(): void {
    this.context.sessions.add(this);
    if (this.#principal.expiresMs !== undefined) this.context.deadlines.set(this, this.#principal.expiresMs);
  }

  deadlinePassed(): void {
    this.close('token_expired');
  }

  /** Writes shared bytes, never to be changed. Hot. False when they were not: the connection is closed, or now is, as too slow. */
  protected send(bytes: Buffer): boolean {
    if (this.#state !== 'open') return false;
    if (this.socket.writableLength > this.context.maxBacklogBytes) {
      this.context.metrics.slowConsumer(this.transport);
      this.close('too_slow');
      return false;
    }
    this.socket.write(bytes);
    return true;
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
  abstract check(): void;
  abstract override close(reason: CloseReason): void;

  /**
   * Called at each beat after it has written. When something waits, a timer runs until the reader takes some of it; Node
   * starts it anew for as long as a write makes progress, and when something is read.
   */
  protected watchReader(): void {
    if (this.socket.writableLength > 0 && !this.socket.timeout)
      this.socket.setTimeout(this.context.stallSeconds * 1000, SocketConnection.#onStalled);
  }

  /** Ends a connection that a heartbeat found dead. */
  protected fail(reason: HeartbeatFailure): void {
    if (this.#state === 'open') this.context.metrics.heartbeatFailed(this.transport, reason);
    this.abandon(reason);
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
    if (this.#address !== undefined) this.context.addresses.remove(this.#address);
    this.context.sessions.remove(this);
    this.context.deadlines.clear(this);
    this.context.metrics.connectionClosed(this.transport, reason);
    this.#wakeDrainWaiters();
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

  static #onStalled(this: ConnectedSocket): void {
    this.setTimeout(0);
    const connection = this[CONNECTION];
    // One that is closing has its own time to do so.
    if (this.writableLength > 0 && connection?.closed === false) connection.fail('write_stalled');
  }

  static #onEnd(this: ConnectedSocket): void {
    this[CONNECTION]?.peerEnded();
  }

  static #onError(this: ConnectedSocket, error: NodeJS.ErrnoException): void {
    const connection = this[CONNECTION];
    if (!connection) return;
    // A reset is how many clients leave. Anything else is a peer that cannot be reached any more: it acknowledged nothing
    // for the time that the kernel was told to wait (see listener-options.ts), or took nothing of what waited for it.
    if (error.code === 'ECONNRESET') connection.abandon('client_gone');
    else connection.fail(error.code === 'ETIMEDOUT' && this.writableLength > 0 ? 'write_stalled' : 'socket_error');
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
