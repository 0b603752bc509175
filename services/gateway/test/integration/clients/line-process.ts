import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { until } from '../../support/until.ts';

/** A client that is a process of its own: it prints lines of JSON, each with a `kind`, and is told what to do by lines. */
export class LineProcess {
  readonly lines: (Readonly<Record<string, unknown>> & { readonly kind: string })[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => {});
    let rest = '';
    // Not by node:readline, which takes U+2028 for the end of a line.
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.lines.push(JSON.parse(line));
    });
  }

  of(kind: string) {
    return this.lines.filter((line) => line.kind === kind);
  }

  /** Sends `message` as a line of JSON that is all ASCII. */
  say(message: unknown): void {
    const line = JSON.stringify(message).replaceAll(/[\u007f-\uffff]/g, (unit) => {
      return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
    });
    this.#child.stdin.write(`${line}\n`);
  }

  /** Says something, and waits for one more line of a kind. */
  async ask(message: unknown, kind: string): Promise<Readonly<Record<string, unknown>>> {
    const before = this.of(kind).length;
    this.say(message);
    await until(() => this.of(kind).length > before, `a line of the kind ${kind}`);
    return this.of(kind)[before] as Readonly<Record<string, unknown>>;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill();
    await once(this.#child, 'exit');
  }
}
