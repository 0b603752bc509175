import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket as WsClient } from 'ws';
import { checkHandshake, switchingProtocols } from '../../../../src/transports/websocket/handshake.ts';
import { encodeDeflated } from '../../../../src/wire/websocket/deflate-frame.ts';
import {
  encodeClose,
  encodeFrame,
  encodePing,
  encodePong,
  encodeText,
  OPCODE,
} from '../../../../src/wire/websocket/frame.ts';
import { Receiver, type ReceiverHandler, type ReceiverProblem } from '../../../../src/wire/websocket/receiver.ts';

const MAX = 2 ** 20;
const LENGTHS = [0, 1, 125, 126, 1000, 65535, 65536, 300_000];

/** Sends back what it gets, on a plain socket, compressed if that was negotiated. */
class Echo implements ReceiverHandler {
  readonly #socket: Duplex;
  readonly #deflate: boolean;
  readonly #receiver: Receiver;

  constructor(socket: Duplex, deflate: boolean) {
    this.#socket = socket;
    this.#deflate = deflate;
    this.#receiver = new Receiver({ maxMessageBytes: MAX, deflate, handler: this });
    socket.on('data', (chunk: Buffer) => this.#receiver.push(chunk));
    socket.on('error', () => socket.destroy());
  }

  frame(): void {}
  text(payload: string): void {
    this.#socket.write(this.#deflate ? encodeDeflated(OPCODE.text, Buffer.from(payload)) : encodeText(payload));
  }
  binary(payload: Buffer): void {
    this.#socket.write((this.#deflate ? encodeDeflated : encodeFrame)(OPCODE.binary, payload));
  }
  ping(payload: Buffer): void {
    this.#socket.write(encodePong(payload));
    this.#socket.write(encodePing(payload));
  }
  pong(payload: Buffer): void {
    this.#socket.write(encodeText(`pong ${payload}`));
  }
  closeReceived(code: number, reason: string): void {
    this.#socket.end(encodeClose(code, reason));
  }
  failed(problem: ReceiverProblem): void {
    this.#socket.end(encodeClose(problem.code, problem.detail));
  }
}

let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer();
  server.on('upgrade', (request, socket) => {
    const handshake = checkHandshake(request, { subprotocols: [], deflate: true });
    if (handshake.refusal !== undefined) return socket.destroy();
    socket.write(switchingProtocols(handshake));
    return new Echo(socket, handshake.extensions !== undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.close();
  await once(server, 'close');
});

const COMPRESSIONS = [
  { compression: 'without compression', perMessageDeflate: false, answer: '' },
  {
    compression: 'with compression',
    perMessageDeflate: { threshold: 0 },
    answer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  },
  {
    compression: 'with compression and a small window',
    perMessageDeflate: { threshold: 0, serverMaxWindowBits: 12, clientMaxWindowBits: 9 },
    answer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12',
  },
] as const;

describe.each(COMPRESSIONS)('the ws library $compression', ({ perMessageDeflate, answer }) => {
  async function connect(): Promise<WsClient> {
    const client = new WsClient(url, { perMessageDeflate });
    const [response] = (await once(client, 'upgrade')) as [IncomingMessage];
    expect(response.headers['sec-websocket-extensions'] ?? '').toBe(answer);
    if (client.readyState !== client.OPEN) await once(client, 'open');
    return client;
  }

  async function closed(client: WsClient): Promise<[number, string]> {
    const [code, reason] = (await once(client, 'close')) as [number, Buffer];
    return [code, reason.toString()];
  }

  test('gets back text and bytes of every length', async () => {
    const client = await connect();
    for (const length of LENGTHS) {
      const text = 'Größe 𐀀 '.repeat(length).slice(0, length).toWellFormed();
      client.send(text);
      expect(String((await once(client, 'message'))[0]) === text, `${length}`).toBe(true);
      const bytes = Buffer.alloc(length, 'abc');
      client.send(bytes);
      expect(bytes.equals((await once(client, 'message'))[0] as Buffer), `${length}`).toBe(true);
    }
    client.close();
    expect(await closed(client)).toEqual([1005, '']);
  });

  test('sends fragments with a ping in between, and is understood', async () => {
    const client = await connect();
    const ponged = once(client, 'pong');
    const messages: string[] = [];
    client.on('message', (data) => messages.push(String(data)));
    client.send('one ', { fin: false });
    client.ping('hi');
    client.send('two ', { fin: false });
    client.send('three', { fin: true });
    expect(String((await ponged)[0])).toBe('hi');
    while (messages.length < 2) await once(client, 'message');
    expect(messages.sort()).toEqual(['one two three', 'pong hi']);
    client.close(4000, 'über');
    expect(await closed(client)).toEqual([4000, 'über']);
  });

  test('is told the close code when it sends too much', async () => {
    const client = await connect();
    client.on('error', () => undefined); // the rest of what it sends may meet a closed socket
    client.send(Buffer.alloc(MAX + 1));
    expect((await closed(client))[0]).toBe(1009);
  });
});

describe("Node's own WebSocket", () => {
  test('negotiates compression, gets back text of every length, and its close code and reason', async () => {
    const client = new WebSocket(url);
    const next = async (type: string) =>
      new Promise<Event>((resolve) => client.addEventListener(type, resolve, { once: true }));
    await next('open');
    expect(client.extensions).toContain('permessage-deflate');
    for (const length of LENGTHS) {
      const text = 'é'.repeat(length);
      client.send(text);
      expect(((await next('message')) as MessageEvent).data === text, `${length}`).toBe(true);
    }
    client.close(3001, 'bye');
    expect(await next('close')).toMatchObject({ code: 3001, reason: 'bye', wasClean: true });
  });
});
