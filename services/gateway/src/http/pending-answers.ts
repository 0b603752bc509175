import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests on one connection that may wait for their answers. Whoever sends more without reading any is cut off. */
const MAX_PENDING = 100;

/**
 * The answers that each socket still owes, oldest first: a client may send requests without waiting for the answers to
 * those before (RFC 9112, 9.3.2). An answer with `shouldKeepAlive` set to false is the last one of its connection.
 */
export class PendingAnswers {
  readonly #bySocket = new WeakMap<Socket, ServerResponse[]>();

  /** Whether any answer is owed. */
  on(socket: Socket): boolean {
    return this.#bySocket.has(socket);
  }

  /** Whether the last answer is owed or out: what comes behind its request must not be carried out (RFC 9112, 9.6). */
  lastOn(socket: Socket): boolean {
    return this.#bySocket.get(socket)?.at(-1)?.shouldKeepAlive === false;
  }

  /** Takes note of an answer until it is out, and of the last one for good. False when too many are owed. */
  add(socket: Socket, response: ServerResponse): boolean {
    const owed = this.#bySocket.get(socket) ?? [];
    if (owed.length === MAX_PENDING) return false;
    owed.push(response);
    this.#bySocket.set(socket, owed);
    response.once('close', () => {
      // The last one stays: what is read before the socket closes is still behind it.
      if (!response.shouldKeepAlive) return;
      owed.splice(owed.indexOf(response), 1);
      if (owed.length === 0) this.#bySocket.delete(socket);
    });
    return true;
  }

  /** Whether an answer is the newest that is owed: any other is not the last one of its connection. */
  isNewest(socket: Socket, response: ServerResponse): boolean {
    return this.#bySocket.get(socket)?.at(-1) === response;
  }

  /** Forgets a socket whose answer is a stream. */
  forget(socket: Socket): void {
    this.#bySocket.delete(socket);
  }

  /**
   * Has the connection end with the answers to those requests that have come whole; what is wrong with the bytes behind them
   * cannot be told in their place. False when there are none.
   */
  endWithWhole(socket: Socket): boolean {
    const last = this.#bySocket.get(socket)?.findLast(({ req }) => req.complete);
    if (last === undefined) return false;
    last.shouldKeepAlive = false;
    // Its head is made already when it waits for its turn, and says that the connection stays.
    if (last.headersSent) last.once('finish', () => socket.destroySoon());
    return true;
  }
}
