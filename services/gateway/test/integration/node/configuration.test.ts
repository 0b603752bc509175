import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runGateway, startGateway } from '../../support/gateway.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfare-configuration-'));
});
afterAll(() => rm(folder, { recursive: true }));

test.concurrent('every mistake stands in one message, and the node does not start', async () => {
  const { code, stderr } = await runGateway({
    HOST: '0.0.0.0',
    LOG_LEVEL: 'loud',
    REDIS_URL: 'http://127.0.0.1:6379',
    REDIS_MODE: 'many',
    PORT: '99999',
    FANFARE_PARTITIONS: '0',
    FANFARE_HEARTBEAT_INTERVAL: 'often',
    FANFARE_HISTORY_SIZE: '1e3',
    FANFARE_RECENT_BYTES: '1',
    FANFARE_CONSOLE: 'maybe',
    FANFARE_NODE_NAME: 'no spaces',
    FANFARE_MAX_CONECTIONS: '5',
    FANFARE_RETENTION_FILE: '/nowhere',
    FANFARE_DRAIN_SECONDS_FILE: join(folder, 'not-there'),
  });
  expect(code).toBe(1);
  const lines = stderr.trimEnd().split('\n');
  expect(lines[0]).toBe('fanfare: the configuration has 14 mistakes:');
  expect(lines).toHaveLength(15);
  for (const name of [
    'HOST',
    'LOG_LEVEL',
    'REDIS_URL',
    'REDIS_MODE',
    'PORT',
    'FANFARE_PARTITIONS',
    'FANFARE_HEARTBEAT_INTERVAL',
    'FANFARE_HISTORY_SIZE',
    'FANFARE_RECENT_BYTES',
    'FANFARE_CONSOLE',
    'FANFARE_NODE_NAME',
    'FANFARE_MAX_CONECTIONS',
    'FANFARE_RETENTION_FILE',
    'FANFARE_DRAIN_SECONDS_FILE',
  ])
    expect(lines.filter((line) => line.startsWith(`  - ${name}`)).length, name).toBe(1);
});

test.concurrent('the address of Redis is never repeated: it may hold a password', async () => {
  const { code, stderr } = await runGateway({ REDIS_URL: 'postgres://user:secret@localhost' });
  expect(code).toBe(1);
  expect(stderr).toContain('REDIS_URL');
  expect(stderr).not.toContain('secret');
});

test.concurrent('a node on an address that others can reach does not start before somebody says that this is meant', async () => {
  const { code, stderr } = await runGateway({ HOST: '0.0.0.0' });
  expect([code, stderr.includes('FANFARE_AUTH=off')]).toEqual([1, true]);
  const gateway = await startGateway({ HOST: '0.0.0.0', FANFARE_AUTH: 'off' });
  try {
    expect((await fetch(`http://127.0.0.1:${gateway.port}/v1/openapi.json`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${gateway.port}/`)).status).toBe(404);
    expect(gateway.logs.some(({ level, msg }) => level === 40 && msg.includes('authentication'))).toBe(true);
  } finally {
    await gateway.kill();
  }
});

test.concurrent('a value may come from a file', async () => {
  const file = join(folder, 'name');
  await writeFile(file, 'from-a-file\n');
  const gateway = await startGateway({ FANFARE_NODE_NAME_FILE: file });
  try {
    const client = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
    expect(client.of('welcome')[0]?.node).toBe('from-a-file');
    client.close();
  } finally {
    await gateway.kill();
  }
});

test.concurrent('a port that is taken is told in one line, whichever of the two it is', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = String((taken.address() as AddressInfo).port);
  try {
    for (const name of ['PORT', 'ADMIN_PORT'])
      expect(await runGateway({ [name]: port })).toEqual({
        code: 1,
        stderr: `fanfare: cannot listen on 127.0.0.1:${port}: the port is taken; choose another with PORT or ADMIN_PORT\n`,
      });
  } finally {
    taken.close();
  }
});

test.concurrent('one port for both is refused', async () => {
  const { code, stderr } = await runGateway({ PORT: '8080', ADMIN_PORT: '8080' });
  expect([code, stderr.includes('ADMIN_PORT')]).toEqual([1, true]);
});
