import type { BareLoop } from './bare-process.ts';
import type { Children } from './child.ts';
import { Publisher, QUIET, startGateway } from './gateway-process.ts';
import { Listeners } from './listeners.ts';
import { median } from './median.ts';
import type { Transport } from './stream-reader.ts';
import { cpuPerWork, repeat, type Spread, takeTurns } from './turns.ts';

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
  /** The gateway's over the bare loop's. */
  readonly ratio: Spread;
}

export interface TransportDelivery {
  readonly transport: Transport;
  readonly one: DeliveryFigures;
  readonly batch: DeliveryFigures;
  /** CPU microseconds of the gateway for a publish that nobody follows: the deliveries of a message share it. */
  readonly publish: number;
}

export const ROUNDS = 10;
export const BATCH_MESSAGES = 16;
const BATCHES_PER_ROUND = 15;
const PUBLISHES_PER_ROUND = 40;
const CHANNEL = 'bench';
/** A notification of a usual size. */
const DATA = JSON.stringify({ orderId: 420_042, state: 'paid', text: 'Thank you for your order. '.repeat(6) });
/** Until the compiler has seen all that is hot, and buffers and heap have grown. */
const WARM_UP_MESSAGES = 160;

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
  const alike = { transport, count: connections, channel: CHANNEL, own: false, compressed: false };
  await bareListeners.open({ ...alike, port: await bare.ask('listen', undefined) });
  await gatewayListeners.open({ ...alike, port: gateway.port });

  /** Each writes so many messages at once to every connection, and waits until they have arrived. */
  const writeGateway = async (perWrite: number): Promise<Uint8Array> => {
    if (perWrite === 1) await publisher.publish(CHANNEL, DATA);
    else await publisher.publishMany(CHANNEL, Array<string>(perWrite).fill(DATA));
    return gatewayListeners.have(perWrite);
  };
  const writeBare = async (perWrite: number): Promise<Uint8Array> => {
    await bare.ask('write', undefined);
    return bareListeners.have(perWrite);
  };

  const compare = async (perWrite: number, writesPerRound: number): Promise<DeliveryFigures> => {
    const prepared = await writeGateway(perWrite);
    await bare.ask('prepare', prepared);
    const gatewaySide = { process: gateway.process, work: () => writeGateway(perWrite) };
    const bareSide = { process: bare, work: () => writeBare(perWrite) };
    await repeat(WARM_UP_MESSAGES / perWrite, gatewaySide.work);
    await repeat(WARM_UP_MESSAGES / perWrite, bareSide.work);
    const { measured, reference, ratio } = await takeTurns(ROUNDS, writesPerRound, gatewaySide, bareSide);
    const deliveries = perWrite * connections;
    return {
      messagesPerWrite: perWrite,
      bytesPerMessage: Math.round(prepared.length / perWrite),
      gateway: measured / deliveries,
      bare: reference / deliveries,
      ratio,
    };
  };

  try {
    const one = await compare(1, Math.ceil(messages / ROUNDS));
    const batch = await compare(BATCH_MESSAGES, BATCHES_PER_ROUND);
    const publishing = { process: gateway.process, work: () => publisher.publish(`${CHANNEL}:nobody`, DATA) };
    const publishes: number[] = [];
    await repeat(ROUNDS, async () => publishes.push(await cpuPerWork(PUBLISHES_PER_ROUND, publishing)));
    return { transport, one, batch, publish: median(publishes) };
  } finally {
    publisher.close();
  }
}
