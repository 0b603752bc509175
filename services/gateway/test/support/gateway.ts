import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { secretLooksIn } from './secret-looks.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** One line of a node's log. */
export type LogLine = Record<string, unknown> & { msg: string };

/** A node that runs as a process of its own. */
export interface Gateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly port: number;
  readonly adminPort: number;
  readonly process: ChildProcess;
  readonly logs: readonly LogLine[];
  /** Everything that it has written to its standard output and its standard error. */
  readonly output: string;
  /** SIGTERM, and waits for the end; the exit code. Rejects when the node has written what looks like a secret. */
  stop(): Promise<number | null>;
  /** kill -9, and waits for the end. Rejects like stop. */
  kill(): Promise<void>;
}

/** Starts a node on free ports (unless `env` names them), and waits until it is ready (unless `until` is `listening`). */
export async function startGateway(
  env: Record<string, string> = {},
  until: 'ready' | 'listening' = 'ready',
): Promise<Gateway> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, PORT: '0', ADMIN_PORT: '0', FANFARE_DRAIN_SECONDS: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const logs: LogLine[] = [];
  let errors = '';
  let output = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
    output += chunk;
  });
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const listening = await new Promise<LogLine>((resolve, reject) => {
    let address: LogLine | undefined;
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as LogLine;
      logs.push(line);
      if (line.msg.startsWith('listening')) address = line;
      if (address !== undefined && (until === 'listening' || line.msg === 'ready')) resolve(address);
    });
    exited.then(([code]) => reject(new Error(`the node ended with ${code}: ${errors}`)), reject);
  });
  const expectNoSecret = (): void => {
    const [found] = secretLooksIn(output);
    if (found !== undefined) throw new Error(`the node has written a secret: ${found}`);
  };
  const url = String(listening.url);
  const adminPort = Number(listening.adminPort);
  return {
    url,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    port: Number(new URL(url).port),
    adminPort,
    process: child,
    logs,
    get output() {
      return output;
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = await exited;
      expectNoSecret();
      return code as number | null;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
      expectNoSecret();
    },
  };
}

/** Runs a node that is expected to refuse its start; its exit code and what it said. */
export async function runGateway(env: Record<string, string>): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, PORT: '0', ADMIN_PORT: '0', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code: code as number | null, stderr };
}

/** One metric's value on a node's admin port: the sum over all series of that name whose labels hold `labels`. */
export async function metric(gateway: { adminUrl: string }, name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)/.exec(line);
    if (match?.[1] === name && (match[2] ?? '').includes(labels)) sum += Number(match[3]);
  }
  return sum;
}
