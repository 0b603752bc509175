import { fileURLToPath } from 'node:url';
import type { Part } from './part.ts';
import { httpStatus } from './probe.ts';

/** The gateway's start file. */
const GATEWAY = fileURLToPath(new URL('../../services/gateway/src/main.ts', import.meta.url));

/** What a node is given of the environment besides its settings: enough for a program to run, and no secrets of others. */
const PLAIN = ['PATH', 'HOME', 'TZ', 'LANG', 'NODE_OPTIONS'];

/** The drain takes DRAIN_SECONDS (30 unless set) at most; this is for what comes after it. */
const AFTER_DRAIN_SECONDS = 10;

export interface NodeSettings {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
  readonly redisUrl: string;
  /** `FANFARE_*` and LOG_LEVEL, as whoever starts the cluster wants them. */
  readonly env: Readonly<Record<string, string>>;
  /** Another program in place of the gateway, for tests of the runner itself. */
  readonly entry?: string;
}

/** One Fanfare node, run by the Node that runs this file. */
export function nodePart(settings: NodeSettings): Part {
  const { name, port, adminPort } = settings;
  const env: Record<string, string> = {};
  for (const key of PLAIN) {
    const value = process.env[key];
    if (value !== undefined) env[key] = value;
  }
  // NGINX is on this machine, and so is everybody who can reach it.
  Object.assign(env, { FANFARE_CONSOLE: 'on', FANFARE_TRUSTED_PROXIES: '127.0.0.1' }, settings.env, {
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    HOST: '127.0.0.1',
    REDIS_URL: settings.redisUrl,
    FANFARE_NODE_NAME: name,
  });
  const drainSeconds = Number(settings.env.FANFARE_DRAIN_SECONDS ?? 30);
  return {
    name,
    address: `127.0.0.1:${port}, admin 127.0.0.1:${adminPort}`,
    command: { file: process.execPath, args: [settings.entry ?? GATEWAY], env },
    missing: async () => {
      const { status, words } = await httpStatus(`http://127.0.0.1:${adminPort}/readyz`);
      return status === 200 ? undefined : `/readyz: ${words}`;
    },
    stopSignal: 'SIGTERM',
    stopSeconds: (Number.isFinite(drainSeconds) ? drainSeconds : 30) + AFTER_DRAIN_SECONDS,
  };
}
