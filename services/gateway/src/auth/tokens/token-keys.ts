import { KeySet, type KeySetOptions } from './key-set.ts';
import { PublicKeys } from './public-keys.ts';
import { SharedSecrets } from './shared-secrets.ts';
import type { TokenKeys } from './token-key.ts';

export { publicKeyProblem } from './public-keys.ts';
export { secretProblem } from './shared-secrets.ts';

/** Where the keys are that tokens are signed with. */
export type TokenKeySource =
  /** One or several, one on each line; each has passed `secretProblem`. */
  | { readonly kind: 'secret'; readonly secret: string }
  /** One or several PEM blocks that have passed `publicKeyProblem`. */
  | { readonly kind: 'public-key'; readonly pem: string }
  /** A key set's address: https, or on this machine. */
  | { readonly kind: 'jwks'; readonly url: string };

/** `told` is told when a key set cannot be read any more, and undefined when it can again. */
export function openTokenKeys(
  source: TokenKeySource,
  told: (problem: Error | undefined) => void,
  options: KeySetOptions = {},
): TokenKeys {
  switch (source.kind) {
    case 'secret':
      return new SharedSecrets(source.secret);
    case 'public-key':
      return new PublicKeys(source.pem);
    case 'jwks':
      return new KeySet(source.url, told, options);
  }
}
