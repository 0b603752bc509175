import { generateKeyPairSync } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { file, mistakes } from '../support/environment.ts';

describe('numbers', () => {
  test.each([
    ['FANFARE_HISTORY_SIZE', 'historySize', '1', '1000000', '1000001'],
    ['FANFARE_HISTORY_TTL', 'historyTtlSeconds', '1', '31536000', '31536001'],
  ] as const)('%s is taken at its limits and refused one past them', (name, key, least, most, above) => {
    expect(readConfig({ [name]: least }).retention[key]).toBe(Number(least));
    expect(readConfig({ [name]: most }).retention[key]).toBe(Number(most));
    for (const value of ['0', above, 'many']) expect(mistakes({ [name]: value })[0]).toMatch(`${name} must be `);
  });
});

describe('FANFARE_RETENTION', () => {
  test('gives namespaces rules of their own, and leaves the rest of each as it is for the others', () => {
    const { retention } = readConfig({
      FANFARE_HISTORY_SIZE: '50',
      FANFARE_HISTORY_TTL: '60',
      FANFARE_RETENTION: 'orders=size:500,ttl:3600; typing=none\n user@x.y-z_1=ttl:5',
    });
    expect(retention).toEqual({
      historySize: 50,
      historyTtlSeconds: 60,
      namespaces: new Map([
        ['orders', { historySize: 500, historyTtlSeconds: 3600 }],
        ['typing', { historySize: 0, historyTtlSeconds: 60 }],
        ['user@x.y-z_1', { historySize: 50, historyTtlSeconds: 5 }],
      ]),
    });
  });

  test('names every rule that makes no sense', () => {
    const rules =
      'a=none orders a:b=none =none a=size:1 b=size:0 c=ttl:31536001 d=size:1,size:2 e=size:1,none f=ttl:1s';
    const told = mistakes({ FANFARE_RETENTION: rules });
    const parts = [
      '"orders"',
      '"a:b=none"',
      '"=none"',
      '"a" has two rules',
      '"b=size:0": size must be from 1 to 1000000',
    ];
    parts.push(
      '"c=ttl:31536001": ttl must be from 1',
      '"d=size:1,size:2": it says size twice',
      '"e=size:1,none"',
      '"f=ttl:1s"',
    );
    expect(told).toHaveLength(parts.length);
    for (const [i, part] of parts.entries()) {
      expect(told[i]).toContain('FANFARE_RETENTION: ');
      expect(told[i]).toContain(part);
    }
  });
});

/** What a node knows of its Redis from these settings. */
function redisOf(env: Record<string, string>) {
  return readConfig(env).redis;
}

describe('where Redis is', () => {
  const NOTHING = { username: undefined, password: undefined, tls: undefined, sentinel: undefined };

  test('one Redis: host, port, user, password and database', () => {
    const plain = { ...NOTHING, mode: 'standalone', nodes: [{ host: '127.0.0.1', port: 6379 }], database: 0 };
    for (const url of ['redis://127.0.0.1:6379', 'redis://127.0.0.1', 'redis://127.0.0.1/', 'redis://127.0.0.1/0'])
      expect(redisOf({ REDIS_URL: url })).toEqual(plain);
    expect(redisOf({ REDIS_URL: 'redis://[::1]:7000', REDIS_MODE: 'standalone' })?.nodes).toEqual([
      { host: '::1', port: 7000 },
    ]);
    expect(redisOf({ REDIS_URL: 'rediss://fan:p%40ss,w/o%3A%25@redis.example:6380/2' })).toEqual({
      ...NOTHING,
      mode: 'standalone',
      nodes: [{ host: 'redis.example', port: 6380 }],
      database: 2,
      username: 'fan',
      password: 'p@ss,w/o:%',
      tls: { ca: undefined, cert: undefined, key: undefined },
    });
    expect(redisOf({ REDIS_URL: 'redis://:only@h' })).toMatchObject({ username: undefined, password: 'only' });
  });

  test('a Redis Cluster: any of its nodes', () => {
    expect(redisOf({ REDIS_MODE: 'cluster', REDIS_URL: 'redis://u:p@a:7000,b,c:7002' })).toMatchObject({
      mode: 'cluster',
      nodes: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
        { host: 'c', port: 7002 },
      ],
      username: 'u',
      password: 'p',
    });
  });

  test('Sentinels: where they are, what they call the master, and as whom they are asked', () => {
    const REDIS_MODE = 'sentinel';
    expect(redisOf({ REDIS_MODE, REDIS_URL: 'redis://u:p@a,b:5000/3?master=main' })).toEqual({
      mode: 'sentinel',
      nodes: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 5000 },
      ],
      username: 'u',
      password: 'p',
      database: 3,
      tls: undefined,
      sentinel: { master: 'main', username: undefined, password: undefined },
    });
    const url = 'redis://a/?master=main&sentinelUsername=watcher&sentinelPassword=s%26t';
    expect(redisOf({ REDIS_MODE, REDIS_URL: url })?.sentinel).toEqual({
      master: 'main',
      username: 'watcher',
      password: 's&t',
    });
  });

  test.each([
    ['standalone', 'http://u:secret@h', /must be a URL like/],
    ['standalone', 'redis', /must be a URL like/],
    ['standalone', 'secret', /must be a URL like/],
    ['standalone', 'redis://u:secret@h:99999', /must name its hosts/],
    ['standalone', 'redis://u:secret@h:0', /must name its hosts/],
    ['standalone', 'redis:// secret', /must name its hosts/],
    ['standalone', 'redis://:secret@a,b', /several hosts/],
    ['standalone', 'redis://secret@h', /a user without a password/],
    ['standalone', 'redis://u:secret%@h', /encoded/],
    ['standalone', 'redis://h/secret', /must be a URL like/],
    ['standalone', 'redis://h/?secret=1', /an unknown parameter/],
    ['standalone', 'redis://h/?master=secret', /master, which is for REDIS_MODE=sentinel/],
    ['cluster', 'redis://:secret@a,b/1', /only number 0/],
    ['cluster', 'redis://:secret@a,,b', /must name its hosts/],
    ['sentinel', 'redis://:secret@a,b', /must name the master/],
    ['sentinel', 'redis://a/?master=', /must name the master/],
  ])('in the mode %s, %s is one mistake, and the value is not repeated: it may hold a password', (mode, url, what) => {
    const found = mistakes({ REDIS_MODE: mode, REDIS_URL: url });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^REDIS_URL: /);
    expect(found[0]).toMatch(what);
    expect(found[0]).not.toContain('secret');
  });

  test('several mistakes are told at once', () => {
    const found = mistakes({ REDIS_MODE: 'cluster', REDIS_URL: 'redis://u@a:0,b/7?master=m' });
    expect(found).toHaveLength(4);
  });
});

describe('certificates for Redis', () => {
  const REDIS_URL = 'rediss://h';
  const [cert = ''] = rootCertificates;
  const { privateKey: key } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

  test('are taken as texts or from files', () => {
    const tls = { ca: cert.trim(), cert: undefined, key: undefined };
    expect(redisOf({ REDIS_URL, REDIS_CA_FILE: file('ca.pem', cert) })?.tls).toEqual(tls);
    expect(redisOf({ REDIS_URL, REDIS_CA: cert })?.tls).toEqual(tls);
  });

  test('must be what they are called, and must be of use', () => {
    const problems: [Record<string, string>, RegExp][] = [
      [{ REDIS_URL, REDIS_CA: 'secret' }, /^REDIS_CA: is no certificate/],
      [{ REDIS_URL, REDIS_CERT: 'secret', REDIS_KEY: key }, /^REDIS_CERT: is no certificate/],
      [{ REDIS_URL, REDIS_CERT: cert, REDIS_KEY: 'secret' }, /^REDIS_KEY: is no private key/],
      [{ REDIS_URL, REDIS_CERT: cert }, /^REDIS_CERT and REDIS_KEY go together/],
      [{ REDIS_URL, REDIS_KEY: key }, /^REDIS_CERT and REDIS_KEY go together/],
      [{ REDIS_URL, REDIS_CERT: cert, REDIS_KEY: key }, /^REDIS_KEY is not the key of REDIS_CERT/],
      [{ REDIS_URL: 'redis://h', REDIS_CA: cert }, /^REDIS_CA is for TLS/],
      [{ REDIS_CA: cert }, /^REDIS_CA is for TLS/],
    ];
    for (const [env, what] of problems) {
      const found = mistakes(env);
      expect(found).toEqual([expect.stringMatching(what)]);
      expect(found.join()).not.toContain('secret');
    }
  });
});

test('FANFARE_MIN_REPLICAS needs a Redis', () => {
  expect(mistakes({ FANFARE_MIN_REPLICAS: '1' })).toEqual([
    'FANFARE_MIN_REPLICAS needs REDIS_URL: the embedded log has no replicas',
  ]);
  expect(readConfig({ FANFARE_MIN_REPLICAS: '2', REDIS_URL: 'redis://127.0.0.1' }).minReplicas).toBe(2);
  expect(mistakes({ FANFARE_MIN_REPLICAS: '101', REDIS_URL: 'redis://127.0.0.1' })[0]).toMatch('from 0 to 100');
});

test('FANFARE_TAIL_FROM=replica needs to know the replicas', () => {
  const needs = 'FANFARE_TAIL_FROM=replica needs REDIS_MODE=sentinel or REDIS_MODE=cluster, which know the replicas';
  const env = { FANFARE_TAIL_FROM: 'replica' };
  expect(mistakes(env)).toEqual([needs]);
  expect(mistakes({ ...env, REDIS_URL: 'redis://a' })).toEqual([needs]);
  expect(readConfig({ ...env, REDIS_URL: 'redis://a,b', REDIS_MODE: 'cluster' }).tailFrom).toBe('replica');
  expect(readConfig({}).tailFrom).toBe('master');
});
