import { resolve } from 'node:path';
import { HELP, readArguments, USAGE } from './arguments.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { ClusterError } from './part.ts';

/** Signals closer together than this are one Ctrl-C: npm passes on what the terminal has sent to the runner already. */
const SAME_SIGNAL_MILLISECONDS = 500;

/** The runner behind `npm run cluster`: its exit code is 0 after an orderly stop, 1 after a failure, 2 for bad words. */
async function main(words: readonly string[]): Promise<number> {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments(words);
  } catch (error) {
    console.error(`cluster: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (given.help) {
    console.log(HELP);
    return 0;
  }

  const starting = new AbortController();
  let cluster: Cluster | undefined;
  const stopped = new Promise<void>((resolve, reject) => {
    let asked = 0;
    let askedAt = Number.NEGATIVE_INFINITY;
    const onSignal = () => {
      if (performance.now() - askedAt < SAME_SIGNAL_MILLISECONDS) return;
      askedAt = performance.now();
      asked++;
      if (cluster === undefined) {
        starting.abort();
        return;
      }
      console.log(asked === 1 ? 'stopping: the nodes send their clients away first (Ctrl-C again to kill)' : 'killing');
      (asked === 1 ? cluster.stop() : cluster.abandon()).then(resolve, reject);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    // npm was killed (kill -9) and could not tell: without it nobody is left to stop this by Ctrl-C.
    if (process.env.npm_lifecycle_event !== undefined) onOrphaned(onSignal);
    // Nobody reads any more (`… | head`). Each further line says so again.
    process.stdout.once('error', onSignal).on('error', () => {});
  });

  try {
    cluster = await startCluster({
      nodes: given.nodes,
      port: given.port,
      ...(given.redisPort === undefined ? {} : { redisPort: given.redisPort }),
      tls: given.tls,
      restart: given.restart,
      env: nodeSettings(process.env),
      onLine: (name, line) => console.log(`${name.padEnd(8)} | ${line}`),
      onProgress: (line) => console.log(line),
      signal: starting.signal,
    });
  } catch (error) {
    if (starting.signal.aborted) {
      console.log('stopped before it was ready');
      return 130;
    }
    console.error(`cluster: ${error instanceof ClusterError ? error.message : (error as Error).stack}`);
    return 1;
  }
  if (starting.signal.aborted) {
    await cluster.stop();
    return 130;
  }
  if (cluster.certificate !== undefined)
    console.log(`nobody has signed the certificate: curl --cacert ${cluster.certificate}`);
  console.log(`ready ${cluster.url}`);
  await stopped;
  console.log('stopped');
  return 0;
}

/** What of the runner's environment is meant for the nodes. They run in another folder, so the paths of files become absolute. */
function nodeSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && (name.startsWith('FANFARE_') || name === 'LOG_LEVEL'))
      settings[name] = name.endsWith('_FILE') && value.trim() !== '' ? resolve(value.trim()) : value;
  return settings;
}

/** Calls back once when the process that started this one has ended. */
function onOrphaned(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, 500);
  timer.unref();
}

process.exitCode = await main(process.argv.slice(2));
