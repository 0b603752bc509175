import { expect } from 'vitest';
import { openTokenKeys, type TokenKeySource } from '../../../../src/auth/tokens/token-keys.ts';
import { TokenVerifier, type TokenVerifierOptions } from '../../../../src/auth/tokens/token-verifier.ts';
import { FanfareError } from '../../../../src/errors.ts';
import { type Claims, secretSigner } from '../../../support/tokens.ts';

/** The secret of `verifier()`. */
export const secret = secretSigner();

export const neverTold = () => {
  throw new Error('there is nothing to tell');
};

/** A verifier with the secret, or other keys. */
export function verifier(
  source: TokenKeySource = { kind: 'secret', secret: secret.secret },
  options: Partial<TokenVerifierOptions> = {},
): TokenVerifier {
  const keys = openTokenKeys(source, neverTold);
  return new TokenVerifier({
    ...{ keys, issuer: undefined, audience: undefined, maxLifetimeSeconds: 86_400, publicChannels: [] },
    ...options,
  });
}

export const withPublicKey = (pem: string) => verifier({ kind: 'public-key', pem });

/** Why a token is refused; fails where a piece of the token is repeated. */
export async function refusal(tokens: TokenVerifier, token: string): Promise<string> {
  const error = await tokens.verify(token).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FanfareError)) throw new Error('it was taken', { cause: error });
  expect(error.code).toBe('unauthenticated');
  expect(error.message).toMatch(/^the token is refused: /);
  for (const part of token.split('.')) if (part.length > 7) expect(error.message).not.toContain(part);
  expect(error.cause).toBeUndefined();
  return error.message.slice('the token is refused: '.length);
}

/** Why a token with these claims, signed with the secret, is refused. */
export const refusalOf = async (claims: Claims, options?: Partial<TokenVerifierOptions>) =>
  refusal(verifier(undefined, options), await secret.sign(claims));
