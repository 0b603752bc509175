import { connect, type Socket } from 'node:net';
import { until } from './until.ts';

/** A TCP connection that sends exactly what it is told, and keeps every byte that comes. */
export class RawSocket {
  readonly socket: Socket;
  /** The other side has ended the connection, or it broke. */
  ended = false;
  errorCode: string | undefined;
  readonly #chunks: Buffer[] = [];

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' });
    this.socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code;
    });
    this.socket.on('close', () => {
      this.ended = true;
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  /** Waits until what has come holds `text`. */
  async hears(text: string): Promise<this> {
    await until(() => this.text.includes(text) || this.ended, `${JSON.stringify(text)} to come`);
    if (!this.text.includes(text)) throw new Error(`ended without ${JSON.stringify(text)}: ${this.text}`);
    return this;
  }

  /** Waits until the other side has closed. */
  async end(): Promise<this> {
    await until(() => this.ended, 'the other side to close');
    return this;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Header fields of a request; a list is as many lines, an empty one leaves the field out. */
export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** The head of a request, ended. */
export function head(line: string, headers: Headers = {}): string {
  const lines = Object.entries({ Host: 'localhost', ...headers }).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}\r\n`),
  );
  return `${line} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** An HTTP answer taken apart. */
export interface Answer {
  readonly status: number;
  /** By name, in lower case: the value of each line. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/** Reads the head of an answer, which must have come. */
export function readAnswer(text: string): Answer {
  const [statusLine = '', ...lines] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
  const fields = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
  return {
    status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]),
    headers: new Map(
      Map.groupBy(fields, ([name = '']) => name.toLowerCase())
        .entries()
        .map(([name, same]) => [name, same.map(([, value = '']) => value)]),
    ),
  };
}

/** The headers of a good WebSocket handshake, with the example key of RFC 6455, 1.3. */
export const WEBSOCKET_HEADERS = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
} as const;
