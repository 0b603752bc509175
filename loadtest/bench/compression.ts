import type { Children } from './child.ts';
import { compressionCost } from './compression-cost.ts';
import { type GatewayProcess, Publisher, QUIET, startGateway } from './gateway-process.ts';
import { Listeners } from './listeners.ts';
import { notifications } from './notification.ts';
import type { Transport } from './stream-reader.ts';
import { repeat, type Side, type Spread, takeTurns } from './turns.ts';

/** What compression costs and saves for messages of one size that so many connections get. */
export interface CompressionFigures {
  readonly connections: number;
  readonly messagesPerWrite: number;
  /** Of each message's `data`. */
  readonly dataBytes: number;
  /** Per delivery (one message to one connection): bytes that the gateway writes to the socket. */
  readonly bytes: { readonly plain: number; readonly compressed: number };
  /** Per delivery: CPU microseconds of the gateway, publish and compression included. Medians over the rounds. */
  readonly cpu: { readonly plain: number; readonly compressed: number };
  /** Of the CPU, compressed to plain. */
  readonly ratio: Spread;
}

export interface TransportCompression {
  readonly transport: Transport;
  /** A message in each write, for many connections. */
  readonly one: readonly CompressionFigures[];
  /** Several in each write, for many. */
  readonly batch: readonly CompressionFigures[];
  /** A message for one connection alone: nobody shares its compression. */
  readonly alone: readonly CompressionFigures[];
  /** CPU microseconds of compressing one message, for each size of `one`. */
  readonly cost: readonly number[];
}

/** So many ask for compression, and as many others do not. */
export const COMPRESSION_CONNECTIONS = 400;
export const COMPRESSION_ROUNDS = 8;
const WRITES_PER_ROUND = 10;
/** The same for one connection, where a write is little work. */
const ALONE_WRITES_PER_ROUND = 25;
/** From a short notification to the longest that a node takes by default. */
const DATA_BYTES = [256, 1024, 4096, 16_384, 65_536];
const BATCH_MESSAGES = 16;
/** More would be too much for the sockets' buffers, and measure those. */
const BATCH_DATA_BYTES = [256, 1024, 4096];
const DIFFERENT_MESSAGES = 16;
const WARM_UP_WRITES = 4;

/** Connections of one kind, all on one channel. */
interface Group {
  readonly channel: string;
  readonly listeners: Listeners;
}

/** As many connections that ask for compression as others that do not. */
interface Groups {
  readonly connections: number;
  readonly plain: Group;
  readonly compressed: Group;
}

/** Measures one transport: one node, whose connections of both kinds are served by turns. The caller stops the children. */
export async function measureCompression(children: Children, transport: Transport): Promise<TransportCompression> {
  const gateway = await startGateway(children, QUIET);
  const publisher = new Publisher(gateway.port);

  const open = async (connections: number, compressed: boolean): Promise<Group> => {
    // Names of one length: they stand in every frame.
    const channel = `bench:${compressed ? 'deflated' : 'verbatim'}:${connections}`;
    const listeners = new Listeners(children, `the clients of ${channel}`);
    await listeners.open({ transport, port: gateway.port, count: connections, channel, own: false, compressed });
    return { channel, listeners };
  };
  const openBoth = async (connections: number): Promise<Groups> => ({
    connections,
    plain: await open(connections, false),
    compressed: await open(connections, true),
  });

  const compare = async (
    groups: Groups,
    dataBytes: number,
    perWrite: number,
    writesPerRound: number,
  ): Promise<CompressionFigures> => {
    const messages = notifications(dataBytes, DIFFERENT_MESSAGES);
    const compressed = new Deliveries(gateway, publisher, groups.compressed, messages, perWrite);
    const plain = new Deliveries(gateway, publisher, groups.plain, messages, perWrite);
    await repeat(WARM_UP_WRITES, compressed.work);
    await repeat(WARM_UP_WRITES, plain.work);
    const { measured, reference, ratio } = await takeTurns(COMPRESSION_ROUNDS, writesPerRound, compressed, plain);
    const deliveries = perWrite * groups.connections;
    return {
      connections: groups.connections,
      messagesPerWrite: perWrite,
      dataBytes,
      bytes: { plain: plain.bytesPerMessage, compressed: compressed.bytesPerMessage },
      cpu: { plain: reference / deliveries, compressed: measured / deliveries },
      ratio,
    };
  };

  try {
    const many = await openBoth(COMPRESSION_CONNECTIONS);
    const single = await openBoth(1);
    // A first time that does not count: until the compiler has seen all that is hot.
    await compare(many, 1024, 1, WRITES_PER_ROUND);
    const one = await inTurn(DATA_BYTES, (bytes) => compare(many, bytes, 1, WRITES_PER_ROUND));
    const batch = await inTurn(BATCH_DATA_BYTES, (bytes) => compare(many, bytes, BATCH_MESSAGES, WRITES_PER_ROUND));
    const alone = await inTurn(DATA_BYTES, (bytes) => compare(single, bytes, 1, ALONE_WRITES_PER_ROUND));
    const cost = DATA_BYTES.map((bytes) => compressionCost(transport, notifications(bytes, DIFFERENT_MESSAGES)));
    return { transport, one, batch, alone, cost };
  } finally {
    publisher.close();
  }
}

/** Messages to one group, one write at a time: the next is published when all have the one before. */
class Deliveries implements Side {
  readonly process: Side['process'];
  readonly work: () => Promise<void>;
  #messages = 0;
  #bytes = 0;

  constructor(gateway: GatewayProcess, publisher: Publisher, group: Group, data: readonly string[], perWrite: number) {
    this.process = gateway.process;
    this.work = async () => {
      const next = Array.from({ length: perWrite }, (_, i) => data[(this.#messages + i) % data.length] ?? '');
      await publisher.publishMany(group.channel, next);
      this.#bytes += (await group.listeners.have(perWrite)).length;
      this.#messages += perWrite;
    };
  }

  /** As they came to one of the connections. */
  get bytesPerMessage(): number {
    return this.#bytes / this.#messages;
  }
}

async function inTurn<A, B>(all: readonly A[], measure: (each: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (const each of all) results.push(await measure(each));
  return results;
}
