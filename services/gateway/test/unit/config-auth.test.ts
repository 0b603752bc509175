import { createHash, generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { AUTH_SETTINGS } from '../../src/config-auth.ts';
import { file, folder, mistakes } from '../support/environment.ts';

const SECRET = 'a secret of thirty-two bytes, or more';
const JWT = { FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET: SECRET };
const SHA256 = createHash('sha256').update('ffk_x').digest('hex');
const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

/** A good value of each setting that only counts with FANFARE_AUTH=jwt. */
const GOOD: Readonly<Record<string, string>> = {
  FANFARE_JWT_SECRET: SECRET,
  FANFARE_JWT_JWKS_URL: 'https://id.example/jwks.json',
  FANFARE_JWT_PUBLIC_KEY: publicKey,
  FANFARE_JWT_ISSUER: 'https://id.example/',
  FANFARE_JWT_AUDIENCE: 'fanfare',
  FANFARE_COOKIE_NAME: '__Host-token',
  FANFARE_PUBLISH_KEYS: `[{"name":"billing","sha256":"${SHA256}","channels":["orders:*"]}]`,
  FANFARE_PUBLIC_CHANNELS: 'news, status:*',
  FANFARE_MAX_TOKEN_LIFETIME: '3600',
  FANFARE_MAX_CONNECTIONS_PER_SUBJECT: '5',
  FANFARE_MAX_PUBLISH_RATE: '50',
};

test('the settings are those that are known', () => {
  expect([...AUTH_SETTINGS].sort()).toEqual(['FANFARE_AUTH', ...Object.keys(GOOD)].sort());
});

describe('FANFARE_AUTH=jwt', () => {
  test('needs no more than the keys of tokens', () => {
    expect(readConfig(JWT)).toMatchObject({
      auth: {
        issuer: undefined,
        audience: undefined,
        cookieName: undefined,
        publishKeys: [],
        publicChannels: [],
        maxTokenLifetimeSeconds: 86_400,
      },
      maxConnectionsPerSubject: 0,
      maxPublishRatePerSecond: 0,
    });
  });

  test('takes all the others', () => {
    const { FANFARE_JWT_JWKS_URL, FANFARE_JWT_PUBLIC_KEY, ...others } = GOOD;
    expect(readConfig({ FANFARE_AUTH: 'jwt', ...others })).toMatchObject({
      auth: {
        issuer: 'https://id.example/',
        audience: 'fanfare',
        cookieName: '__Host-token',
        publishKeys: [{ name: 'billing', sha256: SHA256, channels: ['orders:*'], disconnect: false }],
        publicChannels: ['news', 'status:*'],
        maxTokenLifetimeSeconds: 3600,
      },
      maxConnectionsPerSubject: 5,
      maxPublishRatePerSecond: 50,
    });
  });

  test.each(['FANFARE_JWT_SECRET', 'FANFARE_JWT_JWKS_URL', 'FANFARE_JWT_PUBLIC_KEY'])(
    '%s may be what tokens are checked with, also from a file',
    (name) => {
      const value = GOOD[name] ?? '';
      const direct = readConfig({ FANFARE_AUTH: 'jwt', [name]: value }).auth?.tokenKeys;
      expect(JSON.stringify(direct)).toContain(JSON.stringify(value.trim()));
      expect(readConfig({ FANFARE_AUTH: 'jwt', [`${name}_FILE`]: file('key', value) }).auth?.tokenKeys).toEqual(direct);
    },
  );

  test('needs exactly one of them', () => {
    expect(mistakes({ FANFARE_AUTH: 'jwt' })).toEqual([
      expect.stringMatching(/^FANFARE_AUTH=jwt needs one of FANFARE_JWT_SECRET, .*_JWKS_URL, .*_PUBLIC_KEY/),
    ]);
    for (const more of ['FANFARE_JWT_JWKS_URL', 'FANFARE_JWT_PUBLIC_KEY']) {
      const found = mistakes({ ...JWT, [more]: GOOD[more] ?? '' });
      expect(found).toEqual([expect.stringContaining('only one may be set')]);
      expect(mistakes({ ...JWT, [`${more}_FILE`]: file('key', GOOD[more] ?? '') })).toEqual(found);
    }
  });

  test('is written like that', () => {
    for (const word of ['JWT', 'on', 'none', 'false', '1'])
      expect(mistakes({ ...JWT, FANFARE_AUTH: word })).toEqual(['FANFARE_AUTH: must be "jwt" or "off"']);
  });

  test('all that is wrong is told at once', () => {
    const wrong = {
      ...{ FANFARE_JWT_SECRET: 'short', FANFARE_JWT_JWKS_URL: 'x', FANFARE_JWT_PUBLIC_KEY: 'x' },
      ...{ FANFARE_JWT_ISSUER: 'a\nb', FANFARE_JWT_AUDIENCE: 'a\tb', FANFARE_COOKIE_NAME: 'a b' },
      ...{ FANFARE_PUBLISH_KEYS: 'x', FANFARE_PUBLIC_CHANNELS: '**', FANFARE_MAX_TOKEN_LIFETIME: '1' },
      ...{ FANFARE_MAX_CONNECTIONS_PER_SUBJECT: '-1', FANFARE_MAX_PUBLISH_RATE: 'x' },
    };
    for (const mode of ['jwt', 'JWT']) {
      const found = mistakes({ FANFARE_AUTH: mode, ...wrong });
      for (const name of Object.keys(wrong))
        expect(
          found.filter((line) => line.startsWith(name)),
          name,
        ).toHaveLength(1);
      expect(found.filter((line) => line.includes('only one may be set'))).toHaveLength(1);
    }
  });
});

describe('without FANFARE_AUTH', () => {
  test.each(Object.keys(GOOD))('%s is a mistake that names both ways out, and is the only one', (name) => {
    for (const env of [{ [name]: 'x' }, { [`${name}_FILE`]: '/not/there' }])
      for (const HOST of ['127.0.0.1', '0.0.0.0']) {
        const found = mistakes({ HOST, ...env });
        expect(found).toHaveLength(1);
        for (const part of [name, 'FANFARE_AUTH=jwt', 'FANFARE_AUTH=off']) expect(found[0]).toContain(part);
      }
  });

  test('several of them are named in one line', () => {
    const found = mistakes(GOOD);
    expect(found).toHaveLength(1);
    for (const name of Object.keys(GOOD)) expect(found[0]).toContain(name);
  });
});

describe('FANFARE_AUTH=off', () => {
  test('leaves all the others aside, whatever is in them', () => {
    const open = readConfig({ FANFARE_AUTH: 'off' });
    expect(open).toMatchObject({ auth: undefined, maxConnectionsPerSubject: 0, maxPublishRatePerSecond: 0 });
    expect(readConfig({ FANFARE_AUTH: 'off', ...GOOD })).toEqual(open);
    const names = Object.keys(GOOD);
    expect(readConfig({ FANFARE_AUTH: 'off', ...Object.fromEntries(names.map((name) => [name, '?'])) })).toEqual(open);
    const files = Object.fromEntries(names.map((name) => [`${name}_FILE`, '/not/there']));
    expect(readConfig({ FANFARE_AUTH: 'off', ...files })).toEqual(open);
  });
});

describe('numbers', () => {
  test.each([
    ['FANFARE_MAX_TOKEN_LIFETIME', '60', '31536000', ['59', '60.5', '31536001']],
    ['FANFARE_MAX_CONNECTIONS_PER_SUBJECT', '0', '10000000', ['-1', '10000001', '1.5']],
    ['FANFARE_MAX_PUBLISH_RATE', '0', '1000000', ['-1', '1000001', '1.5']],
  ] as const)('%s is taken at its limits and refused past them', (name, least, most, beyond) => {
    for (const value of [least, most]) {
      const { auth, maxConnectionsPerSubject, maxPublishRatePerSecond } = readConfig({ ...JWT, [name]: value });
      expect([auth?.maxTokenLifetimeSeconds, maxConnectionsPerSubject, maxPublishRatePerSecond]).toContain(
        Number(value),
      );
    }
    for (const value of beyond)
      expect(mistakes({ ...JWT, [name]: value })).toEqual([
        expect.stringMatching(new RegExp(`^${name} must be .* from ${least} to ${most}$`)),
      ]);
  });
});

describe('FANFARE_JWT_SECRET', () => {
  const problems = (secret: string) => mistakes({ FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET: secret });

  test('has 32 bytes or more, and so has each of several', () => {
    expect(problems('s'.repeat(32))).toEqual([]);
    expect(problems('é'.repeat(16))).toEqual([]);
    expect(problems('s'.repeat(31))).toEqual([
      expect.stringMatching(/^FANFARE_JWT_SECRET: has 31 bytes, and needs 32/),
    ]);
    expect(problems(`${'s'.repeat(32)}\r\n\n${'t'.repeat(32)}\n`)).toEqual([]);
    expect(problems(`${'s'.repeat(32)}\n${'t'.repeat(31)} `)).toHaveLength(1);
  });

  test('is no public key, with which everybody could sign', () => {
    expect(problems(publicKey)).toEqual([expect.stringContaining('FANFARE_JWT_PUBLIC_KEY')]);
  });
});

describe('FANFARE_JWT_PUBLIC_KEY', () => {
  const problems = (pem: string) => mistakes({ FANFARE_AUTH: 'jwt', FANFARE_JWT_PUBLIC_KEY: pem });

  test('is a public key', () => {
    expect(problems(publicKey)).toEqual([]);
    expect(problems('MCowBQYDK2VwAyEA')).toHaveLength(1);
  });

  test.each([privateKey, publicKey + privateKey, privateKey + publicKey])('holds no private key (%#)', (pem) => {
    expect(problems(pem)).toEqual([expect.stringMatching(/^FANFARE_JWT_PUBLIC_KEY: .*private key/)]);
  });
});

describe('FANFARE_JWT_JWKS_URL', () => {
  const problems = (url: string) => mistakes({ FANFARE_AUTH: 'jwt', FANFARE_JWT_JWKS_URL: url });

  test.each([
    'https://id.example/jwks.json?tenant=1',
    'https://10.0.0.1:8443/',
    'http://localhost:9000/jwks',
    'http://127.0.0.1/jwks',
    'http://127.8.9.1:1/jwks',
    'http://[::1]:9000/jwks',
  ])('may be %s', (url) => {
    expect(problems(url)).toEqual([]);
  });

  test.each([
    ['id.example/jwks.json', /must be a URL/],
    ['ftp://id.example/jwks.json', /must be a URL/],
    ['file:///etc/jwks.json', /must be a URL/],
    ['https://id.example/a b', /must be a URL/],
    ['http://id.example/jwks.json', /must begin with https/],
    ['http://10.0.0.1/jwks.json', /must begin with https/],
    ['http://localhost.example/jwks.json', /must begin with https/],
    ['http://127.0.0.1.example/jwks.json', /must begin with https/],
    ['https://user:password@id.example/', /user name or a password/],
    ['https://user@id.example/', /user name or a password/],
    ['https://id.example/#keys', /fragment/],
  ])('must not be %s', (url, what) => {
    expect(problems(url)).toEqual([expect.stringMatching(what)]);
  });
});

describe('FANFARE_COOKIE_NAME', () => {
  const problems = (name: string) => mistakes({ ...JWT, FANFARE_COOKIE_NAME: name });

  test.each(['token', '__Host-token', "!#$%&'*+-.^_`|~", 'n'.repeat(100)])('may be %s', (name) => {
    expect(problems(name)).toEqual([]);
  });

  test.each(['a=b', 'a;b', 'a b', 'a,b', '"a"', 'a/b', 'a(b)', 'é', 'n'.repeat(101)])('must not be %s', (name) => {
    expect(problems(name)).toEqual([expect.stringMatching(/^FANFARE_COOKIE_NAME: must be 1–100 characters/)]);
  });

  test('is none of a ticket', () => {
    expect(problems('ff_01234567')).toEqual([expect.stringContaining('tickets')]);
  });
});

describe('FANFARE_PUBLIC_CHANNELS', () => {
  const problems = (text: string) => mistakes({ ...JWT, FANFARE_PUBLIC_CHANNELS: text });

  test('each bad pattern is a mistake, told by its place', () => {
    expect(problems('news orders*, a:{sub} b:* c/d')).toEqual([
      expect.stringMatching(/^FANFARE_PUBLIC_CHANNELS: pattern 2: .*\*/),
      expect.stringMatching(/^FANFARE_PUBLIC_CHANNELS: pattern 3: .*no subject/),
      expect.stringMatching(/^FANFARE_PUBLIC_CHANNELS: pattern 5: /),
    ]);
  });

  test('there are at most a hundred', () => {
    expect(problems('a '.repeat(100))).toEqual([]);
    expect(problems('a '.repeat(102))).toEqual(['FANFARE_PUBLIC_CHANNELS: has more than 100 patterns']);
  });
});

test('a file that cannot be read or is empty is a mistake, and its path is not repeated', () => {
  const missing = join(folder(), 'missing');
  expect(mistakes({ FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET_FILE: missing })).toEqual([
    'FANFARE_JWT_SECRET_FILE: cannot read the file (ENOENT)',
  ]);
  expect(mistakes({ FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET_FILE: file('empty', '\n') })).toEqual([
    'FANFARE_JWT_SECRET_FILE: the file is empty',
  ]);
});

describe('no message repeats a secret, wherever it stands', () => {
  const random = (seed: string) => createHash('sha256').update(seed).digest('base64url');
  const key = random('key');
  /** What is set, and what of it must not be seen. */
  const secrets: [kind: string, written: string, secret: string][] = [
    ['a random text', random('a'), random('a')],
    ['a short one', '\u00a7hunter2', 'hunter2'],
    [
      'hexadecimal digits',
      createHash('sha256').update('b').digest('hex'),
      createHash('sha256').update('b').digest('hex'),
    ],
    ['a token', `${random('c')}.${random('d')}.${random('e')}`, `${random('c')}.${random('d')}.${random('e')}`],
    ['a private key', privateKey, privateKey.split('\n')[1] ?? ''],
    ['a URL with a password', `https://user:${random('f')}@id.example/`, random('f')],
    ["a publisher's key", `ffk_${key}`, key],
    ["a publisher's key as JSON", JSON.stringify(`ffk_${key}`), key],
    ["a publisher's key by its name", JSON.stringify({ billing: `ffk_${key}` }), key],
    ['a list of them', JSON.stringify([`ffk_${key}`]), key],
    ['broken JSON', `[{"name":"billing","sha256":"ffk_${key}"`, key],
    ['a key as its own hash', JSON.stringify([{ name: 'a', sha256: `ffk_${key}`, channels: ['*'] }]), key],
    ['a key as a member', JSON.stringify([{ name: 'a', sha256: SHA256, channels: ['*'], [`ffk_${key}`]: 1 }]), key],
    ['a key as a pattern', JSON.stringify([{ name: 'a', sha256: SHA256, channels: [`ffk_${key}*`] }]), key],
    [
      'a key as the name of two',
      JSON.stringify(['1', '2'].map(() => ({ name: `ffk_${key}`, sha256: SHA256, channels: ['*'] }))),
      key,
    ],
  ];
  const names = [...AUTH_SETTINGS];

  test.each(secrets)('%s', (_kind, written, secret) => {
    const parts = Array.from({ length: Math.max(1, secret.length - 7) }, (_, i) => secret.slice(i, i + 8));
    let told = 0;
    for (const name of names)
      for (const value of [
        { [name]: written },
        { [`${name}_FILE`]: written },
        { [`${name}_FILE`]: file('it', written) },
      ])
        for (const surroundings of [{}, { FANFARE_AUTH: 'jwt' }, JWT, { FANFARE_AUTH: 'off' }]) {
          const message = mistakes({ HOST: '0.0.0.0', ...surroundings, ...value }).join('\n');
          if (message !== '') told++;
          expect(
            parts.filter((part) => message.includes(part)),
            `${name}: ${message}`,
          ).toEqual([]);
        }
    expect(told).toBeGreaterThan(names.length);
  });
});
