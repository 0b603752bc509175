import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A wire to Redis that a test can hold and cut. */
export interface RedisProxy {
  readonly url: string;
  /** Bytes of replies that were held back. */
  readonly heldBytes: number;
  /** From now on replies do not come through; commands still do. */
  holdReplies(): void;
  /** Lets through what was held back, and what comes. */
  releaseReplies(): void;
  /** Cuts all connections; what was held back is lost. New connections go through, replies too. */
  cut(): void;
  /** Cuts all connections, and every new one at once, until `accept`. */
  refuse(): void;
  accept(): void;
  close(): Promise<void>;
}

/** Starts a proxy on a free port in front of the Redis at `url`. */
export async function startRedisProxy(url: string): Promise<RedisProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let holding = false;
  let heldBytes = 0;
  let release: (() => void)[] = [];
  let refusing = false;
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const redis = connect(Number(target.port), target.hostname);
    for (const socket of [client, redis]) {
      sockets.add(socket);
      // Cut connections are what this is for.
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        redis.destroy();
      });
    }
    client.on('data', (chunk) => redis.write(chunk));
    redis.on('data', (chunk) => {
      if (!holding) {
        client.write(chunk);
        return;
      }
      heldBytes += chunk.length;
      release.push(() => client.write(chunk));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    holding = false;
    release = [];
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get heldBytes() {
      return heldBytes;
    },
    holdReplies() {
      holding = true;
      heldBytes = 0;
    },
    releaseReplies() {
      holding = false;
      for (const write of release.splice(0)) write();
    },
    cut,
    refuse() {
      refusing = true;
      cut();
    },
    accept() {
      refusing = false;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
