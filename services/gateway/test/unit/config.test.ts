import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { file, folder, mistakes } from '../support/environment.ts';

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
      auth: undefined,
      maxConnectionsPerSubject: 0,
      maxPublishRatePerSecond: 0,
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
  ])('%s is open to others: without AUTH the start is refused', (host) => {
    const [told, ...more] = mistakes({ HOST: host });
    for (const way of [`HOST=${host} `, 'FANFARE_AUTH=jwt', 'FANFARE_AUTH=off', 'loopback'])
      expect(told).toContain(way);
    expect(more).toEqual([]);
    expect(readConfig({ HOST: host, FANFARE_AUTH: 'off' })).toMatchObject({ host, auth: undefined, console: false });
    const jwt = { HOST: host, FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET: 's'.repeat(32) };
    expect(readConfig(jwt)).toMatchObject({ host, auth: {}, console: false });
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

  test.each([
    'FANFARE_PORTS',
    'FANFARE_JWT_SECRETS',
    'FANFARE_',
    'FANFARE_constructor',
    'FANFARE_PARTITIONS_FILE_FILE',
  ])('the unknown setting %s is one', (name) => {
    expect(mistakes({ [name]: '1' })).toEqual([`${name} is not a setting of this version`]);
  });

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
    const path = folder();
    const missing = join(path, 'missing');
    expect(mistakes({ PORT_FILE: missing })).toEqual([`PORT_FILE: cannot read ${JSON.stringify(missing)} (ENOENT)`]);
    expect(mistakes({ PORT_FILE: path })).toEqual([`PORT_FILE: cannot read ${JSON.stringify(path)} (EISDIR)`]);
  });
});
