import { type StdioOptions, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Certificate, selfSigned } from '../../infra/cluster/certificate.ts';
import { NGINX, provide } from '../../infra/cluster/install.ts';
import {
  type EdgeSettings,
  maxBodyBytes,
  nginxPart,
  renderTemplate,
  streamTimeoutSeconds,
} from '../../infra/cluster/nginx.ts';

/** `${NAME}`, as it stands in a template. */
const reference = (name: string) => '${'.concat(name, '}');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fanfare-edge-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS: EdgeSettings = {
  port: 18_080,
  nodePorts: [18_081, 18_082, 18_083],
  streamTimeoutSeconds: streamTimeoutSeconds(),
  maxBodyBytes: maxBodyBytes(),
};

/** What `nginx -t` says to the configuration of an edge, in words and by its exit code. */
async function nginxTest(settings: EdgeSettings): Promise<{ stderr: string; status: number | null }> {
  const { command } = nginxPart(await provide(NGINX), settings, join(folder, 'edge'), `fanfare-edge-${process.pid}`);
  // Standard output is a file here: NGINX opens its access log by the name /dev/stdout.
  const output = openSync(join(folder, 'output'), 'w');
  const stdio: StdioOptions = ['ignore', output, 'pipe'];
  const { stderr, status } = spawnSync(command.file, [...command.args, '-t'], { stdio, encoding: 'utf8' });
  closeSync(output);
  return { stderr, status };
}

describe('nginx -t finds nothing to say against', () => {
  test('plain HTTP', async () => {
    const { stderr, status } = await nginxTest(SETTINGS);
    expect(status, stderr).toBe(0);
    expect(stderr).not.toMatch(/\[(warn|error|alert|emerg)\]/);
  });

  test.each([{}, { redirectPort: 18_079 }])(
    'TLS with %o, but for a word that later versions call deprecated',
    async (more) => {
      const { stderr, status } = await nginxTest({
        ...SETTINGS,
        tls: { ...(await selfSigned(join(folder, 'edge'))), ...more },
      });
      expect(status, stderr).toBe(0);
      expect(stderr.replaceAll(/.*the "listen \.\.\. http2" directive is deprecated.*/g, '')).not.toMatch(
        /\[(warn|error|alert|emerg)\]/,
      );
    },
  );
});

describe('nginx -t names what is wrong with', () => {
  async function says(tls: Certificate): Promise<string> {
    const { stderr, status } = await nginxTest({ ...SETTINGS, tls });
    expect(status, stderr).toBe(1);
    return stderr.split('\n').find((line) => line.includes('[emerg]')) ?? stderr;
  }

  test('a certificate that is not there', async () => {
    const files = await selfSigned(join(folder, 'edge'));
    expect(await says({ ...files, certificate: '/not/there.pem' })).toMatch(
      /cannot load certificate "\/not\/there\.pem"/,
    );
  });

  test('a key that is not there', async () => {
    const files = await selfSigned(join(folder, 'edge'));
    expect(await says({ ...files, key: '/not/there.pem' })).toMatch(/cannot load certificate key "\/not\/there\.pem"/);
  });

  test('a key that belongs to another certificate', async () => {
    const { certificate } = await selfSigned(join(folder, 'edge'));
    const { key } = await selfSigned(join(folder, 'edge', 'other'));
    expect(await says({ certificate, key })).toMatch(/key values mismatch/);
  });

  test('a file that holds no certificate', async () => {
    const { key } = await selfSigned(join(folder, 'edge'));
    expect(await says({ certificate: key, key })).toMatch(/cannot load certificate ".*key\.pem".*no start line/);
  });

  test('a variable that is not set, which envsubst leaves as it is', async () => {
    const { key } = await selfSigned(join(folder, 'edge'));
    const line = await says({ certificate: reference('NGINX_TLS_CERTIFICATE'), key });
    expect(line).toContain('unknown "nginx_tls_certificate" variable');
  });
});

test('only the public ports of the nodes are named', async () => {
  const settings = { ...SETTINGS, nodePorts: [11_111, 22_222] };
  nginxPart({ tier: 'machine', path: 'nginx', origin: '' }, settings, join(folder, 'edge'), '');
  const rendered = readFileSync(join(folder, 'edge', 'conf.d', 'fanfare.conf'), 'utf8');
  const servers = rendered.split('\n').filter((line) => line.trim().startsWith('server 127'));
  expect(servers).toHaveLength(1);
  expect(servers[0]?.match(/127\.0\.0\.1:\d+/g)).toEqual(['127.0.0.1:11111', '127.0.0.1:22222']);
  expect(rendered).not.toMatch(/\$\{/);
});

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
