import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('guardian.sh', import.meta.url));

/**
 * A small shell beside the runner that ends every part and removes the private folder when the runner dies without
 * having been able to. It notices by its standard input coming to an end, which no way of dying can prevent.
 */
export class Guardian {
  readonly #shell;
  readonly #ended: Promise<unknown>;

  constructor(folder: string) {
    // A group of its own: Ctrl-C at the terminal is for the runner alone.
    this.#shell = spawn('/bin/sh', [SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
    this.#ended = once(this.#shell, 'exit').catch(() => {});
    this.#shell.stdin.on('error', () => {});
    this.#tell(`folder ${folder}`);
  }

  /** A process that leads a group of its own has been started. */
  add(pid: number): void {
    this.#tell(`add ${pid}`);
  }

  /** All of that group has ended. */
  remove(pid: number): void {
    this.#tell(`remove ${pid}`);
  }

  container(name: string): void {
    this.#tell(`container ${name}`);
  }

  /** Everything has been stopped in order: the guardian goes without doing anything. */
  async dismiss(): Promise<void> {
    this.#shell.stdin.end('done\n');
    await this.#ended;
  }

  #tell(line: string): void {
    this.#shell.stdin.write(`${line}\n`);
  }
}
