import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { selfSigned } from '../../../../../../infra/cluster/certificate.ts';
import { openTokenKeys, publicKeyProblem, secretProblem } from '../../../../src/auth/tokens/token-keys.ts';
import { keyPairSigner } from '../../../support/tokens.ts';

const neverTold = () => {
  throw new Error('there is nothing to tell');
};
const secrets = (secret: string) => openTokenKeys({ kind: 'secret', secret }, neverTold);
const publicKeys = (pem: string) => openTokenKeys({ kind: 'public-key', pem }, neverTold);

const rsa = keyPairSigner('RS256');
const p256 = keyPairSigner('ES256');
const p384 = keyPairSigner('ES384');
const p521 = keyPairSigner('ES512');
const ed25519 = keyPairSigner('EdDSA');

describe('secrets', () => {
  const [a, b, c] = ['a'.repeat(32), 'b'.repeat(48), 'c'.repeat(64)];

  test.each([
    [a, ['HS256']],
    [b, ['HS256', 'HS384']],
    [c, ['HS256', 'HS384', 'HS512']],
    [`${a}\n${c}`, ['HS256', 'HS384', 'HS512']],
  ])('go with the algorithms that they are long enough for: %j', (text, algorithms) => {
    expect(secretProblem(text)).toBeUndefined();
    expect(secrets(text).algorithms).toEqual(algorithms);
  });

  test('are several, one on each line, and each is found where it is long enough', async () => {
    const keys = secrets(`${a}\r\n\n  ${b}  \n${c}\n`);
    expect((await keys.find({ alg: 'HS256' })).map(String)).toEqual([a, b, c]);
    expect((await keys.find({ alg: 'HS384' })).map(String)).toEqual([b, c]);
    expect((await keys.find({ alg: 'HS512', kid: 'x' })).map(String)).toEqual([c]);
    for (const alg of ['none', 'RS256', '', '__proto__', 'toString']) expect(await keys.find({ alg })).toEqual([]);
  });

  test('are counted by their bytes', () => {
    expect(secretProblem('ä'.repeat(16))).toBeUndefined();
  });

  test.each([
    ['nothing', '', 'is empty'],
    ['a line break', '\n \r\n', 'is empty'],
    ['one that is short', 'hunter2', 'has 7 bytes, and needs 32'],
    ['one of several that is short', `${'a'.repeat(32)}\nhunter2`, 'secret 2 has 7 bytes'],
    ['the example of jwt.io', 'a-string-secret-at-least-256-bits-long', 'everybody knows'],
    ['a public key', rsa.publicPem, 'FANFARE_JWT_PUBLIC_KEY'],
    ['a private key', rsa.privatePem, 'not a key in PEM'],
    ['too many', Array(11).fill('a'.repeat(32)).join('\n'), 'at most 10'],
  ])('are not %s, and it is not repeated', (_what, text, problem) => {
    expect(secretProblem(text)).toContain(problem);
    for (const line of text.split('\n').filter((each) => each.length > 5))
      expect(secretProblem(text)).not.toContain(line);
  });
});

describe('public keys', () => {
  test.each([
    ['RSA', rsa.publicPem, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['P-256', p256.publicPem, ['ES256']],
    ['P-384', p384.publicPem, ['ES384']],
    ['P-521', p521.publicPem, ['ES512']],
    ['Ed25519', ed25519.publicPem, ['EdDSA', 'Ed25519']],
    [
      'RSA as PKCS #1',
      rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }) as string,
      expect.arrayContaining(['RS256']),
    ],
    ['one in one line', p256.publicPem.replaceAll('\n', '\\n'), ['ES256']],
    ['one with Windows line breaks', p256.publicPem.replaceAll('\n', '\r\n'), ['ES256']],
    ['one with words around', `my key:\n${p256.publicPem}\nthat was it\n`, ['ES256']],
  ])('of %s go with their own algorithms only', (_what, pem, algorithms) => {
    expect(publicKeyProblem(pem)).toBeUndefined();
    expect(publicKeys(pem).algorithms).toEqual(algorithms);
  });

  test('are several at once, and each is tried only on its own kind', async () => {
    const other = keyPairSigner('ES256');
    const keys = publicKeys(rsa.publicPem + p256.publicPem + other.publicPem);
    expect(keys.algorithms).toEqual(expect.arrayContaining(['RS256', 'ES256']));
    expect(keys.algorithms).not.toContain('HS256');
    expect(await keys.find({ alg: 'RS256' })).toMatchObject([{ asymmetricKeyType: 'rsa', type: 'public' }]);
    expect(await keys.find({ alg: 'ES256' })).toHaveLength(2);
    for (const alg of ['ES384', 'EdDSA', 'HS256', 'none']) expect(await keys.find({ alg })).toEqual([]);
  });

  test('come in certificates too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fanfare-certificate-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { certificate, key } = await selfSigned(folder);
    expect(publicKeyProblem(readFileSync(certificate, 'utf8'))).toBeUndefined();
    expect(publicKeys(readFileSync(certificate, 'utf8')).algorithms.length).toBeGreaterThan(0);
    expect(publicKeyProblem(readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))).toContain('private key');
  });

  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
  const ed448 = generateKeyPairSync('ed448').publicKey;
  const x25519 = generateKeyPairSync('x25519').publicKey;
  const spki = (key: typeof weak) => key.export({ type: 'spki', format: 'pem' }) as string;
  const kinds = 'must be an RSA key of 2048 bits or more, a P-256';

  test.each([
    ['nothing', '', 'in PEM'],
    ['a secret', 'hunter2hunter2hunter2hunter2hunter2', 'in PEM'],
    ['half a block', rsa.publicPem.slice(0, 200), 'in PEM'],
    ['something else', '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----', 'in PEM'],
    ['garbage in a block', '-----BEGIN PUBLIC KEY-----\nhunter2\n-----END PUBLIC KEY-----', 'cannot be read'],
    ['a private key', rsa.privatePem, 'is a private key'],
    ['a private key in one line', rsa.privatePem.replaceAll('\n', '\\n'), 'is a private key'],
    ['a private key among others', p256.publicPem + ed25519.privatePem, 'is a private key'],
    ['half a private key', p256.publicPem + rsa.privatePem.slice(0, 300), 'is a private key'],
    ['1024 bits of RSA', spki(weak), kinds],
    ['secp256k1', spki(koblitz), kinds],
    ['Ed448', spki(ed448), kinds],
    ['X25519', spki(x25519), kinds],
    ['a good one and a weak one', p256.publicPem + spki(weak), `key 2 ${kinds}`],
    ['too many', p256.publicPem.repeat(11), 'at most 10'],
  ])('are not %s, and it is not repeated', (_what, pem, problem) => {
    expect(publicKeyProblem(pem)).toContain(problem);
    for (const line of pem.split(/\n|\\n/).filter((each) => each.length > 5 && !each.startsWith('-----')))
      expect(publicKeyProblem(pem)).not.toContain(line);
  });
});
