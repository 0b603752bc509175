import { connect, type Socket } from 'node:net';
import { type Blocks, type StreamEvents, StreamReader, type Transport } from './stream-reader.ts';

export interface ClientOptions {
  readonly transport: Transport;
  readonly port: number;
  readonly channel: string;
  /** The cursor to start from; undefined: what comes from now on. */
  readonly after: string | undefined;
  /** Asks for compression, and takes no stream without it. */
  readonly compressed: boolean;
  /** How the stream is cut. */
  readonly blocks: Blocks;
  /** What the socket reads into; nothing of it is needed after a read has been dealt with. */
  readonly chunk: Buffer;
}

/** Who a client tells what came. */
export interface ClientListener {
  got(client: Client, block: Buffer, count: number): void;
  lost(error: Error): void;
}

const HEAD_END = '\r\n\r\n';
/** How an answer's head says that the stream is compressed. */
const AGREED = /^(content-encoding: gzip|sec-websocket-extensions: permessage-deflate)/im;
/** An empty pong, masked with zeros (RFC 6455, sections 5.3 and 5.5.3). */
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** A raw socket that opens one stream and counts what it gets. */
export class Client implements StreamEvents {
  /** Messages so far. */
  got = 0;
  heartbeats = 0;
  /** Resolves when the server has taken the stream. */
  readonly opened: Promise<void>;
  readonly #options: ClientOptions;
  readonly #listener: ClientListener;
  readonly #socket: Socket;
  readonly #reader: StreamReader;
  #opening: { resolve: () => void; reject: (error: Error) => void } | null;
  /** What came of the answer's head; null when it has been read. */
  #head: string | null = '';

  constructor(options: ClientOptions, listener: ClientListener) {
    this.#options = options;
    this.#listener = listener;
    this.#reader = new StreamReader(options.blocks);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.opened = promise;
    this.#opening = { resolve, reject };
    const { port, chunk } = options;
    const callback = (length: number): boolean => {
      this.#received(chunk.subarray(0, length));
      return true;
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer: chunk, callback } });
    this.#socket.on('error', (error) => this.#lost(error));
    this.#socket.on('close', () => this.#lost(new Error('the server closed a connection')));
    this.#socket.write(requestHead(options));
  }

  messages(block: Buffer, count: number): void {
    this.got += count;
    this.#listener.got(this, block, count);
  }

  heartbeat(): void {
    this.heartbeats++;
    if (this.#options.transport === 'websocket') this.#socket.write(PONG);
  }

  #received(chunk: Buffer): void {
    if (this.#head === null) return this.#reader.push(chunk, this);
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf(HEAD_END);
    if (end === -1) return;
    const head = this.#head.slice(0, end);
    const rest = Buffer.from(this.#head.slice(end + HEAD_END.length), 'latin1');
    this.#head = null;
    if (!/^HTTP\/1\.1 (101|200) /.test(head)) return this.#lost(new Error(`a stream was refused: ${head}\n${rest}`));
    if (this.#options.compressed && !AGREED.test(head))
      return this.#lost(new Error(`a stream is not compressed: ${head}`));
    this.#opening?.resolve();
    this.#opening = null;
    this.#reader.push(rest, this);
  }

  #lost(error: Error): void {
    this.#opening?.reject(error);
    this.#opening = null;
    this.#listener.lost(error);
  }
}

function requestHead({ transport, port, channel, after, compressed }: ClientOptions): string {
  const path = transport === 'sse' ? '/v1/sse' : '/v1/ws';
  const handshake = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...(compressed ? ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'] : []),
  ];
  const stream = ['Accept: text/event-stream', ...(compressed ? ['Accept-Encoding: gzip'] : [])];
  const lines = [
    `GET ${path}?channel=${channel}${after === undefined ? '' : `&after=${after}`} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...(transport === 'sse' ? stream : handshake),
  ];
  return lines.join('\r\n') + HEAD_END;
}
