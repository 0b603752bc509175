import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../infra/cluster/certificate.ts';
import { Guardian } from '../../infra/cluster/guardian.ts';
import { NGINX, provide } from '../../infra/cluster/install.ts';
import { type EdgeSettings, maxBodyBytes, nginxPart, streamTimeoutSeconds } from '../../infra/cluster/nginx.ts';
import { ReopenablePipe } from '../../infra/cluster/pipe.ts';
import { choosePorts } from '../../infra/cluster/ports.ts';
import { httpStatus } from '../../infra/cluster/probe.ts';
import { Supervisor } from '../../infra/cluster/supervisor.ts';

/** A real NGINX with the real templates, in front of given ports. */
export interface Edge {
  /** By https with `tls`, else by http. */
  readonly url: string;
  readonly port: number;
  /** With `tls`: where plain HTTP is sent to https. */
  readonly redirectUrl: string;
  /** With `tls`: where its certificate and key are, made by `selfSigned`. */
  readonly folder: string;
  /** All that it has written: access log and error log. */
  readonly lines: readonly string[];
  /** `nginx -s reload`, without waiting for what comes of it. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

export interface EdgeOptions extends Partial<Omit<EdgeSettings, 'port' | 'tls'>> {
  readonly tls?: boolean;
  /** Changes the rendered `fanfare.conf`, for what cannot be had by the ports of nodes. */
  readonly edit?: (configuration: string) => string;
}

export async function startEdge(nodePorts: readonly number[], { tls = false, edit, ...settings }: EdgeOptions = {}) {
  const { edge: port, nodes } = await choosePorts(1);
  const redirectPort = nodes[0]?.public ?? 0;
  const folder = mkdtempSync(join(tmpdir(), 'fanfare-edge-'));
  chmodSync(folder, 0o711);
  const guardian = new Guardian(folder);
  const lines: string[] = [];
  const log = (_name: string, line: string) => lines.push(line);
  const output = new ReopenablePipe(join(folder, 'output'), (line) => log('nginx', line));
  const all: EdgeSettings = {
    port,
    nodePorts,
    streamTimeoutSeconds: streamTimeoutSeconds(),
    maxBodyBytes: maxBodyBytes(),
    ...settings,
    ...(tls ? { tls: { ...(await selfSigned(join(folder, 'nginx'))), redirectPort } } : {}),
  };
  const part = nginxPart(await provide(NGINX), all, join(folder, 'nginx'), `fanfare-edge-${port}`);
  if (edit !== undefined) {
    const file = join(folder, 'nginx', 'conf.d', 'fanfare.conf');
    writeFileSync(file, edit(readFileSync(file, 'utf8')));
  }
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  // Nodes may be missing on purpose; whatever is answered shows that NGINX is there.
  const missing = async () => ((await httpStatus(`${url}/.edge/invalid_request`)).status > 0 ? undefined : 'no answer');
  const nginx = new Supervisor({ ...part, missing }, { guardian, log, restart: false, stdout: output });
  const edge: Edge = {
    url,
    port,
    redirectUrl: `http://127.0.0.1:${redirectPort}`,
    folder: join(folder, 'nginx'),
    lines,
    reload: () => nginx.signal('SIGHUP'),
    async stop() {
      await nginx.abandon();
      output.close();
      await rm(folder, { recursive: true, force: true });
      await guardian.dismiss();
    },
  };
  try {
    await nginx.start();
  } catch (error) {
    await edge.stop();
    throw error;
  }
  return edge;
}

/** A stand-in for a node, for what a real node would not do on demand. */
export interface StandIn {
  readonly port: number;
  readonly server: Server;
  /** What it was asked for: `POST /path`. */
  readonly requests: readonly string[];
  /** How many connections it has been opened. */
  connections: number;
  stop(): Promise<void>;
}

export async function startStandIn(listener: RequestListener, port = 0): Promise<StandIn> {
  const requests: string[] = [];
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  const standIn: StandIn = {
    get port() {
      return (server.address() as AddressInfo).port;
    },
    server,
    requests,
    connections: 0,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  server.on('connection', () => standIn.connections++);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return standIn;
}

/** A port on which nobody listens: connecting to it is refused. */
export async function deadPort(): Promise<number> {
  return (await choosePorts(1)).edge;
}
