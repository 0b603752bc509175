import type { IncomingMessage } from 'node:http';
import type { CloseReason, ErrorCode } from '../errors.ts';
import type { Registry } from '../hub/registry.ts';
import { addressKey, type TrustedProxies } from '../request/client-address.ts';
import type { AddressLimit } from './address-limit.ts';

/** Why a new connection must be refused for now. All of them pass by themselves. */
export type Refusal = Extract<ErrorCode & CloseReason, NodeRefusal | 'too_many_connections' | 'auth_unavailable'>;

/** The refusals that are the node's, and so everybody's. */
type NodeRefusal = 'full' | 'draining' | 'starting' | 'log_unavailable';

export interface AdmissionOptions {
  readonly registry: Registry;
  readonly addresses: AddressLimit;
  readonly proxies: TrustedProxies;
  readonly maxConnections: number;
  /** Why the log cannot be used now; undefined when it can. */
  readonly logTrouble: () => string | undefined;
}

/** Says whether this node takes another connection. */
export class Admission {
  readonly #options: AdmissionOptions;
  #phase: 'starting' | 'serving' | 'draining' = 'starting';

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** The node has read the log and takes connections from now on. */
  open(): void {
    if (this.#phase === 'starting') this.#phase = 'serving';
  }

  /** The node is leaving and takes no more connections. */
  drain(): void {
    this.#phase = 'draining';
  }

  /** Why no connection at all can be taken now; undefined when one can. */
  get notReady(): NodeRefusal | undefined {
    const { registry, maxConnections, logTrouble } = this.#options;
    if (this.#phase !== 'serving') return this.#phase;
    if (registry.size >= maxConnections) return 'full';
    return logTrouble() === undefined ? undefined : 'log_unavailable';
  }

  /** The same in one line for who looks after the node: the code and, where it is for the log, what is wrong with it. */
  get notReadyReason(): string | undefined {
    const code = this.notReady;
    const trouble = code === 'starting' || code === 'log_unavailable' ? this.#options.logTrouble() : undefined;
    return trouble === undefined ? code : `${code}: ${trouble}`;
  }

  /** By what a client's connections are counted; undefined when they are not. */
  addressOf({ socket, headers }: IncomingMessage): string | undefined {
    const { addresses, proxies } = this.#options;
    if (!addresses.limited || socket.remoteAddress === undefined) return undefined;
    const forwarded = headers['x-forwarded-for'];
    return addressKey(
      proxies.clientAddress(socket.remoteAddress, Array.isArray(forwarded) ? forwarded.join(',') : forwarded),
    );
  }

  /** Why a connection from this address cannot be taken now; undefined when it can. */
  refusal(address: string | undefined): Refusal | undefined {
    if (this.notReady !== undefined) return this.notReady;
    return address !== undefined && this.#options.addresses.isFull(address) ? 'too_many_connections' : undefined;
  }
}
