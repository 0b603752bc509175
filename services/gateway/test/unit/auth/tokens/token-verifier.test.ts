import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Principal } from '../../../../src/auth/principal.ts';
import { KeySet } from '../../../../src/auth/tokens/key-set.ts';
import type { TokenVerifier } from '../../../../src/auth/tokens/token-verifier.ts';
import { FanfareError } from '../../../../src/errors.ts';
import { JwksServer } from '../../../support/jwks-server.ts';
import { keyPairSigner, nowSeconds, secretSigner } from '../../../support/tokens.ts';
import { until } from '../../../support/until.ts';
import { neverTold, refusal, secret, verifier, withPublicKey } from './verifiers.ts';

const rsa = keyPairSigner('RS256');
const ec = keyPairSigner('ES256');
const ed = keyPairSigner('EdDSA');

describe('a good token', () => {
  test('gives its rights, and what everybody has', async () => {
    const claims = {
      sub: 'ann',
      subscribe: ['user:{sub}:*'],
      publish: 'chat',
      iat: nowSeconds() - 5,
      exp: nowSeconds() + 60,
    };
    const tokens = verifier(undefined, { publicChannels: ['news'] });
    const principal = await tokens.verify(await secret.sign(claims));
    expect(principal).toMatchObject({
      ...{ subject: 'ann', account: 'sub:ann', expiresMs: claims.exp * 1000, issuedMs: claims.iat * 1000 },
      ...{ stranger: false, claims: { ...claims, publish: ['chat'] } },
    });
    expect(principal.maySubscribe(['user:ann:1', 'news'])).toBe(true);
    expect(principal.maySubscribe(['user:bob:1'])).toBe(false);
    expect(() => principal.checkPublish('chat')).not.toThrow();
    expect(() => principal.checkPublish('news')).toThrow(FanfareError);
  });

  test.each([
    ...(['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const).map((alg) => keyPairSigner(alg)),
  ])('may be signed with $alg', async (key) => {
    expect((await withPublicKey(key.publicPem).verify(await key.sign())).subject).toBe('ann');
  });

  test.each(['HS256', 'HS384', 'HS512'] as const)('may be signed with %s', async (alg) => {
    const long = 'x'.repeat(64);
    const token = await secretSigner(long, alg).sign();
    expect((await verifier({ kind: 'secret', secret: long }).verify(token)).subject).toBe('ann');
  });

  test('may be signed with any of several secrets or keys, and no other', async () => {
    const [a, b] = [secretSigner(), secretSigner()];
    const secrets = verifier({ kind: 'secret', secret: `${a.secret}\n${b.secret}` });
    await secrets.verify(await a.sign());
    await secrets.verify(await b.sign());
    expect(await refusal(secrets, await secret.sign())).toBe('its signature does not fit');
    const other = keyPairSigner('ES256');
    const keys = withPublicKey(rsa.publicPem + ec.publicPem + other.publicPem);
    for (const key of [rsa, ec, other]) await keys.verify(await key.sign());
    expect(await refusal(keys, await keyPairSigner('ES256').sign())).toBe('its signature does not fit');
  });

  test('may have times with a fraction, a type, and claims that mean nothing here', async () => {
    const odd = {
      iat: nowSeconds() - 0.5,
      exp: nowSeconds() + 60.25,
      nested: { deep: [[{}]] },
      admin: true,
      aud: ['x'],
    };
    const principal = await verifier().verify(await secret.sign(odd, { typ: 'at+jwt', kid: 'whatever' }));
    expect(principal.expiresMs).toBe(odd.exp * 1000);
    expect(() => principal.checkDisconnect()).toThrow(FanfareError);
  });

  test('may be as long as 8 KiB, and no longer', async () => {
    const tokens = verifier();
    const withLength = (count: number) => secret.sign({ pad: 'x'.repeat(count) });
    const base = (await withLength(0)).length;
    const longest = await withLength(Math.floor(((8192 - base) * 3) / 4));
    expect(longest.length).toBeGreaterThan(8180);
    await tokens.verify(longest);
    expect(await refusal(tokens, await withLength(6200))).toBe('it is longer than 8192 characters');
    expect(await refusal(tokens, 'x'.repeat(10_000_000))).toBe('it is longer than 8192 characters');
  });
});

describe('a token that was good', () => {
  test('brings the same principal again, also to those who come while it is being checked', async () => {
    const tokens = verifier();
    const token = await secret.sign();
    const all = await Promise.all([tokens.verify(token), tokens.verify(token), tokens.verify(token)]);
    expect(new Set([...all, await tokens.verify(token)]).size).toBe(1);
    expect(await tokens.verify(await secret.sign({ jti: 'other' }))).not.toBe(all[0]);
  });

  test('is refused when it has expired, though it was remembered', async () => {
    const tokens = verifier();
    const token = await secret.sign({ exp: nowSeconds() + 60 });
    await tokens.verify(token);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    expect(await refusal(tokens, token)).toBe('it has expired');
  });

  test('is refused soon after its key was withdrawn', async () => {
    const server = await JwksServer.start([ec.jwk]);
    onTestFinished(() => server.stop());
    const keys = new KeySet(server.url, neverTold, { reloadMs: 20 });
    onTestFinished(() => keys.close());
    const tokens = verifier(undefined, { keys, known: { rememberMs: 20 } });
    const token = await ec.sign();
    await tokens.verify(token);
    server.publish([rsa.jwk]);
    await until(
      () =>
        tokens.verify(token).then(
          () => false,
          () => true,
        ),
      'the token to be refused',
    );
    expect(await refusal(tokens, token)).toBe('it is signed with a key that is not known here');
    expect((await tokens.verify(await rsa.sign())).subject).toBe('ann');
  });
});

describe('keys from a key set', () => {
  async function served(keys: readonly object[], down = false): Promise<{ server: JwksServer; tokens: TokenVerifier }> {
    const server = await JwksServer.start(keys, { down });
    onTestFinished(() => server.stop());
    const set = new KeySet(server.url, () => {}, { cooldownMs: 20 });
    onTestFinished(() => set.close());
    return { server, tokens: verifier(undefined, { keys: set }) };
  }

  test('check tokens of every kind, with and without a key’s name', async () => {
    const { tokens } = await served([rsa.jwk, ec.jwk, ed.jwk, keyPairSigner('ES256').jwk]);
    for (const key of [rsa, ec, ed]) {
      expect((await tokens.verify(await key.sign())).subject).toBe('ann');
      expect((await tokens.verify(await key.sign({}, { kid: undefined }))).subject).toBe('ann');
    }
    expect(await refusal(tokens, await keyPairSigner('ES256').sign({}, { kid: undefined }))).toBe(
      'its signature does not fit',
    );
    expect(await refusal(tokens, await keyPairSigner('ES256', ec.kid).sign())).toBe('its signature does not fit');
  });

  test('are never secrets', async () => {
    const k = Buffer.from(secret.secret).toString('base64url');
    const { tokens } = await served([{ kty: 'oct', k, alg: 'HS256', kid: 'a' }, ec.jwk]);
    for (const kid of ['a', ec.kid, undefined])
      expect(await refusal(tokens, await secret.sign({}, { kid }))).toMatch(/^it must/);
  });

  test('that were never read leave open whose a token is', async () => {
    const { server, tokens } = await served([ec.jwk], true);
    const token = await ec.sign();
    const failure = await tokens.verify(token).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'auth_unavailable',
      message: expect.stringContaining('cannot be read at the moment'),
    });
    expect((failure as FanfareError).message).not.toContain(server.url);
    server.bringUp();
    let principal: Principal | undefined;
    await until(async () => {
      principal = await tokens.verify(token).catch(() => undefined);
      return principal !== undefined;
    }, 'the keys');
    expect(principal?.subject).toBe('ann');
  });

  test('are replaced under load without a token that is refused', async () => {
    const { server, tokens } = await served([ec.jwk]);
    const next = keyPairSigner('ES256');
    const good = async (key: typeof ec, i: number) => (await tokens.verify(await key.sign({ jti: i }))).subject;
    const before = Array.from({ length: 50 }, (_, i) => good(ec, i));
    await Promise.all(before);
    server.publish([ec.jwk, next.jwk]);
    const both = Array.from({ length: 100 }, (_, i) => good(i % 2 === 0 ? ec : next, 100 + i));
    expect(new Set(await Promise.all(both))).toEqual(new Set(['ann']));
  });
});
