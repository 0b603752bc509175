import type { Children } from './child.ts';
import type { Clients } from './client-process.ts';
import { startGateway } from './gateway-process.ts';
import type { Memory } from './probe.ts';
import type { Transport } from './stream-reader.ts';

/** What one more idle connection costs a node, in bytes of its process. The kernel's part of a socket is not among them. */
export interface IdleFigures {
  readonly resident: number;
  /** Of the JavaScript heap. It is read more exactly than `resident`, which comes in pages that garbage may hold. */
  readonly heap: number;
}

export interface TransportIdle {
  readonly transport: Transport;
  /** The whole process at the end, in bytes. */
  readonly node: number;
  /** All follow the same channel. */
  readonly shared: IdleFigures;
  /** Each follows a channel of its own. */
  readonly own: IdleFigures;
  /** All follow the same channel, and compression was agreed on. */
  readonly compressed: IdleFigures;
}

/** Measured at a time. */
export const IDLE_CONNECTIONS = 4000;
/**
 * Opened first. A node that has just started has some 10 MB of memory that its start-up used and left free: connections
 * live in it at no cost until it is full, which takes about 5000 of them.
 */
const WARM_UP_CONNECTIONS = 6000;
/** Open at the end. */
export const MOST_IDLE_CONNECTIONS = WARM_UP_CONNECTIONS + 3 * IDLE_CONNECTIONS;
/** Short, so that every connection has had its heartbeat when it is measured: a first write may leave something behind. */
const HEARTBEATS = { FANFARE_HEARTBEAT_INTERVAL: '2', FANFARE_HEARTBEAT_TIMEOUT: '1.5' };
/**
 * The young generation is the heap's room for garbage. How large it is depends on how busy a node just was, not on how many
 * connections it has; left alone it comes and goes by tens of megabytes between two readings.
 */
const SMALL_YOUNG_GENERATION = ['--max-semi-space-size=1'];

/** Measures idle connections of one transport in a fresh node. The caller stops the children. */
export async function measureIdle(children: Children, transport: Transport): Promise<TransportIdle> {
  const gateway = await startGateway(children, HEARTBEATS, SMALL_YOUNG_GENERATION);
  const clients = children.start<Clients>('the clients', new URL('./client-process.ts', import.meta.url));
  const memoryWith = async (count: number, { own = false, compressed = false } = {}): Promise<Memory> => {
    await clients.ask('open', { transport, port: gateway.port, count, channel: 'bench', own, compressed });
    await clients.ask('beaten', undefined);
    return gateway.process.ask('memory', undefined);
  };
  // The garbage of the start-up first: what is opened into it would keep its pages.
  await gateway.process.ask('memory', undefined);
  const warm = await memoryWith(WARM_UP_CONNECTIONS);
  const shared = await memoryWith(IDLE_CONNECTIONS);
  const own = await memoryWith(IDLE_CONNECTIONS, { own: true });
  const compressed = await memoryWith(IDLE_CONNECTIONS, { compressed: true });
  return {
    transport,
    node: compressed.residentBytes,
    shared: growth(warm, shared),
    own: growth(shared, own),
    compressed: growth(own, compressed),
  };
}

function growth(before: Memory, after: Memory): IdleFigures {
  return {
    resident: (after.residentBytes - before.residentBytes) / IDLE_CONNECTIONS,
    heap: (after.heapBytes - before.heapBytes) / IDLE_CONNECTIONS,
  };
}
