import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Command } from './part.ts';

const run = promisify(execFile);

/** The Docker client finds its engine and its log-in by these. */
const CLIENT_ENV = [
  'PATH',
  'HOME',
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_CONFIG',
  'DOCKER_TLS_VERIFY',
  'DOCKER_CERT_PATH',
];

/** Whether a Docker engine answers. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/** Whether an image is on this machine. */
export async function hasImage(image: string): Promise<boolean> {
  try {
    await run('docker', ['image', 'inspect', image], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/** Fetches an image that is not on this machine yet. Throws an Error with the client's last line. */
export async function pullImage(image: string): Promise<void> {
  try {
    await run('docker', ['pull', '--quiet', image], { timeout: 300_000 });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(stderr?.trim().split('\n').at(-1) ?? (error as Error).message);
  }
}

/**
 * A program in a container that shares the machine's network and one folder under the same path, so that addresses and
 * paths mean the same inside and outside. Its files belong to whoever started it, who can then remove them.
 */
export function containerCommand(name: string, image: string, folder: string, words: readonly string[]): Command {
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const env: Record<string, string> = {};
  for (const key of CLIENT_ENV) {
    const value = process.env[key];
    if (value !== undefined) env[key] = value;
  }
  const options = ['--rm', '--name', name, '--network', 'host', '--user', user, '--volume', `${folder}:${folder}`];
  const [program = '', ...rest] = words;
  return { file: 'docker', args: ['run', ...options, '--entrypoint', program, image, ...rest], env, container: name };
}

/** Sends a signal to a container. False when there is no such container (yet, or any more). */
export async function signalContainer(name: string, signal: NodeJS.Signals): Promise<boolean> {
  try {
    await run('docker', ['kill', `--signal=${signal}`, name], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
