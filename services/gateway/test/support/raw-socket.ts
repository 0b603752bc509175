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

/** The head of a request, ended. */
export function head(line: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** The headers of a good WebSocket handshake, with the example key of RFC 6455, 1.3. */
export const WEBSOCKET_HEADERS = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
} as const;
