import { once } from 'node:events';
import { afterAll } from 'vitest';
import { type Gateway, startGateway } from './gateway.ts';
import { secretLooksIn } from './secret-looks.ts';

/** Characters: as much of a secret as is found anywhere in a text. */
const PIECE = 12;

/** Finds secrets in what a node has said: whatever looks like one, and every piece of those that were named. */
export class Secrets {
  readonly #pieces = new Set<string>();

  /** Names one, which it returns. What is shorter than a piece is not looked for. */
  use<Secret extends string>(secret: Secret): Secret {
    for (let at = 0; at + PIECE <= secret.length; at++) this.#pieces.add(secret.slice(at, at + PIECE));
    return secret;
  }

  /** What of secrets a text holds; empty: nothing. */
  find(text: string): string[] {
    const found = secretLooksIn(text);
    for (let at = 0; at + PIECE <= text.length; at++) {
      const piece = text.slice(at, at + PIECE);
      if (this.#pieces.has(piece)) found.push(piece);
    }
    return found;
  }

  /** Throws when a text holds anything of a secret; `where` says whose text it is. */
  expectNone(text: string, where: string): void {
    const found = this.find(text);
    if (found.length > 0) throw new Error(`${where} holds secrets: ${found.slice(0, 5).join(' ')}`);
  }
}

/** The nodes of a file, which write all that they can, and the secrets that its tests use. */
export class WatchedNodes {
  readonly #secrets = new Secrets();
  readonly #running = new Set<Gateway>();
  readonly #said: { readonly where: string; readonly text: () => string }[] = [];
  readonly #ended: Promise<unknown>[] = [];

  /** Names a secret that does not look like one, such as broken tokens; returns it. */
  use<Secret extends string>(secret: Secret): Secret {
    return this.#secrets.use(secret);
  }

  /** Throws when an answer repeats anything of a secret. */
  expectNoneIn(text: string, where: string): void {
    this.#secrets.expectNone(text, where);
  }

  /** Adds what somebody else has said, such as the lines of a cluster. */
  listen(where: string, text: () => string): void {
    this.#said.push({ where, text });
  }

  /** Starts a node with LOG_LEVEL=trace, which is searched when it has ended, and ended with the file if it has not before. */
  async startGateway(env: Record<string, string> = {}, until?: 'ready' | 'listening'): Promise<Gateway> {
    for (const line of (env.FANFARE_JWT_SECRET ?? '').split('\n')) this.use(line);
    const gateway = await startGateway({ LOG_LEVEL: 'trace', ...env }, until);
    this.#running.add(gateway);
    // After the exit its last words may still be on their way.
    this.#ended.push(once(gateway.process, 'close'));
    this.listen(`the log of the node on ${gateway.url}`, () => gateway.output);
    const { stop, kill } = gateway;
    const end = async <Result>(how: () => Promise<Result>): Promise<Result> => {
      await this.#keepMetrics(gateway);
      this.#running.delete(gateway);
      return how();
    };
    return Object.assign(gateway, { stop: () => end(stop), kill: () => end(kill) });
  }

  /** Ends the nodes that still run, and throws when any has told a secret. */
  async end(): Promise<void> {
    await Promise.all([...this.#running].map((gateway) => gateway.kill()));
    await Promise.all(this.#ended);
    for (const { where, text } of this.#said) this.#secrets.expectNone(text(), where);
  }

  async #keepMetrics({ adminUrl }: Gateway): Promise<void> {
    const text = await fetch(`${adminUrl}/metrics`).then(
      (answer) => answer.text(),
      () => '',
    );
    this.listen(`/metrics of ${adminUrl}`, () => text);
  }
}

/** To be called first in a file of tests: when all of them have run, no log and no metric of the nodes that it starts may hold a secret. */
export function watchNodes(): WatchedNodes {
  const nodes = new WatchedNodes();
  // Hooks run from the last to the first.
  afterAll(() => nodes.end());
  return nodes;
}
