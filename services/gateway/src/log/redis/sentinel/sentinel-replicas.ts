import type { HostPort, RedisAddress } from '../../../redis-address.ts';
import { ask } from '../ask.ts';
import type { ConnectionSettings } from '../connection.ts';
import { sentinelAt } from '../endpoint.ts';
import { reasonOf } from '../failure.ts';
import { oneOf, shuffled } from '../shuffle.ts';

/** Which replicas the Sentinels know of. */
export class SentinelReplicas {
  readonly #address: RedisAddress;
  readonly #settings: ConnectionSettings;
  readonly #closing = new AbortController();

  constructor(address: RedisAddress, settings: ConnectionSettings) {
    this.#address = address;
    this.#settings = settings;
  }

  /** One that is up and linked to its master, by the first Sentinel that answers; undefined when there is none. Never rejects. */
  async find(): Promise<HostPort | undefined> {
    const { nodes, sentinel } = this.#address;
    const { clientName, denials } = this.#settings;
    for (const node of shuffled(nodes)) {
      if (this.#closing.signal.aborted) return undefined;
      try {
        const replies = await ask(
          sentinelAt(node, this.#address),
          `${clientName}:replicas`,
          (redis) => redis.call('SENTINEL', 'REPLICAS', sentinel?.master ?? ''),
          this.#closing.signal,
        );
        return oneOf(usable(replies));
      } catch (error) {
        denials.heard(reasonOf(error));
      }
    }
    return undefined;
  }

  close(): void {
    this.#closing.abort();
  }
}

/** SENTINEL REPLICAS replies names and values in turn for each replica. */
function usable(replies: unknown): HostPort[] {
  if (!Array.isArray(replies)) return [];
  return replies.flatMap((reply): HostPort[] => {
    const words: unknown[] = Array.isArray(reply) ? reply : [];
    const field = (name: string) => String(words[words.findIndex((word, i) => i % 2 === 0 && word === name) + 1]);
    const up = field('flags') === 'slave' && field('master-link-status') === 'ok';
    const port = Number(field('port'));
    return up && port > 0 ? [{ host: field('ip'), port }] : [];
  });
}
