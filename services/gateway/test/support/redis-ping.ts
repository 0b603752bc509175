import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const DEADLINE_MS = 30_000;

/** Resolves when the Redis at this address answers PING (or that it wants a password): it listens, and has read its files. */
export async function untilRedisAnswers(host: string, port: number, hasEnded: () => boolean): Promise<boolean> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!hasEnded()) {
    if (await ping(host, port)) return true;
    if (Date.now() > deadline) throw new Error(`no Redis answers at ${host}:${port}`);
    await pause(20);
  }
  return false;
}

function ping(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const settle = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (reply) => settle(/^(\+PONG|-NOAUTH)/.test(reply.toString())));
    socket.on('timeout', () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('close', () => settle(false));
  });
}
