import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Probe } from './probe.ts';
import type { Question, Reply } from './questions.ts';

/** Far longer than anything takes that is asked here, on a busy machine too. */
const ANSWER_MILLISECONDS = 60_000;
/** How long a child has to end by itself. */
const STOP_MILLISECONDS = 5000;

type ArgumentOf<Question> = Question extends () => unknown
  ? undefined
  : Question extends (argument: infer Argument) => unknown
    ? Argument
    : never;
type AnswerOf<Question> = Question extends (argument: never) => infer Answer ? Awaited<Answer> : never;

/** A question that has not been answered yet. */
interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly silence: NodeJS.Timeout;
}

/** A process of the bench. It answers the questions of `A` and those of the probe. */
export class Child<A extends object> {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #exited: Promise<unknown>;
  readonly #pending = new Map<number, Pending>();
  #questions = 0;
  #stopping = false;
  #errors = '';

  constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#process = child;
    this.#exited = once(child, 'exit');
    // Read in any case: a full pipe would stop a process that is made to tell something (by NODE_OPTIONS, say).
    child.stdout?.resume();
    child.stderr?.on('data', (chunk) => {
      this.#errors = (this.#errors + chunk).slice(-4000);
    });
    child.on('message', (reply: Reply) => {
      const pending = this.#take(reply.number);
      if ('error' in reply) pending?.reject(new Error(`${name}: ${reply.error}`));
      else pending?.resolve(reply.value);
    });
    child.on('error', () => {});
    this.#exited.then(
      () => this.#fail(this.#ending()),
      (error) => this.#fail(error as Error),
    );
  }

  /** Asks, and resolves to the answer. Rejects with what went wrong there, or when the process ends or stays silent. */
  ask<Name extends keyof (A & Probe) & string>(
    name: Name,
    argument: ArgumentOf<(A & Probe)[Name]>,
  ): Promise<AnswerOf<(A & Probe)[Name]>> {
    return new Promise((resolve, reject) => {
      if (!this.#process.connected) return reject(this.#ending());
      const number = ++this.#questions;
      const silence = setTimeout(
        () => this.#take(number)?.reject(new Error(`${this.#name}: no answer to "${name}" in a minute`)),
        ANSWER_MILLISECONDS,
      );
      this.#pending.set(number, { resolve: (value) => resolve(value as AnswerOf<(A & Probe)[Name]>), reject, silence });
      this.#process.send({ number, name, argument } satisfies Question, (error) => {
        if (error !== null) this.#take(number)?.reject(error);
      });
    });
  }

  /** The first line of the standard output that `read` makes something of. Lines are read on, and dropped, after it. */
  line<T>(read: (line: string) => T | undefined): Promise<T> {
    const { stdout } = this.#process;
    if (stdout === null) throw new Error(`the output of ${this.#name} is not read`);
    return new Promise<T>((resolve, reject) => {
      const silence = setTimeout(
        () => reject(new Error(`${this.#name}: nothing was heard of it in a minute`)),
        ANSWER_MILLISECONDS,
      );
      createInterface({ input: stdout }).on('line', (line) => {
        const value = read(line);
        if (value === undefined) return;
        clearTimeout(silence);
        resolve(value);
      });
      this.#exited.finally(() => clearTimeout(silence)).then(() => reject(this.#ending()), reject);
    });
  }

  /** SIGSTOP: it does nothing until `resume`. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    this.#process.kill('SIGCONT');
  }

  /** SIGTERM, then SIGKILL; resolves when the process has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#process.kill('SIGTERM');
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MILLISECONDS);
    await this.#exited.catch(() => undefined);
    clearTimeout(kill);
  }

  #ending(): Error {
    const { exitCode, signalCode } = this.#process;
    const how = this.#stopping ? 'was stopped' : `ended by itself (${signalCode ?? exitCode})`;
    return new Error(`${this.#name} ${how}${this.#errors === '' ? '' : `:\n${this.#errors.trimEnd()}`}`);
  }

  #take(number: number): Pending | undefined {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    clearTimeout(pending?.silence);
    return pending;
  }

  #fail(error: Error): void {
    for (const number of this.#pending.keys()) this.#take(number)?.reject(error);
  }
}

/** Starts processes, and ends all of them together. */
export class Children {
  readonly #all = new Set<{ stop(): Promise<void> }>();
  #closed = false;

  /** True when no more may be started. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Starts a script with the probe in front of it. The environment is this process's without the settings of a node: so
   * `NODE_OPTIONS` (a profiler, say) reaches what is measured, and nothing changes the figures unseen.
   */
  start<A extends object>(
    name: string,
    script: URL,
    env: Readonly<Record<string, string>> = {},
    nodeOptions: readonly string[] = [],
  ): Child<A> {
    if (this.#closed) throw new Error(`${name} may not be started any more`);
    const probe = new URL('./probe.ts', import.meta.url).href;
    const words = ['--expose-gc', ...nodeOptions, '--import', probe, fileURLToPath(script)];
    const started = spawn(process.execPath, words, {
      env: { ...withoutSettings(process.env), ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      // A Ctrl-C reaches this process alone, which then ends its children.
      detached: true,
    });
    const child = new Child<A>(name, started);
    this.#all.add(child);
    return child;
  }

  /** Takes in what is no process of Node's: it ends with the others. */
  add(child: { stop(): Promise<void> }): void {
    this.#all.add(child);
    if (this.#closed) void child.stop();
  }

  /** Ends all that were started, and waits for it. */
  async stop(): Promise<void> {
    const all = [...this.#all];
    await Promise.all(all.map((child) => child.stop()));
    for (const child of all) this.#all.delete(child);
  }

  /** Begins to end all that were started, and lets nobody start more. What waits for them is rejected. */
  close(): void {
    this.#closed = true;
    void this.stop();
  }
}

/** The node's own variables, as its configuration names them. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(FANFARE_.*|REDIS_.*|(ADMIN_)?PORT(_FILE)?|HOST|LOG_LEVEL)$/.test(name)),
  );
}
