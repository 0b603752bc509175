/** A program to start, and how. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The name of its container, where `file` is the Docker client: signals go to the container then. */
  readonly container?: string;
}

/** One part of the cluster: what it is called, how it is started, when it is ready and how it is stopped. */
export interface Part {
  readonly name: string;
  /** For people: `127.0.0.1:8081, admin 127.0.0.1:8181`. */
  readonly address: string;
  readonly command: Command;
  /** What is still missing before the part serves, in words, or undefined when it does. Never throws. */
  missing(): Promise<string | undefined>;
  /** Lines of its output that mean nothing on a developer's machine and would only alarm. */
  readonly hidden?: RegExp;
  /** Asks the part to finish what it has in hand and go. */
  readonly stopSignal: 'SIGTERM' | 'SIGQUIT';
  /** How long it may take over that before it is killed. */
  readonly stopSeconds: number;
}

/** Something that the cluster cannot have or do, said in one line for whoever started it. */
export class ClusterError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClusterError';
  }
}
