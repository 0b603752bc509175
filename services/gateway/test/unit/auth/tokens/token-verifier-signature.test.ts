import { createHmac, createPrivateKey, sign as signWith } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TokenVerifier } from '../../../../src/auth/tokens/token-verifier.ts';
import { JwksServer } from '../../../support/jwks-server.ts';
import { forgedToken, keyPairSigner, unsignedToken, usualClaims } from '../../../support/tokens.ts';
import { refusal, refusalOf, secret, verifier, withPublicKey } from './verifiers.ts';

const rsa = keyPairSigner('RS256');
const ec = keyPairSigner('ES256');
const ed = keyPairSigner('EdDSA');

describe('a signature', () => {
  test.each(['none', 'None', 'NONE', 'nOnE', '', 'HS1', 'hs256', 'toString', '__proto__'])(
    'must not be missing: alg %j',
    async (alg) => {
      for (const tokens of [verifier(), withPublicKey(rsa.publicPem)])
        expect(await refusal(tokens, unsignedToken({}, alg))).toMatch(/^it must be signed with /);
    },
  );

  test.each([[undefined], [null], [1], [['HS256']], [{}], [true]])(
    'has an algorithm that is text, not %j',
    async (alg) => {
      const token = forgedToken({ alg }, {}, () => Buffer.alloc(32));
      expect(await refusal(verifier(), token)).toMatch(/^it must be signed with /);
    },
  );

  test('must not be left empty', async () => {
    for (const alg of ['HS256', 'HS384']) await refusal(verifier(), unsignedToken({}, alg));
    expect(await refusal(verifier(), unsignedToken({}, 'HS256'))).toBe('its signature does not fit');
    for (const key of [rsa, ec, ed])
      expect(await refusal(withPublicKey(key.publicPem), unsignedToken({}, key.alg))).toBe(
        'its signature does not fit',
      );
  });

  test('must not be made with a public key as if it were a secret', async () => {
    for (const key of [rsa, ec, ed]) {
      const tokens = withPublicKey(key.publicPem);
      const guesses = [
        ...[key.publicPem, key.publicPem.trim(), key.publicPem.replaceAll('\n', '\r\n'), JSON.stringify(key.jwk)],
        ...(['pem', 'der'] as const).map((format) => key.publicKey.export({ type: 'spki', format })),
      ];
      for (const guess of guesses)
        for (const [alg, digest] of Object.entries({ HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' })) {
          const token = forgedToken({ alg, kid: key.kid }, {}, (text) =>
            createHmac(digest, guess).update(text).digest(),
          );
          expect(await refusal(tokens, token)).toMatch(/^it must be signed with /);
        }
    }
  });

  test('must be of the kind that goes with the key', async () => {
    const keys = { RS256: rsa, ES256: ec, EdDSA: ed, HS256: secret };
    const sources: Record<string, TokenVerifier> = {
      RS256: withPublicKey(rsa.publicPem),
      ES256: withPublicKey(ec.publicPem),
      EdDSA: withPublicKey(ed.publicPem),
      HS256: verifier(),
    };
    for (const [mine, tokens] of Object.entries(sources))
      for (const [theirs, key] of Object.entries(keys))
        if (mine !== theirs)
          expect(await refusal(tokens, await key.sign()), `${theirs} at ${mine}`).toMatch(/^it must be/);
  });

  test('must not name an algorithm that it was not made with', async () => {
    const tokens = withPublicKey(rsa.publicPem + ec.publicPem);
    const key = createPrivateKey(rsa.privatePem);
    for (const alg of ['RS384', 'PS256', 'ES256']) {
      const token = forgedToken({ alg }, {}, (text) => signWith('sha256', Buffer.from(text), key));
      expect(await refusal(tokens, token)).toBe('its signature does not fit');
    }
  });

  test('must be of a key that is known, whatever key the token brings along', async () => {
    const own = keyPairSigner('ES256', ec.kid);
    const server = await JwksServer.start([own.jwk]);
    onTestFinished(() => server.stop());
    for (const header of [
      { jwk: own.jwk },
      { jku: server.url },
      { x5u: server.url },
      { x5c: ['AAAA'] },
      { kid: '../../x' },
    ])
      expect(await refusal(withPublicKey(ec.publicPem), await own.sign({}, header))).toBe('its signature does not fit');
    expect(server.reads).toBe(0);
  });

  test('holds every letter of the token together', async () => {
    const tokens = verifier();
    const token = await secret.sign({ sub: 'ann' });
    const [head = '', payload = '', signature = ''] = token.split('.');
    const admin = Buffer.from(JSON.stringify({ ...usualClaims(), sub: 'admin' })).toString('base64url');
    expect(await refusal(tokens, `${head}.${admin}.${signature}`)).toBe('its signature does not fit');
    await tokens.verify(token);
    for (const other of [`${head}.${admin}.${signature}`, `${head}.${payload}.${signature.slice(0, -2)}`])
      await refusal(tokens, other);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom('A', 'z', '-', '.', '=', ' '),
        async (place, letter) => {
          const changed = token.slice(0, place) + letter + token.slice(place + 1);
          // The last letter of a part has bits that stand for nothing.
          fc.pre(changed !== token && ![head.length - 1, token.length - 1].includes(place));
          await refusal(tokens, changed);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('must not be of a header that asks for more than is done here', async () => {
    const hmac = (text: string) => createHmac('sha256', secret.secret).update(text).digest();
    const headers = [
      ...[
        { crit: ['exp'], exp: 1 },
        { crit: ['x'], x: 1 },
        { crit: [] },
        { crit: 'b64' },
        { crit: ['b64'], b64: false },
      ],
      ...[{ crit: ['__proto__'] }, { crit: ['x'] }],
    ];
    for (const header of headers) await refusal(verifier(), forgedToken({ alg: 'HS256', ...header }, {}, hmac));
    const unknown = forgedToken({ alg: 'HS256', crit: ['hunter2'], hunter2: 1 }, {}, hmac);
    expect(await refusal(verifier(), unknown)).toBe('its header asks for something that is not done here');
  });
});

describe('a token that is none', () => {
  test.each([
    ...[
      '',
      '.',
      '..',
      '...',
      'abc',
      'a.b',
      'a.b.c',
      'a.b.c.d.e',
      'ffk_x',
      'undefined',
      '{}',
      '\0',
      'ä.ö.ü',
      '\ud800.a.b',
    ],
    ...['bnVsbA.e30.', 'W10.e30.', 'e30.e30.', 'eyJhbGciOiJIUzI1NiJ9', 'eyJhbGciOiJIUzI1NiJ9.e30'],
  ])('is refused: %j', async (text) => {
    await refusal(verifier(), text);
    await refusal(withPublicKey(rsa.publicPem), text);
  });

  test('is refused whatever it is', async () => {
    const tokens = verifier();
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.jsonValue(), async (text, json) => {
        await refusal(tokens, text);
        await refusal(
          tokens,
          forgedToken(JSON.stringify(json), JSON.stringify(json), () => Buffer.from(text)),
        );
      }),
      { numRuns: 200 },
    );
  });

  test.each(['null', '[]', '"ann"', '7', '', '{', '{"sub":"ann"', '\ufeff{}'])(
    'is refused though it is signed: payload %j',
    async (payload) => {
      expect(await refusalOf(payload)).toBeTypeOf('string');
    },
  );

  test('is refused with a payload that is not UTF-8', async () => {
    const head = Buffer.from('{"alg":"HS256"}').toString('base64url');
    const signed = `${head}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}`;
    const signature = createHmac('sha256', secret.secret).update(signed).digest('base64url');
    expect(await refusal(verifier(), `${signed}.${signature}`)).toBe('it is no JSON Web Token');
  });
});
