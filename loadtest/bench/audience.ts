import { setTimeout } from 'node:timers/promises';
import { Client } from './client.ts';
import { GzipPieces } from './gzip-pieces.ts';
import { EVENTS, FRAMES, type Transport } from './stream-reader.ts';

/** Connections to open. */
export interface OpenRequest {
  readonly transport: Transport;
  readonly port: number;
  readonly count: number;
  readonly channel: string;
  /** True: every connection follows a channel of its own, `<channel>:<number>`. */
  readonly own: boolean;
  /** Whether they ask for compression. */
  readonly compressed: boolean;
  /** The cursor that all start from. Default: what comes from now on. */
  readonly after?: string;
}

/** How many connections are being opened at a time: below what a listening socket queues on any system. */
const OPENING = 64;
const HEARTBEAT_POLL_MILLISECONDS = 50;

/** All clients of one process, and whether they have what somebody waits for. */
export class Audience {
  readonly #clients: Client[] = [];
  // All read into the same memory: a chunk is dealt with before the next one comes.
  readonly #chunk = Buffer.allocUnsafe(64 * 1024);
  readonly #gzipPieces = new GzipPieces();
  #firstClientsMessages: Buffer[] = [];
  #target = 0;
  /** How many clients have fewer messages than `#target`. */
  #missing = 0;
  #waiter: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #failure: Error | null = null;

  /** Opens connections; resolves when each has been answered. */
  async open({ transport, port, count, channel, own, compressed, after }: OpenRequest): Promise<void> {
    const blocks = transport === 'websocket' ? FRAMES : compressed ? this.#gzipPieces : EVENTS;
    for (let opened = 0; opened < count; ) {
      const some: Client[] = [];
      for (; some.length < OPENING && opened < count; opened++) {
        const name = own ? `${channel}:${this.#clients.length}` : channel;
        const options = { transport, port, channel: name, after, compressed, blocks, chunk: this.#chunk };
        const client = new Client(options, this);
        this.#clients.push(client);
        some.push(client);
      }
      await Promise.all(some.map((client) => client.opened));
    }
  }

  /**
   * Resolves when every client has had `target` messages since it opened, to the bytes of the messages that the first
   * client got since this was last asked. Rejects when a connection was lost or got more than that.
   */
  async reached(target: number): Promise<Buffer> {
    if (this.#failure !== null) throw this.#failure;
    this.#target = target;
    this.#missing = this.#clients.reduce((missing, client) => missing + (client.got < target ? 1 : 0), 0);
    if (this.#missing > 0)
      await new Promise<void>((resolve, reject) => {
        this.#waiter = { resolve, reject };
      });
    if (this.#clients.some((client) => client.got > target))
      throw new Error('a connection got more messages than were published');
    const bytes = Buffer.concat(this.#firstClientsMessages);
    this.#firstClientsMessages = [];
    return bytes;
  }

  /** Resolves when every client has had a heartbeat. Rejects when a connection was lost. */
  async beaten(): Promise<void> {
    while (this.#clients.some((client) => client.heartbeats === 0)) {
      if (this.#failure !== null) throw this.#failure;
      await setTimeout(HEARTBEAT_POLL_MILLISECONDS);
    }
  }

  /** A client got some messages. */
  got(client: Client, block: Buffer, count: number): void {
    if (client === this.#clients[0]) this.#firstClientsMessages.push(Buffer.from(block));
    const reached = client.got >= this.#target && client.got - count < this.#target;
    if (!reached || --this.#missing > 0) return;
    this.#waiter?.resolve();
    this.#waiter = null;
  }

  /** A client's connection broke, or was refused. */
  lost(error: Error): void {
    this.#failure ??= error;
    this.#waiter?.reject(error);
    this.#waiter = null;
  }
}
