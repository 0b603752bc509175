import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../fuzz/random.ts';

/** Between two troubles, milliseconds. */
const CALM = { least: 50, most: 400 };
/** So many of them are silences; the others are cuts. */
const SILENCES = 0.2;
/** How long a connection is silent, milliseconds: also for longer than a node waits for an answer. */
const SILENCE = { least: 100, most: 7_000 };

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
  /** New connections go to the Redis at this URL; those that are open stay where they are. */
  leadTo(url: string): void;
  /**
   * From now on connections are cut at random, in the middle of commands and of replies, or fall silent both ways while
   * they stay open; what was held in a silence is lost, or comes late, commands also when the node has given up.
   */
  trouble(random: Random): void;
  /** No more of that; silences that have begun go on to their end. */
  calm(): void;
  /** How many connections were cut at random, and how many fell silent. */
  readonly troubles: { readonly cuts: number; readonly silences: number };
  close(): Promise<void>;
}

/** Starts a proxy on a free port in front of the Redis at `url`. */
export async function startRedisProxy(url: string): Promise<RedisProxy> {
  let target = new URL(url);
  const sockets = new Set<Socket>();
  let holding = false;
  let heldBytes = 0;
  let release: (() => void)[] = [];
  let refusing = false;
  let random: Random | undefined;
  /** When the next chunk, of whatever connection, meets trouble. */
  let dueMs = 0;
  const troubles = { cuts: 0, silences: 0 };
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const redis = connect(Number(target.port), target.hostname);
    const wire = { isCut: false, silence: undefined as Promise<void> | undefined };
    const end = () => {
      client.destroy();
      // Not destroyed: a command that comes late must still come.
      redis.end();
    };
    for (const socket of [client, redis]) {
      sockets.add(socket);
      // Cut connections are what this is for.
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        // The far end of a silent wire does not know that this one is gone, and what was held may still arrive there.
        if (wire.silence === undefined) end();
        else void wire.silence.then(end);
      });
    }
    const pass = (chunk: Buffer, to: Socket, onward: (chunk: Buffer) => void): void => {
      if (wire.isCut) return;
      if (wire.silence !== undefined) {
        void wire.silence.then(() => pass(chunk, to, onward));
      } else if (random === undefined || performance.now() < dueMs) onward(chunk);
      else {
        dueMs = performance.now() + random.between(CALM.least, CALM.most);
        if (random.chance(SILENCES)) {
          troubles.silences++;
          wire.silence = silence(random.chance(0.5), random.between(SILENCE.least, SILENCE.most));
          void wire.silence.then(() => pass(chunk, to, onward));
        } else {
          troubles.cuts++;
          wire.isCut = true;
          to.write(chunk.subarray(0, random.below(chunk.length)), end);
        }
      }
    };
    const silence = async (isForever: boolean, milliseconds: number): Promise<void> => {
      await pause(milliseconds, undefined, { ref: false });
      wire.silence = undefined;
      wire.isCut = isForever;
      if (isForever) end();
    };
    client.on('data', (chunk: Buffer) => pass(chunk, redis, (bytes) => redis.write(bytes)));
    redis.on('data', (chunk: Buffer) =>
      pass(chunk, client, (bytes) => {
        if (!holding) {
          client.write(bytes);
          return;
        }
        heldBytes += bytes.length;
        release.push(() => client.write(bytes));
      }),
    );
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
    leadTo(other) {
      target = new URL(other);
    },
    trouble(by) {
      random = by;
    },
    calm() {
      random = undefined;
    },
    troubles,
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
