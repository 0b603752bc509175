import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SseClient } from '../../../services/gateway/test/support/sse-client.ts';
import { until } from '../../../services/gateway/test/support/until.ts';
import { selfSigned } from '../../cluster/certificate.ts';
import { choosePorts } from '../../cluster/ports.ts';
import { httpStatus } from '../../cluster/probe.ts';
import { findEngine, nginxImage } from './engine.ts';

const run = promisify(execFile);
const FILE = fileURLToPath(new URL('../../compose.yaml', import.meta.url));
const TLS_FILE = fileURLToPath(new URL('../../compose.tls.yaml', import.meta.url));
/** An image may have to be fetched, and one is built. */
const PATIENCE = 600_000;

const engine = await findEngine('compose');

describe.skipIf(engine.skip)('compose', () => {
  const project = `fanfare-test-${randomBytes(4).toString('hex')}`;
  let url: string;
  let env: NodeJS.ProcessEnv;
  let client: readonly string[];

  const compose = (...words: string[]) => composeWith([FILE], ...words);

  async function composeWith(files: readonly string[], ...words: string[]): Promise<string> {
    const [program = '', ...first] = client;
    const named = files.flatMap((file) => ['-f', file]);
    const { stdout } = await run(program, [...first, '-p', project, ...named, ...words], {
      env,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  }

  beforeAll(async () => {
    if (!engine.answers) throw new Error('no Docker engine answers');
    const { edge } = await choosePorts(1);
    url = `http://127.0.0.1:${edge}`;
    env = { ...process.env, EDGE_PORT: String(edge), NGINX_IMAGE: process.env.NGINX_IMAGE ?? (await nginxImage()) };
    // The plugin of today, else the older program of its own.
    client = await run('docker', ['compose', 'version']).then(
      () => ['docker', 'compose'],
      () => ['docker-compose'],
    );
    await compose('up', '-d', '--build');
  }, PATIENCE);
  afterAll(async () => {
    if (engine.answers) await compose('down', '--volumes', '--timeout', '60');
  }, PATIENCE);

  test('three nodes come up behind the edge, and a message goes through', async () => {
    await until(async () => (await httpStatus(`${url}/`)).status === 200, 'the edge to serve', 60);
    const nodes = (await compose('ps', '-q', 'node')).trim().split('\n');
    expect(nodes).toHaveLength(3);

    // With least_conn three streams are one on each node.
    const clients: SseClient[] = [];
    for (let i = 0; i < 3; i++) clients.push(await new SseClient(`${url}/v1/sse?channel=orders`).open());
    const answer = await fetch(`${url}/v1/channels/orders/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"event":"order.updated","data":{"orderId":42}}',
    });
    expect(answer.status).toBe(201);
    for (const client of clients) {
      await until(() => client.messages.length === 1, 'the message');
      expect(client.messages[0]).toMatchObject({ type: 'order.updated', data: '{"orderId":42}' });
      client.close();
    }
    const nodesOfStreams = async () => {
      const log = await compose('logs', '--no-color', 'nginx');
      return new Set([...log.matchAll(/"path":"\/v1\/sse".*?"node":"([^"]+)"/g)].map((match) => match[1])).size;
    };
    await until(async () => (await nodesOfStreams()) === 3, 'a stream on each node in the log of NGINX');
  });

  test('what serves is not root and cannot write to its disk', async () => {
    expect((await compose('exec', '-T', 'node', 'id', '-u')).trim()).toBe('1000');
    expect((await compose('exec', '-T', 'nginx', 'id', '-u')).trim()).toBe('101');
    for (const service of ['node', 'nginx']) {
      const write = compose('exec', '-T', service, 'sh', '-c', 'echo > /written');
      await expect(write).rejects.toThrow(/Read-only file system/);
    }
  });

  test('the admin port is not behind the edge', async () => {
    for (const path of ['/metrics', '/readyz', '/healthz']) expect((await fetch(`${url}${path}`)).status).toBe(404);
  });

  test("a client that vanished is not waited for as long as the kernel's default", async () => {
    const retries = (await compose('exec', '-T', 'nginx', 'cat', '/proc/sys/net/ipv4/tcp_retries2')).trim();
    expect(retries).toBe('6');
  });

  test('settings of authentication reach a node from where compose runs, and without them it is off', async () => {
    const seen = async () => {
      const print = 'JSON.stringify(Object.entries(process.env).filter(([name]) => /AUTH|JWT|KEYS/.test(name)))';
      return JSON.parse(await compose('run', '--rm', '--no-deps', '-T', 'node', 'node', '-p', print)) as unknown;
    };
    expect(await seen()).toEqual([['FANFARE_AUTH', 'off']]);
    const settings = { FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET: 'it\'s $ecret\nand "two"', FANFARE_PUBLISH_KEYS: '[]' };
    const before = env;
    env = { ...env, ...settings };
    try {
      expect(await seen()).toEqual(expect.arrayContaining(Object.entries(settings)));
    } finally {
      env = before;
    }
  });

  test('with the TLS file on top it serves https over HTTP/2, and sends plain HTTP there', async () => {
    // User 101 reads them.
    const folder = await mkdtemp(join(tmpdir(), 'fanfare-compose-'));
    await chmod(folder, 0o755);
    const { certificate, key } = await selfSigned(folder);
    await chmod(key, 0o644);
    const { edge } = await choosePorts(1);
    Object.assign(env, { TLS_CERTIFICATE: certificate, TLS_KEY: key, EDGE_TLS_PORT: String(edge) });
    try {
      await composeWith([FILE, TLS_FILE], 'up', '-d', '--no-build', 'nginx');
      const httpsUrl = `https://127.0.0.1:${edge}`;
      await until(async () => (await httpStatus(`${httpsUrl}/`)).status === 200, 'the TLS edge to serve', 60);
      const http2 = connect(httpsUrl, { ca: await readFile(certificate) });
      const [headers] = await once(http2.request({ ':path': '/' }).resume(), 'response');
      expect(headers[':status']).toBe(200);
      http2.destroy();
      const redirected = await fetch(`${url}/v1/messages`, { method: 'POST', redirect: 'manual', body: '{}' });
      expect(redirected.status).toBe(308);
      expect(redirected.headers.get('location')).toBe(`${httpsUrl}/v1/messages`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('a node leaves in order when it is asked', async () => {
    const [container = ''] = (await compose('ps', '-q', 'node')).trim().split('\n');
    await run('docker', ['stop', '--time', '60', container]);
    const { stdout } = await run('docker', ['inspect', '--format', '{{.State.ExitCode}}', container]);
    expect(stdout.trim()).toBe('0');
  });
});
