import { type CryptoKey, createLocalJWKSet, errors, type LocalJWKSet } from 'jose';
import { fetchKeySet } from './fetch-key-set.ts';
import { PUBLIC_KEY_ALGORITHMS } from './public-keys.ts';
import { type KeyHint, KeysUnavailable, type TokenKeys } from './token-key.ts';

export interface KeySetOptions {
  /** How often it is read again, milliseconds. What was withdrawn is good for so long still. Default: ten minutes. */
  readonly reloadMs?: number;
  /** An unknown key, or a failure, makes it read again, but not more often than this, milliseconds. Default: ten seconds. */
  readonly cooldownMs?: number;
  /** How long its server may take for all of its answer, milliseconds. Default: five seconds. */
  readonly timeoutMs?: number;
  /** Longer answers are refused. Default: 1 MiB, which thousands of keys fit in. */
  readonly maxBytes?: number;
}

/** A token without a key's name may fit several keys, and is tried with so many of them. */
const MAX_TRIED = 10;

/**
 * Keys from a JSON Web Key Set. It is read at once, then now and then, and when a token names a key that is not in it. While its server is away the
 * keys that were read last are used.
 */
export class KeySet implements TokenKeys {
  readonly algorithms = PUBLIC_KEY_ALGORITHMS;
  readonly #url: string;
  readonly #options: Required<KeySetOptions>;
  readonly #told: (problem: Error | undefined) => void;
  readonly #closing = new AbortController();
  #set: LocalJWKSet | undefined;
  #reading: Promise<void> | undefined;
  /** When it was last read for a token, or could not be read, by the monotonic clock. */
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #failing = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * `url`: https, or on this machine. `told` is told when it cannot be read any more, and undefined when it can again: once for each outage,
   * however long.
   */
  constructor(url: string, told: (problem: Error | undefined) => void, options: KeySetOptions = {}) {
    this.#url = url;
    this.#told = told;
    this.#options = { reloadMs: 600_000, cooldownMs: 10_000, timeoutMs: 5_000, maxBytes: 1024 * 1024, ...options };
    void this.#read();
  }

  async find(hint: KeyHint): Promise<readonly CryptoKey[]> {
    let found = await this.#search(hint);
    if (found.length === 0 && this.#reading !== undefined) {
      await this.#reading;
      found = await this.#search(hint);
    }
    if (found.length === 0 && this.#mayTry()) {
      await this.#read();
      this.#triedAtMs = performance.now();
      found = await this.#search(hint);
    }
    // What is missing may have been published while it cannot be read.
    if (found.length === 0 && (this.#set === undefined || this.#failing)) throw new KeysUnavailable();
    return found;
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  async #search({ alg, kid }: KeyHint): Promise<CryptoKey[]> {
    if (this.#set === undefined || (kid !== undefined && typeof kid !== 'string')) return [];
    try {
      return [await this.#set(kid === undefined ? { alg } : { alg, kid })];
    } catch (error) {
      // What is wrong with a single key hinders only its own tokens.
      return error instanceof errors.JWKSMultipleMatchingKeys ? firstOf(error) : [];
    }
  }

  #mayTry(): boolean {
    return !this.#closing.signal.aborted && performance.now() - this.#triedAtMs >= this.#options.cooldownMs;
  }

  /** Reads it; whoever comes meanwhile waits for the same answer. Never rejects. */
  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    clearTimeout(this.#timer);
    const { timeoutMs, maxBytes, cooldownMs, reloadMs } = this.#options;
    const { signal } = this.#closing;
    try {
      this.#set = createLocalJWKSet(await fetchKeySet(this.#url, { timeoutMs, maxBytes, signal }));
      this.#tell(undefined);
    } catch (error) {
      this.#triedAtMs = performance.now();
      if (!signal.aborted) this.#tell(error as Error);
    }
    if (signal.aborted) return;
    this.#timer = setTimeout(() => void this.#read(), this.#failing ? cooldownMs : reloadMs);
    this.#timer.unref();
  }

  #tell(problem: Error | undefined): void {
    const failing = problem !== undefined;
    if (failing === this.#failing) return;
    this.#failing = failing;
    this.#told(problem);
  }
}

async function firstOf(several: AsyncIterable<CryptoKey>): Promise<CryptoKey[]> {
  const keys: CryptoKey[] = [];
  for await (const key of several) if (keys.push(key) === MAX_TRIED) break;
  return keys;
}
