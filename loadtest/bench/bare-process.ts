import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { answer } from './questions.ts';

/** What the bare loop's process can be asked. */
export interface BareLoop {
  /** Listens, and tells the port. */
  readonly listen: () => Promise<number>;
  /** Sets the bytes that `write` writes. */
  readonly prepare: (bytes: Uint8Array) => void;
  /** One write to every socket. */
  readonly write: () => void;
}

/** Ends the head of an HTTP answer: all that a client of the bench waits for. */
const GREETING = 'HTTP/1.1 200 OK\r\n\r\n';

/** What fan-out costs at the least in Node: plain sockets, and a loop that writes the same bytes to each. */
function main(): void {
  const sockets = new Set<Socket>();
  let bytes = Buffer.alloc(0);
  // Like the sockets of Node's HTTP server.
  const server = createServer({ noDelay: true }, (socket) => {
    socket.once('data', () => {
      socket.write(GREETING);
      sockets.add(socket);
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });

  answer({
    async listen() {
      server.listen(0, '127.0.0.1', 4096);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    prepare(next: Uint8Array) {
      bytes = Buffer.from(next);
    },
    write() {
      for (const socket of sockets) socket.write(bytes);
    },
  } satisfies BareLoop);
}

main();
