import process from 'node:process';
import { type Arguments, HELP, readArguments, USAGE } from './arguments.ts';
import { Children } from './child.ts';
import { measureDelivery, type TransportDelivery } from './delivery.ts';
import { MOST_IDLE_CONNECTIONS, measureIdle, type TransportIdle } from './idle.ts';
import { openFilesProblem } from './open-files.ts';
import { deliveryReport, idleReport, machineLine, type Report } from './report.ts';
import { TRANSPORTS } from './stream-reader.ts';

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
      const report = await (part === 'delivery' ? delivery(children, given) : idle(children));
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

async function delivery(children: Children, options: Arguments): Promise<Report> {
  checkOpenFiles(options.connections);
  const figures: TransportDelivery[] = [];
  for (const transport of TRANSPORTS) {
    figures.push(await measureDelivery(children, transport, options));
    await children.stop();
  }
  return deliveryReport(figures, options.connections);
}

async function idle(children: Children): Promise<Report> {
  checkOpenFiles(MOST_IDLE_CONNECTIONS);
  const figures: TransportIdle[] = [];
  for (const transport of TRANSPORTS) {
    figures.push(await measureIdle(children, transport));
    await children.stop();
  }
  return idleReport(figures);
}

function checkOpenFiles(sockets: number): void {
  const problem = openFilesProblem(sockets);
  if (problem !== undefined) throw new Error(problem);
}

process.exitCode = await main(process.argv.slice(2));
