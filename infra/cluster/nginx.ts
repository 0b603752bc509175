import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { containerCommand } from './docker.ts';
import type { Provided } from './install.ts';
import type { Part } from './part.ts';
import { httpStatus } from './probe.ts';

const SOURCE = fileURLToPath(new URL('../../nginx/', import.meta.url));

/** How long a stream may be silent at NGINX beyond what a node may be late; see the template, "Streams". */
const STREAM_MARGIN_SECONDS = 25;

/** A node takes a batch of this many times its largest message; NGINX lets through as much, so that they agree. */
const LARGEST_MESSAGES_IN_A_BODY = 64;

export interface EdgeSettings {
  readonly port: number;
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
  const template = readFileSync(join(SOURCE, 'templates', 'fanfare.conf.template'), 'utf8');
  const servers = settings.nodePorts.map((port) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=1s;`);
  const rendered = renderTemplate(template, {
    NGINX_LISTEN: `127.0.0.1:${settings.port}`,
    NGINX_UPSTREAM_SERVERS: servers.join(' '),
    NGINX_STREAM_TIMEOUT: `${settings.streamTimeoutSeconds}s`,
    NGINX_MAX_BODY: `${Math.ceil(settings.maxBodyBytes / 1024)}k`,
  });
  writeFileSync(join(folder, 'conf.d', 'fanfare.conf'), rendered);
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
  return {
    name: 'nginx',
    address: `127.0.0.1:${settings.port}`,
    command:
      provided.tier === 'docker'
        ? containerCommand(containerName, provided.image, folder, ['nginx', ...args])
        : { file: provided.path, args, env: { PATH: process.env.PATH ?? '' } },
    missing: async () => {
      const { status, words } = await httpStatus(`http://127.0.0.1:${settings.port}/`);
      return status > 0 && status < 500 ? undefined : words;
    },
    // Lets what is under way finish; by then the nodes are gone, and with them the streams.
    stopSignal: 'SIGQUIT',
    stopSeconds: 5,
  };
}
