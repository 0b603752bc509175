import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * The server of a JSON Web Key Set, as an identity provider runs it, on a port of its own. It can be down, slow, change its keys, and answer whatever
 * a test wants.
 *
 *     const server = await JwksServer.start([key.jwk]);
 *     onTestFinished(() => server.stop());
 *     … FANFARE_JWT_JWKS_URL: server.url …
 *     server.publish([newKey.jwk]);
 */
export class JwksServer {
  readonly #server: Server;
  readonly #held = new Set<ServerResponse>();
  #answer: RequestListener;
  #down: boolean;
  #slow = false;
  #reads = 0;

  private constructor(keys: readonly object[], down: boolean) {
    this.#answer = setAnswer(keys);
    this.#down = down;
    this.#server = createServer((request, response) => this.#received(request, response));
    // Those that come while it is down get nothing, as from a server that has just been killed. The port stays its own.
    this.#server.on('connection', (socket) => {
      if (this.#down) socket.destroy();
    });
  }

  /** `down`: it begins as one that cannot be reached. */
  static async start(keys: readonly object[], { down = false } = {}): Promise<JwksServer> {
    const server = new JwksServer(keys, down);
    await new Promise<void>((listening) => server.#server.listen(0, '127.0.0.1', listening));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks.json`;
  }

  /** How many requests have come. Those that met it down are not counted. */
  get reads(): number {
    return this.#reads;
  }

  /** How many requests wait because it is slow. */
  get waiting(): number {
    return this.#held.size;
  }

  /** From now on these are its keys. */
  publish(keys: readonly object[]): void {
    this.#answer = setAnswer(keys);
  }

  /** From now on it answers like this. */
  answer(answer: RequestListener): void {
    this.#answer = answer;
  }

  /** It cannot be reached any more: what is open breaks. */
  takeDown(): void {
    this.#down = true;
    this.#server.closeAllConnections();
  }

  bringUp(): void {
    this.#down = false;
  }

  /** Requests wait until `hurry`. */
  slowDown(): void {
    this.#slow = true;
  }

  /** Answers everybody that waits, and from now on at once. */
  hurry(): void {
    this.#slow = false;
    for (const response of this.#held) this.#answer(response.req, response);
    this.#held.clear();
  }

  async stop(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done));
    this.#server.closeAllConnections();
    await closed;
  }

  readonly #received: RequestListener = (request, response) => {
    this.#reads++;
    if (!this.#slow) return this.#answer(request, response);
    this.#held.add(response);
    response.on('close', () => this.#held.delete(response));
  };
}

function setAnswer(keys: readonly object[]): RequestListener {
  const body = JSON.stringify({ keys });
  return (_request, response) => response.writeHead(200, { 'content-type': 'application/jwk-set+json' }).end(body);
}
