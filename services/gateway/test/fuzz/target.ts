import { readdir, readlink } from 'node:fs/promises';
import { platform } from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { until } from '../support/until.ts';
import { ask } from './ask.ts';
import { memoryBytes, wakeInspector } from './inspector.ts';
import { type Input, Violation } from './violation.ts';

/** Most bytes of a client's message: `FANFARE_MAX_MESSAGE_BYTES`, and what the node allows around the data. */
export const MAX_PAYLOAD_BYTES = 16_384 + 4096;
/** `FANFARE_MAX_CLIENT_RATE`, and the frames that may come at once. */
const MAX_RATE_PER_SECOND = 100;
export const BURST_FRAMES = 10 * MAX_RATE_PER_SECOND;

export const ALLOWED_ORIGIN = 'https://allowed.example';

/** A level from which on a line of the log tells of a fault (pino: error). */
const ERROR_LEVEL = 50;

/** Small where a limit shall be reached, and where memory shall soon be as full as it may get. */
const ENVIRONMENT = {
  FANFARE_COMPRESSION: 'on',
  FANFARE_MAX_MESSAGE_BYTES: '16384',
  FANFARE_MAX_CLIENT_RATE: String(MAX_RATE_PER_SECOND),
  FANFARE_HANDSHAKE_TIMEOUT: '2',
  FANFARE_HISTORY_SIZE: '20',
  FANFARE_HISTORY_TTL: '2',
  FANFARE_RECENT_BYTES: String(1024 * 1024),
  FANFARE_ALLOWED_ORIGINS: ALLOWED_ORIGIN,
  FANFARE_TRUSTED_PROXIES: '127.0.0.1',
  FANFARE_MAX_CONNECTIONS_PER_IP: '100000',
  // The inspector takes any port when it is called for.
  NODE_OPTIONS: '--inspect-port=0',
};

/** Inputs that may have ended a node though their connections ended before it: the news of both travel on their own. */
const SUSPECTS = 64;
const LAST_WORDS_MILLISECONDS = 500;

/** What a node says of itself that must come back to what it was. */
export interface Reading {
  readonly connections: number;
  readonly subscriptions: number;
  /** Undefined where the system does not tell. */
  readonly sockets: number | undefined;
}

/** A node that is fuzzed: a process of its own, watched from outside. */
export class Target {
  readonly gateway: Gateway;
  readonly #inspector: string;
  readonly #underWay = new Set<Input>();
  /** The last that were not under way any more, newest last. */
  readonly #finished: Input[] = [];
  #stderr = '';
  #linesRead = 0;
  #fault: Violation | undefined;

  private constructor(gateway: Gateway, inspector: string) {
    this.gateway = gateway;
    this.#inspector = inspector;
    gateway.process.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    gateway.process.on('exit', (code, signal) => {
      this.#stderr += `\nended: ${signal ?? code}`;
    });
  }

  static async start(): Promise<Target> {
    const gateway = await startGateway(ENVIRONMENT);
    try {
      return new Target(gateway, await wakeInspector(gateway.process));
    } catch (error) {
      await gateway.kill();
      throw error;
    }
  }

  get port(): number {
    return this.gateway.port;
  }

  stop(): Promise<void> {
    return this.gateway.kill();
  }

  /** What `exchange` resolves to, which sends an input. Rejects with a Violation when that rejects, or the node fails. */
  async take<T>(input: Input, exchange: Promise<T>): Promise<T> {
    this.#underWay.add(input);
    try {
      return await exchange;
    } catch (error) {
      throw new Violation((error as Error).message, [input]);
    } finally {
      this.checkHealth();
      this.#underWay.delete(input);
      this.#finished.push(input);
      if (this.#finished.length > SUSPECTS) this.#finished.shift();
    }
  }

  /** What the node itself tells of a fault; undefined when all is well. */
  async diagnosis(): Promise<Violation | undefined> {
    // Its words come on other ways than what its clients saw, and piece by piece.
    await setTimeout(LAST_WORDS_MILLISECONDS);
    try {
      this.checkHealth();
      return undefined;
    } catch (error) {
      const { message, inputs, detail } = error as Violation;
      return new Violation(message, inputs, `${detail}\n${this.#lastWords}`.trim());
    }
  }

  /** Throws a Violation when the node has failed, or told of a fault. */
  checkHealth(): void {
    for (const line of this.gateway.logs.slice(this.#linesRead))
      if (Number(line.level) >= ERROR_LEVEL) this.#suspect('the node logged an error', JSON.stringify(line));
    this.#linesRead = this.gateway.logs.length;
    if (this.#lastWords !== '') this.#suspect('the node failed');
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** What stands on its standard error, which is nothing while all is well. */
  get #lastWords(): string {
    return this.#stderr.replace(/^(Debugger|For help).*$/gm, '').trim();
  }

  #suspect(what: string, detail = ''): void {
    this.#fault ??= new Violation(what, [...this.#underWay, ...this.#finished.toReversed()], detail);
  }

  /** All metrics: name with labels → value. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const { text } = await ask(this.gateway.adminPort, '/metrics');
    const found = text.matchAll(/^([a-z_]+(?:\{[^}]*\})?) (\S+)$/gm);
    return new Map(Array.from(found, ([, name, value]) => [String(name), Number(value)]));
  }

  async reading(): Promise<Reading> {
    const metrics = await this.metrics();
    return {
      connections: sum(metrics, 'fanfare_connections{'),
      subscriptions: sum(metrics, 'fanfare_subscriptions'),
      sockets: await this.#sockets(),
    };
  }

  /** The reading of a node from which nobody comes or goes but those who ask for it. */
  async restingReading(): Promise<Reading> {
    const readings: Reading[] = [];
    for (let i = 0; i < 10; i++) readings.push(await this.reading());
    return readings.reduce((least, next) => ((next.sockets ?? 0) < (least.sockets ?? 0) ? next : least));
  }

  /** Waits until the node is back where it was, and checks that every connection that was opened is closed or counted. */
  async settles(before: Reading): Promise<void> {
    const wanted = JSON.stringify(before);
    let now = '';
    await until(async () => {
      now = JSON.stringify(await this.reading());
      return now === wanted;
    }, 'the node to let go').catch(() => {
      throw new Violation(`something is left behind: before ${wanted}, now ${now}`);
    });
    const metrics = await this.metrics();
    for (const transport of ['sse', 'websocket']) {
      const label = `{transport="${transport}"`;
      const opened = sum(metrics, `fanfare_connections_opened_total${label}`);
      const closed = sum(metrics, `fanfare_connections_closed_total${label}`);
      const open = sum(metrics, `fanfare_connections${label}`);
      if (opened !== closed + open)
        throw new Violation(`${transport}: ${opened} opened, but ${closed} closed and ${open} open`);
    }
  }

  /** Bytes that the node holds when all that can be collected has been. */
  memoryBytes(): Promise<number> {
    return memoryBytes(this.#inspector);
  }

  async #sockets(): Promise<number | undefined> {
    if (platform !== 'linux') return undefined;
    const folder = `/proc/${this.gateway.process.pid}/fd`;
    const files = await readdir(folder);
    const links = await Promise.all(files.map((file) => readlink(`${folder}/${file}`).catch(() => '')));
    return links.filter((link) => link.startsWith('socket:')).length;
  }
}

function sum(metrics: ReadonlyMap<string, number>, prefix: string): number {
  let total = 0;
  for (const [name, value] of metrics) if (name.startsWith(prefix)) total += value;
  return total;
}
