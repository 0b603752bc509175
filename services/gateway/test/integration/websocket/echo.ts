import { afterAll, beforeAll, expect } from 'vitest';
import { startEchoServer } from '../../support/echo-server.ts';
import { type Answer, type Headers, RawSocket, readAnswer } from '../../support/raw-socket.ts';
import { CLOSE, clientFrame, type Frame, RawWebSocket, TEXT } from '../../support/raw-websocket.ts';

/** What an echo server did with bytes after which it closed. */
interface Ending {
  readonly code: number;
  readonly reason: string;
  /** All that it sent. */
  readonly frames: readonly Frame[];
}

/** The echo server of a test file, started and stopped with it, as raw clients see it. */
export class Echo {
  #server: Awaited<ReturnType<typeof startEchoServer>> | undefined;

  constructor(options: Parameters<typeof startEchoServer>[0] = {}) {
    beforeAll(async () => {
      this.#server = await startEchoServer({ port: 0, ...options });
    });
    afterAll(() => this.#server?.stop());
  }

  get port(): number {
    if (this.#server === undefined) throw new Error('the echo server has not started');
    return this.#server.port;
  }

  /** The answer to a request, and the socket, which may be open still. */
  async ask(request: string): Promise<Answer & { readonly socket: RawSocket }> {
    const socket = await new RawSocket(this.port).send(request).hears('\r\n\r\n');
    return { ...readAnswer(socket.text), socket };
  }

  /** A WebSocket whose handshake was accepted. `early`: bytes that go out right behind the request. */
  async open(headers: Headers = {}, early?: Buffer): Promise<RawWebSocket> {
    const socket = new RawWebSocket(this.port, '/', early, headers);
    await socket.hears('\r\n\r\n');
    expect(readAnswer(socket.text).status, socket.text).toBe(101);
    return socket;
  }

  /** What a connection that sends these bytes is told, up to the end, which the server makes. */
  async ending(bytes: Buffer | readonly Buffer[], headers: Headers = {}): Promise<Ending> {
    const socket = await this.open(headers);
    socket.send(Buffer.concat([bytes].flat()));
    const close = await socket.closeFrame();
    await socket.end();
    return { ...close, frames: socket.frames };
  }

  /** Expects bytes to fail the connection (RFC 6455, 7.1.7): one close frame with `code` and the end; a message behind them is not read. */
  async fails(code: number, what: string, bytes: Buffer | readonly Buffer[], headers: Headers = {}): Promise<void> {
    const ending = await this.ending([bytes, clientFrame(TEXT, 'behind it')].flat(), headers);
    expect(ending.code, `${what}: ${ending.reason}`).toBe(code);
    expect(
      ending.frames.map(({ opcode }) => opcode),
      what,
    ).toEqual([CLOSE]);
  }
}
