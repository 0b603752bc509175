import { availableParallelism, cpus } from 'node:os';
import process from 'node:process';
import { type DeliveryFigures, ROUNDS, type TransportDelivery } from './delivery.ts';
import { IDLE_CONNECTIONS, type IdleFigures, MOST_IDLE_CONNECTIONS, type TransportIdle } from './idle.ts';
import type { Transport } from './stream-reader.ts';

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
  const rows = all.flatMap(({ transport, shared, own }) => [
    row(NAMES[transport], transport, 'one for all', shared),
    row('', transport, 'one each', own),
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

function verdict(met: boolean): string {
  return met ? 'met' : 'MISSED';
}

function kb(bytes: number): string {
  return `${(bytes / 1000).toFixed(2)} KB`;
}

/** Columns as wide as they need; the first and the last are aligned to the left, figures to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const pad = (cell: string, i: number): string =>
    i === 0 || i === widths.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  return rows.map((row) => `  ${row.map(pad).join('   ')}`.trimEnd()).join('\n');
}
