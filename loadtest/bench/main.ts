import process from 'node:process';
import { type Arguments, HELP, type Part, readArguments, USAGE } from './arguments.ts';
import { Children } from './child.ts';
import { COMPRESSION_CONNECTIONS, measureCompression } from './compression.ts';
import { measureDelivery } from './delivery.ts';
import { MOST_IDLE_CONNECTIONS, measureIdle } from './idle.ts';
import { CROWD_CLIENTS } from './log/crowd.ts';
import { measureLog } from './log/log.ts';
import { logReport } from './log/report.ts';
import { openFilesProblem } from './open-files.ts';
import { compressionReport, deliveryReport, idleReport, machineLine, type Report } from './report.ts';
import { TRANSPORTS, type Transport } from './stream-reader.ts';

/** The bench behind `npm run bench`. Its exit code: 0 every target is met, 1 one was missed or something failed, 2 for bad words. */
async function main(words: readonly string[]): Promise<number> {
  let given: Arguments;
  try {
    given = readArguments(words);
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (given.help) {
    console.log(HELP);
    return 0;
  }

  const children = new Children();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => children.close());
  console.log(`Fanfare bench: ${machineLine()}`);
  const missed: string[] = [];
  try {
    for (const part of given.parts) {
      const report = await MEASURE[part](children, given);
      console.log(`\n${report.text}`);
      missed.push(...report.missed);
    }
  } catch (error) {
    console.error(`bench: ${children.closed ? 'stopped before it was done' : (error as Error).message}`);
    return children.closed ? 130 : 1;
  } finally {
    await children.stop();
  }
  if (missed.length > 0) console.error();
  for (const sentence of missed) console.error(`bench: target missed: ${sentence}`);
  return missed.length === 0 ? 0 : 1;
}

const MEASURE: Readonly<Record<Part, (children: Children, options: Arguments) => Promise<Report>>> = {
  async delivery(children, options) {
    checkOpenFiles(options.connections);
    const figures = await forEachTransport(children, (transport) => measureDelivery(children, transport, options));
    return deliveryReport(figures, options.connections);
  },
  async idle(children) {
    checkOpenFiles(MOST_IDLE_CONNECTIONS);
    return idleReport(await forEachTransport(children, (transport) => measureIdle(children, transport)));
  },
  async compression(children) {
    checkOpenFiles(2 * COMPRESSION_CONNECTIONS);
    return compressionReport(await forEachTransport(children, (transport) => measureCompression(children, transport)));
  },
  async log(children, { channels }) {
    checkOpenFiles(CROWD_CLIENTS);
    return logReport(await measureLog(children, channels));
  },
};

/** Each transport is measured with processes of its own. */
async function forEachTransport<T>(children: Children, measure: (transport: Transport) => Promise<T>): Promise<T[]> {
  const figures: T[] = [];
  for (const transport of TRANSPORTS) {
    figures.push(await measure(transport));
    await children.stop();
  }
  return figures;
}

function checkOpenFiles(sockets: number): void {
  const problem = openFilesProblem(sockets);
  if (problem !== undefined) throw new Error(problem);
}

process.exitCode = await main(process.argv.slice(2));
