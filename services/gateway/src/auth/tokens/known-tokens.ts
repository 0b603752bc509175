import type { Principal } from '../principal.ts';

/** How long a token that was good is taken without another look, milliseconds: a key that was withdrawn ends within that time. */
const REMEMBER_MS = 60_000;
const MAX_TOKENS = 10_000;
/** As the tokens count; what is kept of one takes about as much. */
const MAX_BYTES = 16 * 1024 * 1024;

export interface KnownTokensOptions {
  readonly rememberMs?: number;
  readonly maxTokens?: number;
  readonly maxBytes?: number;
}

interface Known {
  readonly principal: Principal;
  readonly bytes: number;
  /** By the monotonic clock. */
  readonly checkedAtMs: number;
}

/**
 * Whose the tokens are that were good a moment ago: a check takes up to a tenth of a millisecond, and clients come back in crowds. It keeps no token, only
 * what they are known by. When it is full the oldest go.
 */
export class KnownTokens {
  readonly #options: Required<KnownTokensOptions>;
  /** By the token's SHA-256; oldest first. */
  readonly #known = new Map<string, Known>();
  #bytes = 0;

  constructor(options: KnownTokensOptions = {}) {
    this.#options = { rememberMs: REMEMBER_MS, maxTokens: MAX_TOKENS, maxBytes: MAX_BYTES, ...options };
  }

  get size(): number {
    return this.#known.size;
  }

  /** Undefined when it is not known, was checked too long ago, or has expired. */
  find(digest: string): Principal | undefined {
    const known = this.#known.get(digest);
    if (known === undefined || this.#isOld(known) || (known.principal.expiresMs ?? 0) <= Date.now()) return undefined;
    return known.principal;
  }

  /** `bytes`: how long the token is. */
  add(digest: string, bytes: number, principal: Principal): void {
    this.#remove(digest);
    this.#known.set(digest, { principal, bytes, checkedAtMs: performance.now() });
    this.#bytes += bytes;
    const { maxTokens, maxBytes } = this.#options;
    for (const [oldest, known] of this.#known) {
      if (this.#known.size <= maxTokens && this.#bytes <= maxBytes && !this.#isOld(known)) return;
      this.#remove(oldest);
    }
  }

  #isOld({ checkedAtMs }: Known): boolean {
    return performance.now() - checkedAtMs >= this.#options.rememberMs;
  }

  #remove(digest: string): void {
    this.#bytes -= this.#known.get(digest)?.bytes ?? 0;
    this.#known.delete(digest);
  }
}
