import { createServer } from 'node:net';
import { ClusterError } from './part.ts';

const HOST = '127.0.0.1';

/** The ports of a cluster whose edge is on `edge`: nodes on the next ones, their admin ports a hundred further on. */
export interface Ports {
  readonly edge: number;
  readonly redis: number;
  readonly nodes: readonly { readonly public: number; readonly admin: number }[];
}

/** The highest port for the edge with which all other ports still exist. */
export const MAX_EDGE_PORT = 65_535 - 100 - 16;

function around(edge: number, nodes: number): Omit<Ports, 'redis'> {
  return {
    edge,
    nodes: Array.from({ length: nodes }, (_, i) => ({ public: edge + 1 + i, admin: edge + 101 + i })),
  };
}

/**
 * The ports of a cluster, all of them free a moment ago. What is not given is chosen.
 * Throws ClusterError with the first port that is taken, and what it was for.
 */
export async function choosePorts(nodes: number, edge?: number, redis?: number): Promise<Ports> {
  if (edge !== undefined) {
    const given = around(edge, nodes);
    await demand(given);
    return { ...given, redis: await redisPort(redis) };
  }
  for (let attempt = 0; attempt < 50; attempt++) {
    // Below the range from which systems take ports for outgoing connections (32768 on Linux, 49152 elsewhere).
    const chosen = around(20_000 + Math.floor(Math.random() * 12_000), nodes);
    if ((await firstTaken(chosen)) === undefined) return { ...chosen, redis: await redisPort(redis) };
  }
  throw new ClusterError('no free ports were found between 20000 and 32000');
}

async function redisPort(given: number | undefined): Promise<number> {
  if (given !== undefined) {
    const problem = await portProblem(given);
    if (problem !== undefined) throw new ClusterError(`port ${given} for redis ${problem}`);
    return given;
  }
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 16_000 + Math.floor(Math.random() * 4000);
    if ((await portProblem(port)) === undefined) return port;
  }
  throw new ClusterError('no free port was found for redis between 16000 and 20000');
}

async function demand(ports: Omit<Ports, 'redis'>): Promise<void> {
  const taken = await firstTaken(ports);
  if (taken !== undefined)
    throw new ClusterError(`port ${taken.port} for ${taken.purpose} ${taken.problem}; choose another with --port`);
}

async function firstTaken(
  ports: Omit<Ports, 'redis'>,
): Promise<{ port: number; purpose: string; problem: string } | undefined> {
  const wanted = [{ port: ports.edge, purpose: 'nginx' }];
  for (const [i, node] of ports.nodes.entries()) {
    wanted.push({ port: node.public, purpose: `node-${i + 1}` });
    wanted.push({ port: node.admin, purpose: `node-${i + 1}'s admin port` });
  }
  for (const { port, purpose } of wanted) {
    const problem = await portProblem(port);
    if (problem !== undefined) return { port, purpose, problem };
  }
  return undefined;
}

/** What keeps us from listening on a port, in words, or undefined when nothing does. */
export function portProblem(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve('is taken');
      else if (error.code === 'EACCES') resolve('is not allowed to this user');
      else resolve(`cannot be used (${error.code ?? error.message})`);
    });
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
