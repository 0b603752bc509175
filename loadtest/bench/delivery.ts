import type { BareLoop } from './bare-process.ts';
import type { Child, Children } from './child.ts';
import type { Clients } from './client-process.ts';
import { Publisher, startGateway } from './gateway-process.ts';
import { median } from './median.ts';
import type { Transport } from './stream-reader.ts';

export interface DeliveryOptions {
  readonly connections: number;
  /** Messages at one per write over all rounds: the gateway delivers so many, and so does the bare loop. */
  readonly messages: number;
}

/** CPU microseconds per delivery (one message to one connection): medians over the rounds. */
export interface DeliveryFigures {
  readonly messagesPerWrite: number;
  readonly bytesPerMessage: number;
  readonly gateway: number;
  readonly bare: number;
  /** The gateway's over the bare loop's, in rounds that ran one after the other. */
  readonly ratio: { readonly median: number; readonly least: number; readonly most: number };
}

export interface TransportDelivery {
  readonly transport: Transport;
  readonly one: DeliveryFigures;
  readonly batch: DeliveryFigures;
  /** CPU microseconds of the gateway for a publish that nobody follows: the deliveries of a message share it. */
  readonly publish: number;
}

/** Gateway and bare loop take turns, so that whatever else the machine does meets both. */
export const ROUNDS = 10;
export const BATCH_MESSAGES = 16;
const BATCHES_PER_ROUND = 15;
const PUBLISHES_PER_ROUND = 40;
const CHANNEL = 'bench';
/** A notification of a usual size. */
const DATA = JSON.stringify({ orderId: 420_042, state: 'paid', text: 'Thank you for your order. '.repeat(6) });
/** Until the compiler has seen all that is hot, and buffers and heap have grown. */
const WARM_UP_MESSAGES = 160;
/** So that next to no heartbeat falls into a measurement. */
const QUIET = { FANFARE_HEARTBEAT_INTERVAL: '3600' };

/** Measures one transport of the gateway, and the bare loop next to it. The caller stops the children. */
export async function measureDelivery(
  children: Children,
  transport: Transport,
  { connections, messages }: DeliveryOptions,
): Promise<TransportDelivery> {
  const gateway = await startGateway(children, QUIET);
  const bare = children.start<BareLoop>('the bare loop', new URL('./bare-process.ts', import.meta.url));
  const publisher = new Publisher(gateway.port);
  const bareListeners = new Listeners(children, "the bare loop's clients");
  const gatewayListeners = new Listeners(children, "the gateway's clients");
  await bareListeners.open(transport, await bare.ask('listen', undefined), connections);
  await gatewayListeners.open(transport, gateway.port, connections);

  /** Each writes so many messages at once to every connection, and waits until they have arrived. */
  const writeGateway = async (perWrite: number): Promise<Uint8Array> => {
    await (perWrite === 1 ? publisher.publish(CHANNEL, DATA) : publisher.publishMany(CHANNEL, DATA, perWrite));
    return gatewayListeners.have(perWrite);
  };
  const writeBare = async (perWrite: number): Promise<Uint8Array> => {
    await bare.ask('write', undefined);
    return bareListeners.have(perWrite);
  };

  const compare = async (perWrite: number, writesPerRound: number): Promise<DeliveryFigures> => {
    const prepared = await writeGateway(perWrite);
    await bare.ask('prepare', prepared);
    await repeat(WARM_UP_MESSAGES / perWrite, () => writeGateway(perWrite));
    await repeat(WARM_UP_MESSAGES / perWrite, () => writeBare(perWrite));
    const perDelivery = 1 / (writesPerRound * perWrite * connections);
    const rounds: { gateway: number; bare: number }[] = [];
    await repeat(ROUNDS, async () => {
      const gatewayCpu = await cpuOf(gateway.process, () => repeat(writesPerRound, () => writeGateway(perWrite)));
      const bareCpu = await cpuOf(bare, () => repeat(writesPerRound, () => writeBare(perWrite)));
      rounds.push({ gateway: gatewayCpu * perDelivery, bare: bareCpu * perDelivery });
    });
    const ratios = rounds.map((round) => round.gateway / round.bare);
    return {
      messagesPerWrite: perWrite,
      bytesPerMessage: Math.round(prepared.length / perWrite),
      gateway: median(rounds.map((round) => round.gateway)),
      bare: median(rounds.map((round) => round.bare)),
      ratio: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
    };
  };

  try {
    const one = await compare(1, Math.ceil(messages / ROUNDS));
    const batch = await compare(BATCH_MESSAGES, BATCHES_PER_ROUND);
    const publishes: number[] = [];
    await repeat(ROUNDS, async () => {
      const publishing = () => repeat(PUBLISHES_PER_ROUND, () => publisher.publish(`${CHANNEL}:nobody`, DATA));
      publishes.push((await cpuOf(gateway.process, publishing)) / PUBLISHES_PER_ROUND);
    });
    return { transport, one, batch, publish: median(publishes) };
  } finally {
    publisher.close();
  }
}

/** A process full of clients, and how many messages each of them has. */
class Listeners {
  readonly #process: Child<Clients>;
  #messages = 0;

  constructor(children: Children, name: string) {
    this.#process = children.start<Clients>(name, new URL('./client-process.ts', import.meta.url));
  }

  open(transport: Transport, port: number, count: number): Promise<void> {
    return this.#process.ask('open', { transport, port, count, channel: CHANNEL, own: false });
  }

  /** Resolves when everyone has so many more messages, to their bytes. */
  have(more: number): Promise<Uint8Array> {
    this.#messages += more;
    return this.#process.ask('reached', this.#messages);
  }
}

type Probed = { ask(question: 'cpu', argument: undefined): Promise<number> };

/** CPU microseconds that a process takes while something is done. */
async function cpuOf(process: Probed, work: () => Promise<void>): Promise<number> {
  const before = await process.ask('cpu', undefined);
  await work();
  return (await process.ask('cpu', undefined)) - before;
}

async function repeat(times: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < times; i++) await work();
}
