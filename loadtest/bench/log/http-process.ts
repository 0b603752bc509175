import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { notifications } from '../notification.ts';
import { answer } from '../questions.ts';
import { APPEND_DATA_BYTES } from './appends.ts';
import { type Timed, timed } from './timed.ts';

/** What the process of the publishers can be asked. */
export interface HttpPublishers {
  readonly open: (request: OpenPublishers) => Promise<void>;
  readonly publish: (milliseconds: number) => Promise<Timed>;
  readonly close: () => void;
}

/** Connections to open, as many to each node, which are kept open and have one request under way each. */
export interface OpenPublishers {
  readonly ports: readonly number[];
  readonly connectionsPerNode: number;
  /** Messages in each request. 1: `POST /v1/channels/…/messages`, else `POST /v1/messages`. */
  readonly batch: number;
}

const HEAD_END = '\r\n\r\n';
const DIFFERENT_MESSAGES = 16;

/** One connection; as little work as it takes, for the clients share the machine with what is measured. */
class Connection {
  readonly #socket: Socket;
  readonly #request: Buffer;
  #answer: Buffer = Buffer.alloc(0);
  #waiter: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(port: number, request: string) {
    this.#request = Buffer.from(request);
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#received(chunk));
    this.#socket.on('error', (error) => this.#waiter?.reject(error));
    this.#socket.on('close', () => this.#waiter?.reject(new Error('a node closed a connection of a publisher')));
  }

  async opened(): Promise<void> {
    await once(this.#socket, 'connect');
  }

  /** Rejects when the answer is none that a publish should have. */
  publish(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#socket.write(this.#request);
    });
  }

  close(): void {
    this.#waiter = undefined;
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    this.#answer = this.#answer.length === 0 ? chunk : Buffer.concat([this.#answer, chunk]);
    const headEnd = this.#answer.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = this.#answer.toString('latin1', 0, headEnd);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    if (this.#answer.length < headEnd + HEAD_END.length + length) return;
    // A batch is a 200 even when some of its messages were refused.
    const good = /^HTTP\/1\.1 20[01] /.test(head) && !this.#answer.includes('"error"', headEnd);
    const waiter = this.#waiter;
    if (good) waiter?.resolve();
    else waiter?.reject(new Error(`a publish was answered with ${this.#answer.toString('latin1', 0, 500)}`));
    this.#answer = Buffer.alloc(0);
  }
}

function requestText(port: number, number: number, batch: number): string {
  const data = notifications(APPEND_DATA_BYTES, DIFFERENT_MESSAGES);
  const messages = Array.from({ length: batch }, (_, i) => {
    const each = data[(number + i) % DIFFERENT_MESSAGES];
    return batch === 1 ? `{"data":${each}}` : `{"channel":"bench:${number}-${i}","data":${each}}`;
  });
  const body = batch === 1 ? (messages[0] ?? '') : `{"messages":[${messages.join(',')}]}`;
  const path = batch === 1 ? `/v1/channels/bench:${number}/messages` : '/v1/messages';
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return lines.join('\r\n') + HEAD_END + body;
}

function main(): void {
  let connections: Connection[] = [];
  let perRequest = 1;
  answer({
    async open({ ports, connectionsPerNode, batch }: OpenPublishers) {
      perRequest = batch;
      connections = ports.flatMap((port) =>
        Array.from({ length: connectionsPerNode }, (_, i) => new Connection(port, requestText(port, i, batch))),
      );
      await Promise.all(connections.map((connection) => connection.opened()));
    },
    publish(milliseconds: number) {
      const deadline = performance.now() + milliseconds;
      return timed(async () => {
        let messages = 0;
        const loop = async (connection: Connection): Promise<void> => {
          while (performance.now() < deadline) {
            await connection.publish();
            messages += perRequest;
          }
        };
        await Promise.all(connections.map(loop));
        return messages;
      });
    },
    close() {
      for (const connection of connections) connection.close();
      connections = [];
    },
  } satisfies HttpPublishers);
}

main();
