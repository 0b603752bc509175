import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'fanfare-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with this text; its path. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The mistakes that are told about an environment, one a line. */
function mistakes(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^ {2}- /, ''));
  }
  return [];
}

describe('an empty environment', () => {
  test('gives the defaults of the contract, frozen', () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      port: 8080,
      adminPort: 8081,
      host: '127.0.0.1',
      redis: undefined,
      logLevel: 'info',
      partitions: 1,
      retention: { historySize: 1000, historyTtlSeconds: 86_400, namespaces: new Map() },
      minReplicas: 0,
      recentBytes: 64 * 1024 * 1024,
      heartbeatIntervalSeconds: 25,
      heartbeatTimeoutSeconds: 10,
      maxChannelsPerConnection: 100,
      maxMessageBytes: 64 * 1024,
      maxBacklogBytes: 1024 * 1024,
      maxConnections: 50_000,
      maxConnectionsPerIp: 0,
      maxConnectionAgeSeconds: 0,
      maxClientRatePerSecond: 1000,
      handshakeTimeoutSeconds: 10,
      compression: true,
      allowedOrigins: [],
      trustedProxies: [],
      drainSeconds: 30,
      console: true,
    });
    expect(config.nodeName).not.toBe('');
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('is what a variable with nothing but space in it counts as', () => {
    expect(readConfig({ PORT: '', HOST: ' ', REDIS_URL: '', LOG_LEVEL: '\t', FANFARE_AUTH: '' })).toEqual(
      readConfig({}),
    );
  });

  test('may be full of what belongs to others', () => {
    const others = { PATH: '/bin', REDIS_PASSWORD: 'x', fanfare_lower: '1', FANFARE: '1', MY_FANFARE_X: '1' };
    expect(readConfig(others)).toEqual(readConfig({}));
  });
});

/** Every number: its least and greatest value, and one beyond each. */
const NUMBERS = [
  ['PORT', 'port', '0', '65535', undefined, '65536'],
  ['ADMIN_PORT', 'adminPort', '0', '65535', undefined, '65536'],
  ['FANFARE_PARTITIONS', 'partitions', '1', '64', '0', '65'],
  ['FANFARE_RECENT_BYTES', 'recentBytes', '1048576', '17179869184', '1048575', '17179869185'],
  ['FANFARE_HEARTBEAT_INTERVAL', 'heartbeatIntervalSeconds', '0.2', '3600', '0.199', '3600.001'],
  ['FANFARE_HEARTBEAT_TIMEOUT', 'heartbeatTimeoutSeconds', '0.1', '22.5', '0.099', '22.501'],
  ['FANFARE_MAX_CONNECTIONS', 'maxConnections', '1', '10000000', '0', '10000001'],
  ['FANFARE_MAX_CONNECTIONS_PER_IP', 'maxConnectionsPerIp', '0', '10000000', undefined, '10000001'],
  ['FANFARE_MAX_CONNECTION_AGE', 'maxConnectionAgeSeconds', '0', '31536000', undefined, '31536001'],
  ['FANFARE_MAX_CLIENT_RATE', 'maxClientRatePerSecond', '1', '1000000', '0', '1000001'],
  ['FANFARE_HANDSHAKE_TIMEOUT', 'handshakeTimeoutSeconds', '0.1', '300', '0.099', '300.001'],
  ['FANFARE_MAX_CHANNELS_PER_CONNECTION', 'maxChannelsPerConnection', '1', '10000', '0', '10001'],
  ['FANFARE_MAX_MESSAGE_BYTES', 'maxMessageBytes', '1024', '4194304', '1023', '4194305'],
  ['FANFARE_MAX_BACKLOG_BYTES', 'maxBacklogBytes', '65536', '1073741824', '65535', '1073741825'],
  ['FANFARE_DRAIN_SECONDS', 'drainSeconds', '0', '3600', undefined, '3600.001'],
] as const;

describe('numbers', () => {
  test.each(NUMBERS)('%s is taken at its limits and refused one past them', (name, key, least, most, below, above) => {
    expect(readConfig({ [name]: least })[key]).toBe(Number(least));
    expect(readConfig({ [name]: ` ${most}\n` })[key]).toBe(Number(most));
    for (const value of [below, above])
      if (value !== undefined)
        expect(mistakes({ [name]: value })[0]).toMatch(new RegExp(`^${name} must be .*"${value}"`));
  });

  test.each(NUMBERS)('%s must be written as a plain decimal number', (name) => {
    for (const value of ['abc', '-1', '+1', '0x10', '1e3', '1_000', '1,5', '.5', '5.', '1 0', 'NaN', 'Infinity', '１'])
      expect(mistakes({ [name]: value })[0], value).toMatch(new RegExp(`^${name} must be `));
  });

  test.each([
    ['FANFARE_HISTORY_SIZE', 'historySize', '1', '1000000', '1000001'],
    ['FANFARE_HISTORY_TTL', 'historyTtlSeconds', '1', '31536000', '31536001'],
  ] as const)('%s is taken at its limits and refused one past them', (name, key, least, most, above) => {
    expect(readConfig({ [name]: least }).retention[key]).toBe(Number(least));
    expect(readConfig({ [name]: most }).retention[key]).toBe(Number(most));
    for (const value of ['0', above, 'many']) expect(mistakes({ [name]: value })[0]).toMatch(`${name} must be `);
  });

  test('whole numbers have no fraction', () => {
    expect(mistakes({ PORT: '80.0' })).toHaveLength(1);
    expect(readConfig({ FANFARE_DRAIN_SECONDS: '0.25' }).drainSeconds).toBe(0.25);
  });
});

describe('words', () => {
  test.each(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])('LOG_LEVEL may be %s', (level) => {
    expect(readConfig({ LOG_LEVEL: level }).logLevel).toBe(level);
  });

  test.each([
    ['LOG_LEVEL', 'loud'],
    ['LOG_LEVEL', 'INFO'],
    ['LOG_LEVEL', 'constructor'],
    ['FANFARE_CONSOLE', 'true'],
    ['FANFARE_COMPRESSION', 'gzip'],
    ['FANFARE_ALLOWED_ORIGINS', 'https://a.example/'],
    ['FANFARE_ALLOWED_ORIGINS', 'a.example, https://b.example'],
    ['FANFARE_TRUSTED_PROXIES', 'proxy.example'],
    ['FANFARE_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['FANFARE_AUTH', 'jwt'],
    ['FANFARE_AUTH', 'none'],
    ['FANFARE_NODE_NAME', 'node 1'],
    ['FANFARE_NODE_NAME', 'n'.repeat(64)],
    ['HOST', 'a b'],
    ['HOST', 'http://localhost'],
    ['HOST', '127.0.0.1\n'.repeat(2)],
    ['REDIS_MODE', 'replicated'],
    ['REDIS_MODE', 'Cluster'],
  ])('%s must not be %j', (name, value) => {
    expect(mistakes({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  });

  test('lists are separated by commas or spaces, and each bad entry is a mistake of its own', () => {
    const config = readConfig({
      FANFARE_ALLOWED_ORIGINS: 'https://a.example, https://*.b.example\n',
      FANFARE_TRUSTED_PROXIES: '10.0.0.0/8 ::1,',
    });
    expect(config.allowedOrigins).toEqual(['https://a.example', 'https://*.b.example']);
    expect(config.trustedProxies).toEqual(['10.0.0.0/8', '::1']);
    expect(mistakes({ FANFARE_TRUSTED_PROXIES: 'a b 1.2.3.4' })).toHaveLength(2);
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

describe('who may reach the node', () => {
  test.each(['127.0.0.1', '127.8.9.10', '::1', 'localhost'])(
    '%s is loopback: no AUTH is needed, the console is on',
    (host) => {
      expect(readConfig({ HOST: host })).toMatchObject({ host, console: true });
    },
  );

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'example.com',
    '127.0.0.1.example.com',
    'localhost.example.com',
    '128.0.0.1',
  ])('%s is open to others: the start is refused unless FANFARE_AUTH=off says that this is meant', (host) => {
    expect(mistakes({ HOST: host })).toEqual([expect.stringContaining('FANFARE_AUTH=off')]);
    expect(readConfig({ HOST: host, FANFARE_AUTH: 'off' })).toMatchObject({ host, console: false });
  });

  test('the console can be had or not had anywhere', () => {
    expect(readConfig({ FANFARE_CONSOLE: 'off' }).console).toBe(false);
    expect(readConfig({ HOST: '0.0.0.0', FANFARE_AUTH: 'off', FANFARE_CONSOLE: 'on' }).console).toBe(true);
  });
});

describe('mistakes', () => {
  test('are all told at once', () => {
    const env = { PORT: 'x', LOG_LEVEL: 'loud', FANFARE_PARTITIONS: '0', FANFARE_COLOUR: 'red', REDIS_URL: 'x' };
    const found = mistakes(env);
    expect(found).toHaveLength(5);
    for (const name of Object.keys(env)) expect(found.filter((line) => line.startsWith(name))).toHaveLength(1);
    expect(() => readConfig(env)).toThrow('the configuration has 5 mistakes:');
    expect(() => readConfig({ PORT: 'x' })).toThrow('the configuration has a mistake:');
  });

  test.each(['FANFARE_PORTS', 'FANFARE_JWT_SECRET', 'FANFARE_', 'FANFARE_constructor', 'FANFARE_PARTITIONS_FILE_FILE'])(
    'the unknown setting %s is one',
    (name) => {
      expect(mistakes({ [name]: '1' })).toEqual([`${name} is not a setting of this version`]);
    },
  );

  test('what Kubernetes sets for a Service called fanfare is none', () => {
    const links = {
      FANFARE_PORT: 'tcp://10.0.0.1:80',
      FANFARE_SERVICE_HOST: '10.0.0.1',
      FANFARE_SERVICE_PORT_HTTP: '80',
    };
    expect(
      mistakes({ ...links, FANFARE_PORT_80_TCP_ADDR: '10.0.0.1', FANFARE_PORT_80_TCP: 'tcp://10.0.0.1:80' }),
    ).toEqual([]);
  });

  test('the two ports must differ, unless both are free choices', () => {
    expect(mistakes({ PORT: '9000', ADMIN_PORT: '9000' })).toEqual(['PORT and ADMIN_PORT must differ']);
    expect(mistakes({ PORT: '0', ADMIN_PORT: '0' })).toEqual([]);
  });

  test('a greatest age is at least a heartbeat interval', () => {
    const age = (seconds: string): string[] =>
      mistakes({ FANFARE_MAX_CONNECTION_AGE: seconds, FANFARE_HEARTBEAT_INTERVAL: '5' });
    expect(age('0')).toEqual([]);
    expect(age('5')).toEqual([]);
    expect(age('4.999')).toEqual([expect.stringMatching(/^FANFARE_MAX_CONNECTION_AGE must be /)]);
  });

  test('a heartbeat must time out before the next one', () => {
    const heartbeat = (interval: string, timeout: string): string[] =>
      mistakes({ FANFARE_HEARTBEAT_INTERVAL: interval, FANFARE_HEARTBEAT_TIMEOUT: timeout });
    expect(heartbeat('5', '4.5')).toEqual([]);
    expect(heartbeat('5', '4.501')).toEqual([expect.stringMatching(/^FANFARE_HEARTBEAT_TIMEOUT /)]);
    expect(heartbeat('5', '6')).toHaveLength(1);
    expect(heartbeat('0.2', '0.1')).toEqual([]);
    expect(readConfig({ FANFARE_HEARTBEAT_INTERVAL: '5' }).heartbeatTimeoutSeconds).toBe(2.5);
    expect(heartbeat('abc', '20')).toHaveLength(1);
  });
});

describe('values from files', () => {
  test('are read without the space around them', () => {
    const url = file('url', '\nredis://u:p@127.0.0.1:6379\r\n');
    expect(readConfig({ REDIS_URL_FILE: url, FANFARE_PARTITIONS_FILE: file('partitions', '4\n') })).toMatchObject({
      redis: { nodes: [{ host: '127.0.0.1', port: 6379 }], username: 'u', password: 'p' },
      partitions: 4,
    });
  });

  test('are checked like any other', () => {
    expect(mistakes({ PORT_FILE: file('port', 'x') })).toEqual([expect.stringMatching(/^PORT must be/)]);
  });

  test('exclude the value itself', () => {
    const port = file('port2', '9000');
    expect(mistakes({ PORT: '9000', PORT_FILE: port })).toEqual(['PORT and PORT_FILE are both set; keep one']);
  });

  test('that cannot be read are mistakes with the reason', () => {
    const missing = join(folder, 'missing');
    expect(mistakes({ PORT_FILE: missing })).toEqual([`PORT_FILE: cannot read ${JSON.stringify(missing)} (ENOENT)`]);
    expect(mistakes({ PORT_FILE: folder })).toEqual([`PORT_FILE: cannot read ${JSON.stringify(folder)} (EISDIR)`]);
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
