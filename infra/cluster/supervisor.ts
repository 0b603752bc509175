import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { signalContainer } from './docker.ts';
import type { Guardian } from './guardian.ts';
import { LastLines, readLines } from './lines.ts';
import { ClusterError, type Part } from './part.ts';
import type { ReopenablePipe } from './pipe.ts';

/** Past this a part that does not get ready counts as failed: Redis may have a log to read, and a machine may be busy. */
const START_SECONDS = 60;
const POLL_MILLISECONDS = 50;
/** Between two attempts to start a part again: doubled each time, back to the first after it has lived a while. */
const BACKOFF = { first: 250, most: 10_000, forgottenAfter: 10_000 };

/** How a supervisor reaches the world around it. */
export interface Surroundings {
  readonly guardian: Guardian;
  /** Gets each line of a part's output; from `cluster` what happens to the parts. */
  readonly log: (name: string, line: string) => void;
  /** Start a part again that died by itself. */
  readonly restart: boolean;
  /** Where the part writes to instead of an ordinary pipe. */
  readonly stdout?: ReopenablePipe;
}

type State =
  | 'down' //     not started, or stopped on demand, or died and is left so
  | 'starting' // for the first time, or on demand: a failure is the caller's to hear of
  | 'serving'
  | 'returning' // died, and is being started again
  | 'stopping';

/** Starts one part, watches it, starts it again when it dies, and stops it. */
export class Supervisor {
  readonly part: Part;
  readonly #surroundings: Surroundings;
  #state: State = 'down';
  #process: Running | undefined;
  #backoff = BACKOFF.first;
  /** Ends the waiting of a part that is to be started again. */
  #patience = new AbortController();

  constructor(part: Part, surroundings: Surroundings) {
    this.part = part;
    this.#surroundings = surroundings;
  }

  get serving(): boolean {
    return this.#state === 'serving';
  }

  /** The process that was started for the part (the Docker client's, where that is what was started). */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the part and waits until it serves. Throws ClusterError when it cannot. Does nothing when it is there. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#state === 'returning' || this.#state === 'starting') return this.#untilServing(signal);
    if (this.#state !== 'down') return;
    this.#state = 'starting';
    try {
      await this.#launch(signal);
      this.#serve('starting');
    } catch (error) {
      await this.#end('SIGKILL');
      this.#state = 'down';
      throw error;
    }
  }

  /** Sends a signal and does not wait for what comes of it. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#process !== undefined) await this.#signal(this.#process, signal);
  }

  /** Sends a signal as an outsider would, and waits for the end. Whether the part comes back is the cluster's setting. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const running = this.#process;
    if (running === undefined) return;
    await this.#signal(running, signal);
    await running.ended;
  }

  /** Asks the part to leave and waits for it; past its time it is killed. It does not come back. */
  async stop(): Promise<void> {
    this.#leave();
    const running = this.#process;
    if (running !== undefined) {
      await this.#signal(running, this.part.stopSignal);
      const timer = new AbortController();
      const late = delay(this.part.stopSeconds * 1000, 'late', { signal: timer.signal }).catch(() => 'ended');
      if ((await Promise.race([late, running.ended])) === 'late') {
        this.#tell(`did not leave within ${this.part.stopSeconds} s; killed`);
        await this.#end('SIGKILL');
      }
      timer.abort();
    }
    this.#state = 'down';
  }

  /** Ends the part at once. It does not come back. */
  async abandon(): Promise<void> {
    this.#leave();
    await this.#end('SIGKILL');
    this.#state = 'down';
  }

  #tell(what: string): void {
    this.#surroundings.log('cluster', `${this.part.name} ${what}`);
  }

  /** Throws ClusterError when the part was stopped while it was on its way. */
  #serve(from: State): void {
    if (this.#state !== from) throw new ClusterError(`${this.part.name} was stopped while it was starting`);
    this.#state = 'serving';
  }

  #leave(): void {
    this.#state = 'stopping';
    this.#patience.abort();
    this.#patience = new AbortController();
  }

  async #untilServing(signal?: AbortSignal): Promise<void> {
    while (this.#state === 'returning' || this.#state === 'starting') {
      signal?.throwIfAborted();
      await delay(POLL_MILLISECONDS);
    }
    if (this.#state !== 'serving') throw new ClusterError(`${this.part.name} is not there`);
  }

  /** Starts a process and waits until it serves, dies, or takes too long. */
  async #launch(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { name } = this.part;
    const running = new Running(this.part, this.#surroundings);
    this.#process = running;
    void running.ended.then(() => {
      if (this.#process === running) this.#process = undefined;
      this.#died(running);
    });
    const deadline = performance.now() + START_SECONDS * 1000;
    for (;;) {
      const missing = await Promise.race([this.part.missing(), running.ended]);
      signal?.throwIfAborted();
      if (missing instanceof Ending)
        throw new ClusterError(`${name} ${missing.words} while it was starting${running.lastWords()}`);
      if (missing === undefined) return;
      if (performance.now() > deadline)
        throw new ClusterError(`${name} did not serve within ${START_SECONDS} s (${missing})${running.lastWords()}`);
      await delay(POLL_MILLISECONDS, undefined, signal === undefined ? {} : { signal });
    }
  }

  #died(running: Running): void {
    if (this.#state !== 'serving') return;
    const { restart } = this.#surroundings;
    const words = running.ending?.words ?? 'ended';
    if (!restart) {
      this.#state = 'down';
      this.#tell(`${words}; it is left as it is`);
      return;
    }
    this.#state = 'returning';
    if (running.livedMilliseconds() > BACKOFF.forgottenAfter) this.#backoff = BACKOFF.first;
    void this.#return(words, this.#patience.signal);
  }

  async #return(why: string, signal: AbortSignal): Promise<void> {
    let words = why;
    while (!signal.aborted) {
      this.#tell(`${words}; it is started again in ${this.#backoff / 1000} s`);
      try {
        await delay(this.#backoff, undefined, { signal });
        this.#backoff = Math.min(this.#backoff * 2, BACKOFF.most);
        await this.#launch(signal);
        this.#serve('returning');
        this.#tell(`is back: pid ${this.pid}, ${this.part.address}`);
        return;
      } catch (error) {
        if (signal.aborted) return;
        words = (error as Error).message.replace(`${this.part.name} `, '');
        await this.#end('SIGKILL');
      }
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#process;
    if (running === undefined) return;
    await this.#signal(running, signal);
    await running.ended;
  }

  async #signal(running: Running, signal: NodeJS.Signals): Promise<void> {
    const { container } = this.part.command;
    if (container === undefined || !(await signalContainer(container, signal))) running.signal(signal);
  }
}

/** How a process ended. */
class Ending {
  readonly words: string;

  constructor(words: string) {
    this.words = words;
  }
}

/** A process that was started for a part, and the group of processes that it leads. */
class Running {
  readonly pid: number | undefined;
  /** Settles when the process and everything that it started have ended, and their output has been read. */
  readonly ended: Promise<Ending>;
  ending: Ending | undefined;
  readonly #last = new LastLines(5);
  readonly #startedAt = performance.now();

  constructor(part: Part, { guardian, log, stdout }: Surroundings) {
    const { file, args, env } = part.command;
    const output = stdout?.open();
    // A group of its own: Ctrl-C at the terminal reaches the runner alone, which then stops the parts in order; and
    // what a part has started itself (NGINX its workers) can be ended together with it.
    const child = spawn(file, args, { env, cwd: '/', detached: true, stdio: ['ignore', output?.fd ?? 'pipe', 'pipe'] });
    output?.close();
    this.pid = child.pid;
    if (child.pid !== undefined) guardian.add(child.pid);
    const onLine = (line: string) => {
      this.#last.add(line);
      if (part.hidden?.test(line) !== true) log(part.name, line);
    };
    for (const stream of [child.stdout, child.stderr]) if (stream !== null) readLines(stream, onLine);
    this.ended = this.#end(child, guardian);
  }

  /** Signals that ask go to the process itself, which passes them on as it sees fit; SIGKILL goes to all of its group. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined || this.ending !== undefined) return;
    sendSignal(signal === 'SIGKILL' ? -this.pid : this.pid, signal);
  }

  livedMilliseconds(): number {
    return performance.now() - this.#startedAt;
  }

  lastWords(): string {
    const words = this.#last.toString();
    return words === '' ? '' : `: ${words}`;
  }

  async #end(child: ChildProcess, guardian: Guardian): Promise<Ending> {
    const closed = once(child, 'close').catch(() => {});
    this.ending = await new Promise<Ending>((resolve) => {
      child.once('exit', (code, signal) =>
        resolve(new Ending(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)),
      );
      child.once('error', (error) => resolve(new Ending(`could not be started (${error.message})`)));
    });
    if (child.pid === undefined) return this.ending;
    // Whoever killed the leader from outside left the rest of its group (an NGINX master's workers keep the port).
    sendSignal(-child.pid, 'SIGKILL');
    guardian.remove(child.pid);
    await closed;
    return this.ending;
  }
}

/** A process that has ended meanwhile is not an error. (Of a group that is ending, macOS says EPERM.) */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
