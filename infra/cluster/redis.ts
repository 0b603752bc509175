import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { containerCommand } from './docker.ts';
import type { Provided } from './install.ts';
import type { Part } from './part.ts';

/** Redis on the loopback, with an append-only file in a folder of its own, so that it comes back with what it had. */
export function redisPart(provided: Provided, port: number, folder: string, containerName: string): Part {
  mkdirSync(folder, { recursive: true });
  const args = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no'],
    // Flushed before the answer: with `everysec` Redis answers for up to two seconds of messages that a crash takes.
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
    // The log may never be dropped to make room.
    ...['--maxmemory-policy', 'noeviction', '--loglevel', 'notice'],
  ];
  return {
    name: 'redis',
    address: `127.0.0.1:${port}`,
    command:
      provided.tier === 'docker'
        ? containerCommand(containerName, provided.image, folder, ['redis-server', ...args])
        : { file: provided.path, args, env: { PATH: process.env.PATH ?? '' } },
    missing: () => missing(port),
    // About large memories, which is a matter for production.
    hidden: /WARNING Memory overcommit must be enabled/,
    stopSignal: 'SIGTERM',
    stopSeconds: 15,
  };
}

/** Asks with an inline PING (https://redis.io/docs/latest/develop/reference/protocol-spec/#inline-commands). */
function missing(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2000 });
    const answer = (missing: string | undefined) => {
      socket.destroy();
      resolve(missing);
    };
    socket.once('connect', () => socket.write('PING\r\n'));
    // `-LOADING …` while it reads its file.
    socket.once('data', (data) => answer(data.toString().startsWith('+PONG') ? undefined : data.toString().trim()));
    socket.once('timeout', () => answer('no answer to PING'));
    socket.once('error', (error: NodeJS.ErrnoException) => answer(error.code ?? error.message));
    socket.once('close', () => answer('the connection was closed'));
  });
}
