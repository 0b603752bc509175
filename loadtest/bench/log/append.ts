import type { Children } from '../child.ts';
import { QUIET, startGateway } from '../gateway-process.ts';
import type { Way } from './appends.ts';
import type { HttpPublishers } from './http-process.ts';
import { type LogChild, startLogProcess } from './processes.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';
import { type Speeds, speeds } from './rounds.ts';
import { perSecond } from './timed.ts';

/** Messages a second, next to the floor: the same messages by as many bare XADD, a pipeline at a time. */
export interface AppendFigures extends Speeds {
  readonly how: string;
  /** Node processes that append at the same time. */
  readonly nodes: number;
  /** CPU microseconds of Redis for each message: appended and followed, and by the floor. */
  readonly redis: { readonly measured: number; readonly reference: number };
}

export interface AppendPart {
  readonly onDisk: boolean;
  readonly log: readonly AppendFigures[];
  readonly http: readonly AppendFigures[];
}

export const APPEND_ROUNDS = 5;
const ROUND_MILLISECONDS = 200;
const WARM_UP_MILLISECONDS = 200;
/** Little, and the same in every run: what the nodes hold of the log is none of this part's business. */
const RECENT_BYTES = 1024 * 1024;

const WAYS: readonly { how: string; way: Omit<Way, 'milliseconds'> }[] = [
  { how: 'one at a time', way: { atOnce: 1, batch: 1, keyed: false } },
  { how: '256 at once', way: { atOnce: 256, batch: 1, keyed: false } },
  { how: '256 at once, with keys', way: { atOnce: 256, batch: 1, keyed: true } },
  { how: 'batches of 100', way: { atOnce: 1, batch: 100, keyed: false } },
  { how: 'batches of 1000', way: { atOnce: 1, batch: 1000, keyed: false } },
];

const REQUESTS: readonly { how: string; connectionsPerNode: number; batch: number }[] = [
  { how: 'POST, 64 connections', connectionsPerNode: 64, batch: 1 },
  { how: 'POST of 100, 4 connections', connectionsPerNode: 4, batch: 100 },
];

/** Measures appends to a Redis of its own, from so many nodes at a time. The caller stops the children. */
export async function measureAppends(
  children: Children,
  onDisk: boolean,
  nodeCounts: readonly number[],
): Promise<AppendPart> {
  const redis = await startRedisServer(children, { onDisk });
  const processes: LogChild[] = [];
  const log: AppendFigures[] = [];
  for (const nodes of nodeCounts) {
    while (processes.length < nodes) {
      const process = await startLogProcess(children, 'a process that appends', redis.url);
      await process.ask('follow', RECENT_BYTES);
      processes.push(process);
    }
    for (const { how, way } of WAYS) log.push(await compareAppends(redis, processes, how, way));
  }
  const [bare] = processes;
  if (bare === undefined) throw new Error('nothing appends');
  for (const process of processes) if (process !== bare) await process.stop();
  // Its tail would follow what the nodes append.
  await bare.ask('close', undefined);
  await bare.ask('open', { url: redis.url, historySize: 1 });

  const http: AppendFigures[] = [];
  const publishers = children.start<HttpPublishers>('the publishers', new URL('./http-process.ts', import.meta.url));
  const ports: number[] = [];
  for (const nodes of nodeCounts) {
    while (ports.length < nodes) ports.push((await startGateway(children, { ...QUIET, REDIS_URL: redis.url })).port);
    for (const request of REQUESTS) {
      const { how, connectionsPerNode, batch } = request;
      await publishers.ask('open', { ports, connectionsPerNode, batch });
      const floor = { atOnce: ports.length * connectionsPerNode, batch, keyed: false };
      http.push(
        await compare(
          redis,
          { how, nodes },
          async (milliseconds) => perSecond([await publishers.ask('publish', milliseconds)]),
          async (milliseconds) => perSecond([await bare.ask('appendBare', { ...floor, milliseconds })]),
        ),
      );
      await publishers.ask('close', undefined);
    }
  }
  return { onDisk, log, http };
}

function compareAppends(
  redis: RedisServer,
  processes: readonly LogChild[],
  how: string,
  way: Omit<Way, 'milliseconds'>,
): Promise<AppendFigures> {
  const all = (question: 'append' | 'appendBare') => async (milliseconds: number) =>
    perSecond(await Promise.all(processes.map((process) => process.ask(question, { ...way, milliseconds }))));
  return compare(redis, { how, nodes: processes.length }, all('append'), all('appendBare'));
}

type Work = (milliseconds: number) => Promise<number>;

async function compare(
  redis: RedisServer,
  named: { how: string; nodes: number },
  measured: Work,
  reference: Work,
): Promise<AppendFigures> {
  await measured(WARM_UP_MILLISECONDS);
  await reference(WARM_UP_MILLISECONDS);
  const cpu = { measured: new CpuPerMessage(redis), reference: new CpuPerMessage(redis) };
  const figures = await speeds(
    APPEND_ROUNDS,
    () => cpu.measured.during(() => measured(ROUND_MILLISECONDS)),
    () => cpu.reference.during(() => reference(ROUND_MILLISECONDS)),
  );
  return {
    ...named,
    ...figures,
    redis: { measured: cpu.measured.microseconds, reference: cpu.reference.microseconds },
  };
}

/** CPU of Redis, summed over the rounds. */
class CpuPerMessage {
  readonly #redis: RedisServer;
  #microseconds = 0;
  #messages = 0;

  constructor(redis: RedisServer) {
    this.#redis = redis;
  }

  /** `work` tells its messages a second. */
  async during(work: () => Promise<number>): Promise<number> {
    const [cpu, started] = [await this.#cpu(), performance.now()];
    const rate = await work();
    this.#messages += (rate * (performance.now() - started)) / 1000;
    this.#microseconds += (await this.#cpu()) - cpu;
    return rate;
  }

  get microseconds(): number {
    return this.#microseconds / this.#messages;
  }

  async #cpu(): Promise<number> {
    return 1e6 * ((await this.#redis.figure('used_cpu_user')) + (await this.#redis.figure('used_cpu_sys')));
  }
}
