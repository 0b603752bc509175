import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Certificate } from './certificate.ts';
import { containerCommand } from './docker.ts';
import type { Provided } from './install.ts';
import type { Part } from './part.ts';
import { httpStatus } from './probe.ts';

const SOURCE = fileURLToPath(new URL('../../nginx/', import.meta.url));

/** How long a stream may be silent at NGINX beyond what a node may be late; see the template, "Streams". */
const STREAM_MARGIN_SECONDS = 25;

/** A node takes a batch of this many times its largest message; NGINX lets through as much, so that they agree. */
const LARGEST_MESSAGES_IN_A_BODY = 64;

/** When a silent connection is probed; see nginx/templates/fanfare.server.template. macOS has no figures of its own. */
const TCP_KEEPALIVE = process.platform === 'linux' ? '15s:3s:3' : 'on';

/** What clients come by when it is not plain HTTP. */
export interface Tls extends Certificate {
  /** Where plain HTTP is sent to https; nowhere unless given. */
  readonly redirectPort?: number;
}

export interface EdgeSettings {
  /** Where clients come: by https with `tls`, else by http. */
  readonly port: number;
  readonly tls?: Tls;
  /** The nodes' public ports, on this machine. */
  readonly nodePorts: readonly number[];
  /** Seconds after which a stream that brought nothing is cut. */
  readonly streamTimeoutSeconds: number;
  /** The largest request body. */
  readonly maxBodyBytes: number;
}

/** The seconds that fit a heartbeat: its interval, what it may be late, and a margin. */
export function streamTimeoutSeconds(heartbeatIntervalSeconds = 25, heartbeatTimeoutSeconds = 10): number {
  return Math.ceil(heartbeatIntervalSeconds + heartbeatTimeoutSeconds + STREAM_MARGIN_SECONDS);
}

/** The largest request body that nodes take, from their largest message (64 KiB). */
export function maxBodyBytes(maxMessageBytes = 64 * 1024): number {
  return maxMessageBytes * LARGEST_MESSAGES_IN_A_BODY;
}

/**
 * Does what envsubst does in the official NGINX image: `${NAME}` becomes its value, for the given names only, so that
 * NGINX's own variables stay. Throws for a `${NGINX_…}` that has no value, which envsubst would leave for NGINX to refuse.
 */
export function renderTemplate(template: string, variables: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (reference, name: string) => {
    const value = variables[name];
    if (value === undefined && name.startsWith('NGINX_')) throw new Error(`the template needs ${name}`);
    return value ?? reference;
  });
}

/** Writes all that an NGINX needs into a folder of its own: its configuration, and room for its temporary files. */
export function writeEdge(folder: string, settings: EdgeSettings): void {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  mkdirSync(join(folder, 'conf.d'), { recursive: true });
  mkdirSync(join(folder, 'temporary'), { recursive: true });
  // Workers of an NGINX that root started belong to another user, who must get to the temporary files.
  chmodSync(folder, 0o711);
  chmodSync(join(folder, 'temporary'), 0o711);
  copyFileSync(join(SOURCE, 'nginx.conf'), join(folder, 'nginx.conf'));
  const paths = temporary.map((kind) => `${kind}_temp_path "${join(folder, 'temporary', kind)}";\n`);
  writeFileSync(join(folder, 'conf.d', 'temporary.conf'), paths.join(''));
  const { servers, variables } = serversOf(settings);
  const nodes = settings.nodePorts.map((port) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=1s;`);
  const all = {
    ...variables,
    NGINX_SERVERS: servers.map((name) => `include conf.d/${name};`).join(' '),
    NGINX_TCP_KEEPALIVE: TCP_KEEPALIVE,
    NGINX_UPSTREAM_SERVERS: nodes.join(' '),
    NGINX_STREAM_TIMEOUT: `${settings.streamTimeoutSeconds}s`,
    NGINX_MAX_BODY: `${Math.ceil(settings.maxBodyBytes / 1024)}k`,
  };
  for (const name of ['fanfare.conf', 'fanfare.server', 'fanfare.any-origin', ...servers]) {
    const template = readFileSync(join(SOURCE, 'templates', `${name}.template`), 'utf8');
    writeFileSync(join(folder, 'conf.d', name), renderTemplate(template, all));
  }
}

/** The files of what listens, and the variables that they need. */
function serversOf({ port, tls }: EdgeSettings): { servers: string[]; variables: Record<string, string> } {
  if (tls === undefined) return { servers: ['fanfare.http'], variables: { NGINX_LISTEN: `127.0.0.1:${port}` } };
  const variables = {
    NGINX_TLS_LISTEN: `127.0.0.1:${port}`,
    NGINX_TLS_CERTIFICATE: tls.certificate,
    NGINX_TLS_KEY: tls.key,
  };
  if (tls.redirectPort === undefined) return { servers: ['fanfare.https'], variables };
  return {
    servers: ['fanfare.https', 'fanfare.redirect'],
    variables: { ...variables, NGINX_LISTEN: `127.0.0.1:${tls.redirectPort}`, NGINX_TLS_PORT: `${port}` },
  };
}

/** The words with which NGINX is run from such a folder, in the foreground. */
export function nginxArgs(folder: string): string[] {
  const global = `daemon off; pid "${join(folder, 'nginx.pid')}";`;
  return ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf'), '-g', global];
}

/** NGINX in front of the nodes, run from `folder`, which it makes. */
export function nginxPart(provided: Provided, settings: EdgeSettings, folder: string, containerName: string): Part {
  writeEdge(folder, settings);
  const args = nginxArgs(folder);
  const scheme = settings.tls === undefined ? 'http' : 'https';
  return {
    name: 'nginx',
    address: `127.0.0.1:${settings.port}`,
    command:
      provided.tier === 'docker'
        ? containerCommand(containerName, provided.image, folder, ['nginx', ...args])
        : { file: provided.path, args, env: { PATH: process.env.PATH ?? '' } },
    missing: async () => {
      const { status, words } = await httpStatus(`${scheme}://127.0.0.1:${settings.port}/`);
      return status > 0 && status < 500 ? undefined : words;
    },
    // Lets what is under way finish; by then the nodes are gone, and with them the streams.
    stopSignal: 'SIGQUIT',
    stopSeconds: 5,
  };
}
