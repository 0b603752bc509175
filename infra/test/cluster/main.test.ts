import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SseClient } from '../../../services/gateway/test/support/sse-client.ts';
import { until } from '../../../services/gateway/test/support/until.ts';
import { readLines } from '../../cluster/lines.ts';
import { choosePorts } from '../../cluster/ports.ts';
import { isAlive } from './processes.ts';

/** The runner as it is used: a process of its own, real nodes, Redis and NGINX. */
const MAIN = fileURLToPath(new URL('../../cluster/main.ts', import.meta.url));

let temporary: string;
let runner: Runner | undefined;

beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'fanfare-test-'));
  await chmod(temporary, 0o711);
});
afterEach(async () => {
  runner?.child.kill('SIGKILL');
  await runner?.ended;
  runner = undefined;
  await rm(temporary, { recursive: true, force: true });
});

class Runner {
  readonly out: string[] = [];
  readonly errors: string[] = [];
  readonly child: ChildProcess;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;

  constructor(words: readonly string[], env: Record<string, string> = {}) {
    const { PATH, HOME } = process.env;
    this.child = spawn(process.execPath, [MAIN, ...words], {
      env: { PATH, HOME, TMPDIR: temporary, FANFARE_DRAIN_SECONDS: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (this.child.stdout !== null) readLines(this.child.stdout, (line) => this.out.push(line));
    if (this.child.stderr !== null) readLines(this.child.stderr, (line) => this.errors.push(line));
    this.ended = once(this.child, 'close').then(([code, signal]) => code ?? signal);
  }

  async ready(): Promise<this> {
    const over = this.ended.then((code) => {
      throw new Error(`the runner ended with ${code}: ${this.errors.join('\n')}`);
    });
    await Promise.race([until(() => this.out.some((line) => line.startsWith('ready ')), 'the ready line', 90), over]);
    return this;
  }

  /** The processes of the parts, by the lines about them. */
  get pids(): number[] {
    return this.out.flatMap((line) => /^(?:redis|node-\d+|nginx) +pid (\d+) /.exec(line)?.slice(1) ?? []).map(Number);
  }
}

function run(words: readonly string[], env?: Record<string, string>): Runner {
  runner = new Runner(words, env);
  return runner;
}

async function nothingIsLeft(pids: readonly number[]): Promise<void> {
  await until(() => !pids.some(isAlive), 'every process to be gone');
  await until(async () => (await readdir(temporary)).length === 0, 'the private folder to be gone');
}

test('it prints a line for each part and then where it serves; SIGTERM stops it all', async () => {
  const { edge } = await choosePorts(2);
  const it = await run(['--nodes', '2', '--port', String(edge)]).ready();
  const ready = it.out.indexOf(`ready http://127.0.0.1:${edge}`);
  const lineOf = (start: RegExp) => it.out.findIndex((line) => start.test(line));
  for (const part of [
    /^redis +pid \d+ +127\.0\.0\.1:\d+$/,
    new RegExp(`^node-1 +pid \\d+ +127\\.0\\.0\\.1:${edge + 1}, admin 127\\.0\\.0\\.1:${edge + 101}$`),
    new RegExp(`^node-2 +pid \\d+ +127\\.0\\.0\\.1:${edge + 2}, admin 127\\.0\\.0\\.1:${edge + 102}$`),
    new RegExp(`^nginx +pid \\d+ +127\\.0\\.0\\.1:${edge}$`),
  ]) {
    expect(lineOf(part), String(part)).toBeGreaterThanOrEqual(0);
    expect(lineOf(part)).toBeLessThan(ready);
  }

  const client = await new SseClient(`http://127.0.0.1:${edge}/v1/sse?channel=orders`).open();
  const answer = await fetch(`http://127.0.0.1:${edge}/v1/channels/orders/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"event":"order.updated","data":{"orderId":42}}',
  });
  expect(answer.status).toBe(201);
  await until(() => client.messages.length === 1, 'the message');
  expect(client.messages[0]).toMatchObject({ type: 'order.updated', data: '{"orderId":42}' });
  await until(() => it.out.some((line) => /^node-1 +\| \{/.test(line)), "a node's log with its name in front");
  await until(() => it.out.some((line) => /^nginx +\| \{.*"path":"\/v1\/channels/.test(line)), "NGINX's log");

  it.child.kill('SIGTERM');
  expect(await it.ended).toBe(0);
  expect(it.errors).toEqual([]);
  await until(() => client.ended, 'the stream to end');
  await nothingIsLeft(it.pids);
  expect(it.pids).toHaveLength(4);
});

test('with --tls it serves https, and says where its certificate is', async () => {
  const { edge } = await choosePorts(1);
  const it = await run(['--nodes', '1', '--port', String(edge), '--tls']).ready();
  expect(it.out).toContain(`ready https://127.0.0.1:${edge}`);
  const file = it.out.map((line) => /curl --cacert (\S+)/.exec(line)?.[1]).find((found) => found !== undefined);
  const client = connect(`https://127.0.0.1:${edge}`, { ca: await readFile(file ?? '') });
  const [headers] = await once(client.request({ ':path': '/' }).resume(), 'response');
  expect(headers[':status']).toBe(200);
  client.destroy();
  it.child.kill('SIGTERM');
  expect(await it.ended).toBe(0);
  await nothingIsLeft(it.pids);
});

test('one Ctrl-C waits for the drain, another one ends it', async () => {
  const { edge } = await choosePorts(1);
  const it = await run(['--nodes', '1', '--port', String(edge)], { FANFARE_DRAIN_SECONDS: '3600' }).ready();
  // They are sent away one after the other over an hour: the first at once, the second in half an hour.
  const url = `http://127.0.0.1:${edge}/v1/sse?channel=a`;
  const clients = [await new SseClient(url).open(), await new SseClient(url).open()];
  it.child.kill('SIGINT');
  // What npm passes on beside the terminal's own is the same Ctrl-C.
  it.child.kill('SIGINT');
  await until(() => clients.some((client) => client.ended), 'the first client to be sent away');
  expect(clients.filter((client) => client.ended)).toHaveLength(1);
  await until(() => {
    if (it.out.includes('killing')) return true;
    it.child.kill('SIGINT');
    return false;
  }, 'another Ctrl-C to count');
  expect(await it.ended).toBe(0);
  await until(() => clients.every((client) => client.ended), 'the other client to be cut off');
  await nothingIsLeft(it.pids);
});

test('killed with -9 it takes everything with it', async () => {
  const { edge } = await choosePorts(1);
  const it = await run(['--nodes', '1', '--port', String(edge)]).ready();
  expect(it.pids).toHaveLength(3);
  it.child.kill('SIGKILL');
  expect(await it.ended).toBe('SIGKILL');
  await nothingIsLeft(it.pids);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  '%s while it is starting leaves nothing behind',
  async (signal) => {
    const { edge } = await choosePorts(2);
    const it = run(['--nodes', '2', '--port', String(edge)]);
    await until(() => it.pids.length > 0, 'the first part', 60);
    it.child.kill(signal);
    expect(await it.ended).toBe(signal === 'SIGKILL' ? 'SIGKILL' : 130);
    expect(it.out.some((line) => line.startsWith('ready'))).toBe(false);
    await nothingIsLeft(it.pids);
  },
);

test('when nobody reads its output any more, it stops', async () => {
  const { edge } = await choosePorts(1);
  const it = await run(['--nodes', '1', '--port', String(edge)]).ready();
  it.child.stdout?.destroy();
  // Makes it say something: a request is a line of NGINX's log.
  while (it.child.exitCode === null) {
    await fetch(`http://127.0.0.1:${edge}/`).catch(() => {});
    await delay(50);
  }
  await nothingIsLeft(it.pids);
});

test('a taken port is named in one line', async () => {
  const { edge } = await choosePorts(3);
  const other = createServer();
  other.listen(edge + 2, '127.0.0.1');
  await once(other, 'listening');
  const it = run(['--port', String(edge)]);
  expect(await it.ended).toBe(1);
  expect(it.errors).toEqual([`cluster: port ${edge + 2} for node-2 is taken; choose another with --port`]);
  expect(it.out).toEqual([]);
  other.close();
  await nothingIsLeft([]);
});

test('settings that a node refuses are told in one line, with what is wrong', async () => {
  const { edge } = await choosePorts(1);
  const it = run(['--nodes', '1', '--port', String(edge)], { FANFARE_HISTORY_SIZE: 'many' });
  expect(await it.ended).toBe(1);
  expect(it.errors).toHaveLength(1);
  expect(it.errors[0]).toMatch(/^cluster: node-1 ended with exit code 1 while it was starting: .*FANFARE_HISTORY_SIZE/);
  await nothingIsLeft(it.pids);
});

test('a page whose name leads to this machine gets nothing through the edge', async () => {
  const { edge } = await choosePorts(1);
  const it = await run(['--nodes', '1', '--port', String(edge)]).ready();
  const status = async (path: string, host: string) => {
    const [answer] = await once(get({ host: '127.0.0.1', port: edge, path, headers: { host } }), 'response');
    (answer as IncomingMessage).destroy();
    return (answer as IncomingMessage).statusCode;
  };
  const handshake = async (host: string) => {
    const socket = new WebSocket(`ws://127.0.0.1:${edge}/v1/ws`, { origin: `http://${host}`, headers: { host } });
    const taken = once(socket, 'open').then(() => 101);
    const refused = once(socket, 'unexpected-response').then(([, answer]) => (answer as IncomingMessage).statusCode);
    const code = await Promise.race([taken, refused]);
    socket.on('error', () => {}).terminate();
    return code;
  };
  for (const [name, read, upgraded] of [
    ['evil.example', 403, 403],
    ['localhost', 200, 101],
  ] as const) {
    const host = `${name}:${edge}`;
    for (const path of ['/', '/v1/sse?channel=a', '/v1/channels/a/messages', '/v1/openapi.json'])
      expect([host, path, await status(path, host)]).toEqual([host, path, read]);
    expect(await handshake(host)).toBe(upgraded);
  }
  it.child.kill('SIGTERM');
  expect(await it.ended).toBe(0);
});

test('with authentication every node wants to know who is there, and nothing that is printed holds the secret', async () => {
  const secret = 'kept-in-a-file-0123456789-0123456789';
  await writeFile(join(temporary, 'secret'), `${secret}\n`);
  const { edge } = await choosePorts(2);
  const it = await run(['--nodes', '2', '--port', String(edge)], {
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET_FILE: relative(process.cwd(), join(temporary, 'secret')),
    LOG_LEVEL: 'trace',
  }).ready();
  for (const port of [edge, edge + 1, edge + 2]) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/channels/a/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
      body: '{"data":1}',
    });
    expect([port, answer.status]).toEqual([port, 401]);
  }
  await rm(join(temporary, 'secret'));
  it.child.kill('SIGTERM');
  expect(await it.ended).toBe(0);
  expect([...it.out, ...it.errors].filter((line) => line.includes('kept-in-a-file'))).toEqual([]);
  await nothingIsLeft(it.pids);
});

test('authentication without its keys, or keys without authentication, end the start with what is missing', async () => {
  const secret = 'never-to-be-seen-0123456789-0123456789';
  const { edge } = await choosePorts(1);
  const cases: [Record<string, string>, RegExp][] = [
    [{ FANFARE_AUTH: 'jwt' }, /FANFARE_AUTH=jwt needs one of FANFARE_JWT_SECRET/],
    [
      { FANFARE_JWT_SECRET: secret },
      /FANFARE_JWT_SECRET counts only with .* say FANFARE_AUTH=jwt, or FANFARE_AUTH=off/,
    ],
    [{ FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET_FILE: secret }, /FANFARE_JWT_SECRET_FILE: cannot read the file/],
  ];
  for (const [env, words] of cases) {
    const it = run(['--nodes', '1', '--port', String(edge)], env);
    expect(await it.ended).toBe(1);
    expect(it.errors).toEqual([expect.stringMatching(words)]);
    expect([...it.out, ...it.errors].join()).not.toContain('never-to-be-seen');
    await nothingIsLeft(it.pids);
  }
});

test('words that make no sense are answered with the usage', async () => {
  const it = run(['--nodes', 'many']);
  expect(await it.ended).toBe(2);
  expect(it.errors).toEqual([
    'cluster: --nodes must be a whole number from 1 to 16, not "many"',
    'usage: npm run cluster -- [--nodes 1..16] [--port PORT] [--redis-port PORT] [--tls] [--no-restart] [--help]',
  ]);
});
