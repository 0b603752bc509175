import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { OpenAccess } from '../../src/auth/open-access.ts';
import { Deadlines } from '../../src/auth/sessions/deadlines.ts';
import { Sessions } from '../../src/auth/sessions/sessions.ts';
import { FanfareError } from '../../src/errors.ts';
import { Registry } from '../../src/hub/registry.ts';
import { problemOf, writeProblem } from '../../src/problem.ts';
import { AddressLimit } from '../../src/transports/address-limit.ts';
import { checkHandshake, type Handshake, switchingProtocols } from '../../src/transports/websocket/handshake.ts';
import { RateLimit } from '../../src/transports/websocket/rate-limit.ts';
import { WebSocketConnection, type WebSocketContext } from '../../src/transports/websocket/websocket-connection.ts';
import { encodeDeflated } from '../../src/wire/websocket/deflate-frame.ts';
import { encodeFrame, OPCODE } from '../../src/wire/websocket/frame.ts';
import { silentMetrics } from './silent.ts';

const HELP = `A WebSocket server that echoes text and binary messages, made of the gateway's own handshake, receiver and sender, for suites
that test WebSocket servers. It speaks the subprotocol "echo".

  node services/gateway/test/support/echo-server.ts [--port N] [--host H] [--compression on|off] [--max-bytes N]

  --port         9001; 0: any, which is printed
  --host         127.0.0.1
  --compression  on: permessage-deflate is agreed on with those who offer it
  --max-bytes    largest message, 64 MiB
`;

interface EchoOptions {
  readonly port: number;
  readonly host: string;
  readonly compression: boolean;
  readonly maxBytes: number;
}

/** Sends every message back as it came: as text or binary, compressed where that was agreed on and is worth it. */
class EchoConnection extends WebSocketConnection {
  start(head: string, rest: Buffer): void {
    this.open(head);
    if (rest.length > 0) this.guard(() => this.received(rest));
  }

  protected textReceived(payload: string): void {
    this.#send(OPCODE.text, Buffer.from(payload));
  }

  protected binaryReceived(payload: Buffer): void {
    this.#send(OPCODE.binary, payload);
  }

  deliver(): number {
    throw new Error('an echo follows nothing');
  }

  gap(): void {}
  caughtUp(): void {}
  protected leaveAll(): void {}

  #send(opcode: 1 | 2, payload: Buffer): void {
    this.send(this.deflate ? encodeDeflated(opcode, payload) : encodeFrame(opcode, payload));
  }
}

/** Starts an echo server; where it listens, and how to stop it. */
export async function startEchoServer(
  options: Partial<EchoOptions> = {},
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const { port, host, compression, maxBytes } = { ...DEFAULTS, ...options };
  const registry = new Registry({ intervalSeconds: 25, timeoutSeconds: 10, maxAgeSeconds: 0 });
  // No heartbeats: an echo says nothing that it is not asked for.
  registry.stop();
  const context: WebSocketContext = {
    registry,
    addresses: new AddressLimit(0),
    sessions: new Sessions(0),
    deadlines: new Deadlines(),
    metrics: silentMetrics(),
    logger: { debug: () => {}, info: () => {}, warn: console.warn, error: console.error },
    // An echo answers as fast as it is asked: room for a suite that sends much before it reads.
    maxBacklogBytes: 4 * maxBytes,
    stallSeconds: 60,
    maxPayloadBytes: maxBytes,
    frames: new RateLimit(1_000_000, 10_000_000),
  };
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) =>
    response.writeHead(426, { upgrade: 'websocket', 'sec-websocket-version': '13' }).end(),
  );
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket: Socket, rest: Buffer) => {
    const handshake = checkHandshake(request, { subprotocols: ['echo'], deflate: compression });
    if (handshake.refusal === undefined) return accept(handshake, socket, rest);
    const { code, detail, headers } = handshake.refusal;
    const problem = problemOf(new FanfareError(code, detail));
    writeProblem(socket, { ...problem, headers: { ...problem.headers, ...headers } });
  });
  function accept(handshake: Handshake, socket: Socket, rest: Buffer): void {
    socket.setTimeout(0);
    const deflate = handshake.extensions !== undefined;
    const options = { deflate, address: undefined, principal: new OpenAccess().stranger };
    new EchoConnection(socket, context, options).start(switchingProtocols(handshake), rest);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const DEFAULTS: EchoOptions = { port: 9001, host: '127.0.0.1', compression: true, maxBytes: 64 * 1024 * 1024 };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: String(DEFAULTS.port) },
      host: { type: 'string', default: DEFAULTS.host },
      compression: { type: 'string', default: 'on' },
      'max-bytes': { type: 'string', default: String(DEFAULTS.maxBytes) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const server = await startEchoServer({
    port: Number(values.port),
    host: values.host,
    compression: values.compression === 'on',
    maxBytes: Number(values['max-bytes']),
  });
  console.log(`ready ws://${values.host}:${server.port}/`);
}

if (import.meta.main) await main();
