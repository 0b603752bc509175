import { Redis } from 'ioredis';
import type { HostPort, RedisAddress } from '../../../redis-address.ts';
import { backoffMs } from '../backoff.ts';
import { type ConnectionSettings, closeConnection } from '../connection.ts';
import { sentinelAt } from '../endpoint.ts';
import { reasonOf } from '../failure.ts';

/** What a Sentinel publishes when it knows of a new master: name, old host and port, new host and port. */
const CHANNEL = '+switch-master';

/** To be told of the new master, by each Sentinel as it learns of it. */
export type OnReplaced = (by: HostPort) => void;

/**
 * Hears from the Sentinels when the master is replaced. Without it a connection to a master that hangs, or that only the
 * Sentinels are cut off from, is kept until it times out, or for as long as the old master takes writes that will be lost.
 *
 * Not ioredis' own detector: that has connections to all Sentinels for each connection to the master, and also leaves
 * when another master of the same Sentinels is replaced.
 */
export class SentinelWatch {
  readonly #sentinels: readonly Redis[];
  readonly #listeners = new Set<OnReplaced>();

  constructor(address: RedisAddress, { clientName, denials }: ConnectionSettings) {
    this.#sentinels = address.nodes.map((node) => {
      const redis = new Redis({
        ...sentinelAt(node, address),
        connectionName: `${clientName}:watch`,
        enableReadyCheck: false,
        maxRetriesPerRequest: null,
        retryStrategy: backoffMs,
      });
      redis.on('error', (error) => denials.heard(reasonOf(error)));
      redis.on('message', (_channel, text) => this.#heard(text, address.sentinel?.master));
      redis.subscribe(CHANNEL).catch((error) => denials.heard(reasonOf(error)));
      return redis;
    });
  }

  /** The answer ends it. */
  watch(listener: OnReplaced): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all(this.#sentinels.map(closeConnection));
  }

  #heard(text: string, master: string | undefined): void {
    const [name, , , host, port] = text.split(' ');
    if (name !== master || host === undefined) return;
    for (const listener of [...this.#listeners]) listener({ host, port: Number(port) });
  }
}
