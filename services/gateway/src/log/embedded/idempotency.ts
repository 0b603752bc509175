import { IDEMPOTENCY_TTL_SECONDS } from '../log.ts';

/** Past this many the oldest key is forgotten before its time: about 20 MB. */
const MAX_KEYS = 100_000;

/** Which idempotency keys have been used, and for which id. */
export class IdempotencyKeys {
  /** Oldest first. */
  readonly #used = new Map<string, { readonly id: string; readonly atMs: number }>();

  /** The id that the key was used for, while it holds. */
  find(channel: string, key: string, nowMs: number): string | undefined {
    const used = this.#used.get(join(channel, key));
    return used !== undefined && isFresh(used.atMs, nowMs) ? used.id : undefined;
  }

  use(channel: string, key: string, id: string, nowMs: number): void {
    for (const [name, { atMs }] of this.#used) {
      if (isFresh(atMs, nowMs) && this.#used.size < MAX_KEYS) break;
      this.#used.delete(name);
    }
    this.#used.set(join(channel, key), { id, atMs: nowMs });
  }
}

function isFresh(atMs: number, nowMs: number): boolean {
  return nowMs - atMs < IDEMPOTENCY_TTL_SECONDS * 1000;
}

/** Neither part may hold a space. */
function join(channel: string, key: string): string {
  return `${channel} ${key}`;
}
