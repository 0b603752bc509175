import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import {
  COMPRESSION_CONNECTIONS,
  COMPRESSION_ROUNDS,
  type CompressionFigures,
  type TransportCompression,
} from './compression.ts';
import { type DeliveryFigures, ROUNDS, type TransportDelivery } from './delivery.ts';
import { IDLE_CONNECTIONS, type IdleFigures, MOST_IDLE_CONNECTIONS, type TransportIdle } from './idle.ts';
import type { Transport } from './stream-reader.ts';
import { table } from './table.ts';

/** CPU per delivery at one message per write: at most this many times the bare loop's. */
const MOST_RATIO = 1.5;
/** Resident memory per idle connection. */
const MOST_IDLE_KB = 6;

const NAMES: Readonly<Record<Transport, string>> = { sse: 'SSE', websocket: 'WebSocket' };

/** What was found, as text, and the targets that were missed, a sentence each. */
export interface Report {
  readonly text: string;
  readonly missed: readonly string[];
}

/** The machine, in one line. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${availableParallelism()} cores (${model}), Node ${process.version}, ${process.platform} ${process.arch}`;
}

export function deliveryReport(all: readonly TransportDelivery[], connections: number): Report {
  const missed: string[] = [];
  const rows = all.flatMap(({ transport, one, batch }) => {
    const ratio = one.ratio.median;
    if (ratio > MOST_RATIO)
      missed.push(
        `${NAMES[transport]}: a delivery costs ${ratio.toFixed(2)} × the bare loop, the target is ≤ ${MOST_RATIO}`,
      );
    return [
      [NAMES[transport], ...deliveryCells(one), `≤ ${MOST_RATIO} ${verdict(ratio <= MOST_RATIO)}`],
      ['', ...deliveryCells(batch), ''],
    ];
  });
  const notes = all.map(
    ({ transport, one, batch, publish }) =>
      `${NAMES[transport]}: ${batch.messagesPerWrite} in a write cost ${(batch.gateway / one.gateway).toFixed(2)} of one alone, each. ` +
      `A publish costs ${publish.toFixed(0)} µs: ${(publish / connections).toFixed(2)} µs of each delivery at one per write.`,
  );
  return {
    text: [
      `CPU per delivery, ${connections} connections (medians of ${ROUNDS} rounds, the gateway and the bare loop by turns)`,
      table([['', 'one write', 'gateway', 'bare loop', 'ratio', 'of rounds', 'target'], ...rows]),
      ...notes.map((note) => `  ${note}`),
    ].join('\n'),
    missed,
  };
}

function deliveryCells({ messagesPerWrite, bytesPerMessage, gateway, bare, ratio }: DeliveryFigures): string[] {
  return [
    `${messagesPerWrite} × ${bytesPerMessage} B`,
    `${gateway.toFixed(2)} µs`,
    `${bare.toFixed(2)} µs`,
    ratio.median.toFixed(2),
    `${ratio.least.toFixed(2)}–${ratio.most.toFixed(2)}`,
  ];
}

export function idleReport(all: readonly TransportIdle[]): Report {
  const missed: string[] = [];
  const row = (name: string, transport: Transport, channel: string, { resident, heap }: IdleFigures): string[] => {
    const met = resident <= MOST_IDLE_KB * 1000;
    if (!met)
      missed.push(
        `${NAMES[transport]}, ${channel}: an idle connection takes ${kb(resident)}, the target is ≤ ${MOST_IDLE_KB} KB`,
      );
    return [name, channel, kb(resident), kb(heap), `≤ ${MOST_IDLE_KB} KB ${verdict(met)}`];
  };
  const rows = all.flatMap(({ transport, shared, own, compressed }) => [
    row(NAMES[transport], transport, 'one for all', shared),
    row('', transport, 'one each', own),
    row('', transport, 'one for all, compressed', compressed),
  ]);
  const notes = all.map(
    ({ transport, node }) =>
      `${NAMES[transport]}: the whole node has ${(node / 1e6).toFixed(0)} MB with its ${MOST_IDLE_CONNECTIONS} connections.`,
  );
  return {
    text: [
      `Resident memory per idle connection, the mean of ${IDLE_CONNECTIONS} more in a warm node (KB: 1000 bytes)`,
      table([['', 'channel', 'resident', 'JS heap', 'target'], ...rows]),
      ...notes.map((note) => `  ${note}`),
    ].join('\n'),
    missed,
  };
}

/** No target: it shows what the default (`FANFARE_COMPRESSION=on`) rests on. */
export function compressionReport(all: readonly TransportCompression[]): Report {
  const head = ['', 'one write', 'plain', 'compressed', 'saved', 'plain', 'compressed', 'ratio', 'of rounds'];
  const rows = all.flatMap(({ transport, one, batch, alone }) =>
    [...one, ...batch, ...alone].map((figures, i, rows) => {
      const { connections } = figures;
      const name = connections === rows[i - 1]?.connections ? '' : `${NAMES[transport]}, ${connections}`;
      return [name, ...compressionCells(figures)];
    }),
  );
  const notes = all.flatMap(({ transport, one, alone, cost }) => {
    const costs = one.map(({ dataBytes }, i) => `${cost[i]?.toFixed(0)} µs (${dataBytes} B)`);
    return [
      `${NAMES[transport]}: to compress one message takes, in a loop by itself, ${costs.join(', ')}.`,
      `${NAMES[transport]}: what the default rests on: ${range(one, saved, 1)} × fewer bytes, for ${range(one, costRatio, 2)} × the CPU ` +
        `where ${COMPRESSION_CONNECTIONS} share a message, ${range(alone, costRatio, 2)} × where one has it alone.`,
    ];
  });
  return {
    text: [
      `Compression: connections that ask for it, next to as many that do not (medians of ${COMPRESSION_ROUNDS} rounds, by turns)`,
      'Per delivery: bytes written to the socket, then CPU with its share of the publish',
      table([head, ...rows]),
      ...notes.map((note) => `  ${note}`),
    ].join('\n'),
    missed: [],
  };
}

function compressionCells({ messagesPerWrite, dataBytes, bytes, cpu, ratio }: CompressionFigures): string[] {
  return [
    `${messagesPerWrite} × ${dataBytes} B`,
    `${bytes.plain.toFixed(0)} B`,
    `${bytes.compressed.toFixed(0)} B`,
    `${(bytes.plain / bytes.compressed).toFixed(1)} ×`,
    `${cpu.plain.toFixed(2)} µs`,
    `${cpu.compressed.toFixed(2)} µs`,
    ratio.median.toFixed(2),
    `${ratio.least.toFixed(2)}–${ratio.most.toFixed(2)}`,
  ];
}

/** From the least to the most, over the sizes that come out smaller. */
function range(
  all: readonly CompressionFigures[],
  figure: (figures: CompressionFigures) => number,
  digits: number,
): string {
  const values = all.filter((figures) => saved(figures) > 1).map(figure);
  return `${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}`;
}

/** How many times fewer bytes. */
function saved({ bytes }: CompressionFigures): number {
  return bytes.plain / bytes.compressed;
}

function costRatio({ ratio }: CompressionFigures): number {
  return ratio.median;
}

function verdict(met: boolean): string {
  return met ? 'met' : 'MISSED';
}

function kb(bytes: number): string {
  return `${(bytes / 1000).toFixed(2)} KB`;
}
