import { Agent, request } from 'node:http';
import type { Child, Children } from './child.ts';

const MAIN = new URL('../../services/gateway/src/main.ts', import.meta.url);

/** Far longer than a publish takes, on a busy machine too. */
const SILENCE_MILLISECONDS = 60_000;

/** A node's setting with which next to no heartbeat falls into a measurement. */
export const QUIET = { FANFARE_HEARTBEAT_INTERVAL: '3600' };

/** A node on the embedded log, as a process of its own. */
export interface GatewayProcess {
  readonly process: Child<object>;
  readonly port: number;
}

/** Starts a node on free ports, with its defaults except for what `env` sets, and waits until it is ready. */
export async function startGateway(
  children: Children,
  env: Readonly<Record<string, string>>,
  nodeOptions: readonly string[] = [],
): Promise<GatewayProcess> {
  const settings = { PORT: '0', ADMIN_PORT: '0', FANFARE_DRAIN_SECONDS: '0', ...env };
  const process = children.start<object>('the gateway', MAIN, settings, nodeOptions);
  let port: number | undefined;
  await process.line((text) => {
    if (!text.startsWith('{')) return undefined;
    const line = JSON.parse(text) as { msg: string; url?: string };
    if (line.msg.startsWith('listening')) port = Number(new URL(line.url ?? '').port);
    return line.msg === 'ready' ? true : undefined;
  });
  if (port === undefined) throw new Error('the gateway did not tell where it listens');
  return { process, port };
}

/** Publishes to one node over one connection that is kept open. */
export class Publisher {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(port: number) {
    this.#port = port;
  }

  /** One message in one request. `data` is JSON text. */
  publish(channel: string, data: string): Promise<void> {
    return this.#post(`/v1/channels/${channel}/messages`, `{"data":${data}}`);
  }

  /** Several messages in one request: one write to each connection. */
  publishMany(channel: string, data: readonly string[]): Promise<void> {
    const messages = data.map((each) => `{"channel":"${channel}","data":${each}}`);
    return this.#post('/v1/messages', `{"messages":[${messages.join(',')}]}`);
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(path: string, body: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
      const address = { host: '127.0.0.1', port: this.#port, method: 'POST', path };
      request({ ...address, headers, agent: this.#agent, timeout: SILENCE_MILLISECONDS }, (response) => {
        let answer = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          answer += chunk;
        });
        response.on('error', reject).on('end', () => {
          // A batch is a 200 even when some of its messages were refused.
          if ((response.statusCode ?? 500) < 300 && !answer.includes('"error"')) resolve();
          else reject(new Error(`a publish was answered with ${response.statusCode}: ${answer.slice(0, 500)}`));
        });
      })
        .on('timeout', () => reject(new Error('a publish was not answered')))
        .on('error', reject)
        .end(body);
    });
  }
}
