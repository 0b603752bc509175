import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NGINX, provide } from '../../infra/cluster/install.ts';
import { maxBodyBytes, nginxPart, renderTemplate, streamTimeoutSeconds } from '../../infra/cluster/nginx.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fanfare-edge-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('nginx -t finds nothing to say against the configuration', async () => {
  const settings = {
    port: 18_080,
    nodePorts: [18_081, 18_082, 18_083],
    streamTimeoutSeconds: streamTimeoutSeconds(),
    maxBodyBytes: maxBodyBytes(),
  };
  const { command } = nginxPart(await provide(NGINX), settings, join(folder, 'edge'), `fanfare-edge-${process.pid}`);
  // Standard output is a file here: NGINX opens its access log by the name /dev/stdout.
  const output = openSync(join(folder, 'output'), 'w');
  const { stderr, status } = spawnSync(command.file, [...command.args, '-t'], {
    stdio: ['ignore', output, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(output);
  expect(status, stderr).toBe(0);
  expect(stderr).not.toMatch(/\[(warn|error|alert|emerg)\]/);
});

test('only the public ports of the nodes are named', async () => {
  const settings = { port: 1, nodePorts: [11_111, 22_222], streamTimeoutSeconds: 60, maxBodyBytes: 1024 };
  nginxPart({ tier: 'machine', path: 'nginx', origin: '' }, settings, join(folder, 'edge'), '');
  const rendered = readFileSync(join(folder, 'edge', 'conf.d', 'fanfare.conf'), 'utf8');
  const servers = rendered.split('\n').filter((line) => line.trim().startsWith('server 127'));
  expect(servers).toHaveLength(1);
  expect(servers[0]?.match(/127\.0\.0\.1:\d+/g)).toEqual(['127.0.0.1:11111', '127.0.0.1:22222']);
  expect(rendered).not.toMatch(/\$\{/);
});

/** `${NAME}`, as it stands in a template. */
const reference = (name: string) => '${'.concat(name, '}');

test("rendering replaces what it is given and leaves NGINX's own variables alone", () => {
  const template = `listen ${reference('NGINX_LISTEN')}; return 200 $uri${reference('host')};`;
  expect(renderTemplate(template, { NGINX_LISTEN: '8080', uri: 'no' })).toBe(
    `listen 8080; return 200 $uri${reference('host')};`,
  );
});

test('rendering names a variable that has no value', () => {
  expect(() => renderTemplate(`listen ${reference('NGINX_LISTEN')};`, {})).toThrow('the template needs NGINX_LISTEN');
});

test('a stream may be silent for longer than a heartbeat can be late', () => {
  expect(streamTimeoutSeconds()).toBe(60);
  expect(streamTimeoutSeconds(0.5, 0.2)).toBe(26);
});
