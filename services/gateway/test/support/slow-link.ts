import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How often it passes something on, milliseconds. */
const TICK = 10;

/** A slow link to a node: what the node sends comes through at a steady pace; what clients send, at once. */
export interface SlowLink {
  readonly url: string;
  close(): void;
}

/** Starts a slow link to the port of a node on this machine; the pace is each connection's own. */
export async function startSlowLink(port: number, bytesPerSecond: number): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const node = connect({ port, host: '127.0.0.1' });
    for (const socket of [client, node]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    client.pipe(node);
    let due = 0;
    let last = performance.now();
    const passOn = (): void => {
      const now = performance.now();
      due = Math.min(due + ((now - last) * bytesPerSecond) / 1000, bytesPerSecond);
      last = now;
      // What is not read waits at the node, as soon as the buffers on the way are full.
      while (due > 0 && node.readableLength > 0) {
        const chunk = node.read(Math.min(Math.ceil(due), node.readableLength)) as Buffer;
        due -= chunk.length;
        client.write(chunk);
      }
    };
    const timer = setInterval(passOn, TICK);
    node.on('readable', passOn);
    node.on('end', () => client.end());
    node.on('close', () => {
      clearInterval(timer);
      client.destroySoon();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
