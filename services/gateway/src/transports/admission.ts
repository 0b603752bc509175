import type { ErrorCode } from '../errors.ts';
import type { Registry } from '../hub/registry.ts';

/** Why a new connection must be refused for now. */
export type Refusal = Extract<ErrorCode, 'full' | 'draining' | 'starting' | 'log_unavailable'>;

/** Says whether this node takes another connection. */
export class Admission {
  readonly #registry: Registry;
  readonly #maxConnections: number;
  readonly #logIsHealthy: () => boolean;
  #phase: 'starting' | 'serving' | 'draining' = 'starting';

  constructor(registry: Registry, maxConnections: number, logIsHealthy: () => boolean) {
    this.#registry = registry;
    this.#maxConnections = maxConnections;
    this.#logIsHealthy = logIsHealthy;
  }

  /** The node has read the log and takes connections from now on. */
  open(): void {
    if (this.#phase === 'starting') this.#phase = 'serving';
  }

  /** The node is leaving and takes no more connections. */
  drain(): void {
    this.#phase = 'draining';
  }

  /** Why a connection cannot be taken now; undefined when it can. */
  refusal(): Refusal | undefined {
    if (this.#phase !== 'serving') return this.#phase;
    if (this.#registry.size >= this.#maxConnections) return 'full';
    return this.#logIsHealthy() ? undefined : 'log_unavailable';
  }
}
