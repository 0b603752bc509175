import type { KeyObject } from 'node:crypto';
import type { CryptoKey } from 'jose';

/** What a signature can be checked with. */
export type TokenKey = KeyObject | CryptoKey | Uint8Array;

/** What a token's header says of its key, which nobody has vouched for yet. */
export interface KeyHint {
  readonly alg: string;
  readonly kid?: unknown;
}

/** The keys that tokens are signed with. */
export interface TokenKeys {
  /** How a token may be signed: only what goes with the kind of keys. */
  readonly algorithms: readonly string[];
  /**
   * The keys that such a token may be signed with, none or one or a few. `hint.alg` must be one of `algorithms`. Rejects with KeysUnavailable
   * while that cannot be known.
   */
  find(hint: KeyHint): Promise<readonly TokenKey[]>;
  /** Ends what goes on in the background. */
  close(): void;
}

/** There are no keys, and there never were: their server gave no answer that could be used. */
export class KeysUnavailable extends Error {}
