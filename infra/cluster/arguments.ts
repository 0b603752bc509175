import { parseArgs } from 'node:util';
import { MAX_NODES } from './cluster.ts';
import { MAX_EDGE_PORT } from './ports.ts';

export const USAGE = `usage: npm run cluster -- [--nodes 1..${MAX_NODES}] [--port PORT] [--redis-port PORT] [--tls] [--no-restart] [--help]`;

export const HELP = `${USAGE}

Runs Redis, Fanfare nodes and NGINX in front of them on this machine, until Ctrl-C.

  --nodes N          how many nodes (3)
  --port P           where NGINX listens (8080); nodes on P+1 …, their admin ports on P+101 …
  --redis-port P     where Redis listens (a free port)
  --tls              https instead of http, over HTTP/2 and HTTP/1.1, with a certificate made for this run
  --no-restart       leave a part that died as it is, instead of starting it again

FANFARE_* and LOG_LEVEL of the environment are passed on to the nodes.`;

export interface Arguments {
  readonly nodes: number;
  readonly port: number;
  readonly redisPort: number | undefined;
  readonly tls: boolean;
  readonly restart: boolean;
  readonly help: boolean;
}

/** Reads the command line. Throws an Error that says in one line what is wrong with it. */
export function readArguments(words: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...words],
    strict: true,
    allowPositionals: false,
    options: {
      nodes: { type: 'string', default: '3' },
      port: { type: 'string', default: '8080' },
      'redis-port': { type: 'string' },
      tls: { type: 'boolean', default: false },
      'no-restart': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const redisPort = values['redis-port'];
  return {
    nodes: wholeNumber('--nodes', values.nodes, 1, MAX_NODES),
    port: wholeNumber('--port', values.port, 1, MAX_EDGE_PORT),
    redisPort: redisPort === undefined ? undefined : wholeNumber('--redis-port', redisPort, 1, 65_535),
    tls: values.tls,
    restart: !values['no-restart'],
    help: values.help,
  };
}

function wholeNumber(name: string, value: string, least: number, most: number): number {
  const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Error(`${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(value)}`);
}
