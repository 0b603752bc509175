import type { Report } from '../report.ts';
import { table } from '../table.ts';
import type { Spread } from '../turns.ts';
import { APPEND_ROUNDS, type AppendFigures, type AppendPart } from './append.ts';
import { APPEND_DATA_BYTES } from './appends.ts';
import { MANY_DATA_BYTES, type ManyChannels } from './channels.ts';
import type { CrowdFigures } from './crowd.ts';
import type { LogFigures } from './log.ts';
import { CHANNEL_DATA_BYTES, type MemoryFigures } from './memory.ts';
import { REPLAY_ROUNDS, type ReplayFigures } from './replay.ts';
import { PAGE_MESSAGES } from './replays.ts';
import type { Speeds } from './rounds.ts';
import { TAIL_MESSAGES, TAIL_ROUNDS, type TailPart } from './tail.ts';

/** No targets: what the log costs beside the least that Redis could be asked. */
export function logReport({ appends, tail, replays, crowd, memory, many }: LogFigures): Report {
  const sections = [
    ...appends.map(appendText),
    tailText(tail),
    replayText(replays),
    crowdText(crowd),
    memoryText(memory),
    manyText(many),
  ];
  return { text: sections.join('\n\n'), missed: [] };
}

function appendText({ onDisk, log, http }: AppendPart): string {
  const head = ['', 'nodes', 'messages/s', 'bare XADD/s', 'ratio', 'of rounds', 'Redis: CPU', 'bare'];
  const rows = [
    ...log.map((figures, i) => appendCells(figures.nodes === log[i - 1]?.nodes ? '     ' : 'log, ', figures)),
    ...http.map((figures) => appendCells('', figures)),
  ];
  const disk = onDisk ? 'on the disk before they are answered (appendfsync always)' : 'in memory alone (no file)';
  return [
    `Appends of ${APPEND_DATA_BYTES} B, ${disk}: medians of ${APPEND_ROUNDS} rounds, the log and as many bare XADD by turns`,
    table([head, ...rows]),
  ].join('\n');
}

function appendCells(prefix: string, { how, nodes, measured, reference, ratio, redis }: AppendFigures): string[] {
  return [
    prefix + how,
    String(nodes),
    whole(measured),
    whole(reference),
    ratio.median.toFixed(2),
    range(ratio),
    `${redis.measured.toFixed(1)} µs`,
    `${redis.reference.toFixed(1)} µs`,
  ];
}

function tailText({ start, behind, live }: TailPart): string {
  const head = ['', 'messages/s', 'bare XREAD/s', 'ratio', 'of rounds'];
  return [
    `Tail, messages of ${APPEND_DATA_BYTES} B: medians of ${TAIL_ROUNDS} rounds, the tail and a bare loop of XREAD by turns`,
    table([head, ['a start, from a full log', ...speedCells(start)], ['behind, catching up', ...speedCells(behind)]]),
    `  A full log has ${TAIL_MESSAGES} entries. Behind: appended while the process was stopped.`,
    `  Live: ${whole(live.appended)} messages/s were appended, the tail brought ${whole(live.brought)}. CPU of the process per message: ` +
      `${live.cpu.tail.toFixed(1)} µs, a bare loop beside it ${live.cpu.bare.toFixed(1)} µs; ratio ${live.ratio.median.toFixed(2)} (${range(live.ratio)}).`,
  ].join('\n');
}

function replayText(all: readonly ReplayFigures[]): string {
  const head = ['', 'messages/s', 'bare XRANGE/s', 'ratio', 'of rounds'];
  const rows = all.map((figures) => [`${figures.messages} messages`, ...speedCells(figures)]);
  return [
    `Replay of one channel, pages of ${PAGE_MESSAGES}, one after another: medians of ${REPLAY_ROUNDS} rounds by turns`,
    table([head, ...rows]),
  ].join('\n');
}

function crowdText({ clients, messages, seconds, reads, commands }: CrowdFigures): string {
  const named = [...commands].map(([name, count]) => `${name} ${count}`);
  return [
    `${clients} clients (SSE) come to one node with the same cursor, older than the node's memory: ${messages} messages to replay`,
    `  All had all of them after ${seconds.toFixed(1)} s. The history was read ${reads} times.`,
    `  Commands that Redis carried out meanwhile: ${named.join(', ')}.`,
  ].join('\n');
}

function memoryText({ messages, channels }: MemoryFigures): string {
  const perMessage = [
    ['', ...messages.map(({ dataBytes }) => `${dataBytes} B`)],
    ['log entry', ...messages.map(({ log }) => bytes(log))],
    ['history entry', ...messages.map(({ history }) => bytes(history))],
    ['idempotency key', ...messages.map(({ idempotencyKey }) => bytes(idempotencyKey))],
  ];
  const perChannel = [
    ['', ...channels.map((figures) => String(figures.messages))],
    ['a channel', ...channels.map((figures) => bytes(figures.bytes))],
  ];
  return [
    'Memory of Redis (used_memory) per message, by the size of its data',
    table(perMessage),
    `Memory of Redis per channel, by the messages of ${CHANNEL_DATA_BYTES} B in its history`,
    table(perChannel),
  ].join('\n');
}

function manyText(many: ManyChannels): string {
  const head = [
    'channels',
    'filled in',
    'used_memory',
    'a channel',
    'resident',
    'appends/s first',
    'last',
    'replays/s',
  ];
  const row = [
    String(many.channels),
    `${many.fillSeconds.toFixed(0)} s`,
    megabytes(many.usedBytes),
    bytes(many.bytesPerChannel),
    megabytes(many.residentBytes),
    whole(many.firstAppends),
    whole(many.lastAppends),
    whole(many.replays),
  ];
  return [
    `Many channels of ${many.messagesPerChannel} messages of ${MANY_DATA_BYTES} B in one Redis, with its file`,
    table([head, row]),
    '  Appends by batches of 1000 from one process, the first twentieth and the last. A replay is the whole history of one channel.',
  ].join('\n');
}

function speedCells({ measured, reference, ratio }: Speeds): string[] {
  return [whole(measured), whole(reference), ratio.median.toFixed(2), range(ratio)];
}

function range({ least, most }: Spread): string {
  return `${least.toFixed(2)}–${most.toFixed(2)}`;
}

function whole(value: number): string {
  return value.toFixed(0);
}

function bytes(value: number): string {
  return `${value.toFixed(0)} B`;
}

function megabytes(value: number): string {
  return `${(value / 1e6).toFixed(0)} MB`;
}
