import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startCluster } from '../../cluster/cluster.ts';
import { REDIS } from '../../cluster/install.ts';
import { httpStatus } from '../../cluster/probe.ts';
import { findEngine, nginxImage } from './engine.ts';

const nodeEntry = fileURLToPath(new URL('stand-in-node.ts', import.meta.url));
const run = promisify(execFile);
const engine = await findEngine('the cluster with Redis and NGINX from Docker');

describe.skipIf(engine.skip)('with Redis and NGINX from Docker', () => {
  test('the cluster serves, what dies comes back, and no container is left', async () => {
    if (!engine.answers) throw new Error('no Docker engine answers');
    const programs = {
      redis: { tier: 'docker', image: REDIS.image ?? '', origin: 'Docker' },
      nginx: { tier: 'docker', image: await nginxImage(), origin: 'Docker' },
    } as const;
    const lines: string[] = [];
    const onLine = (name: string, line: string) => lines.push(`${name}: ${line}`);
    const cluster = await startCluster({ nodes: 1, nodeEntry, programs, onLine, tls: true });
    const containers = async () => {
      const { stdout } = await run('docker', ['ps', '--all', '--format', '{{.Names}} {{.Command}}', '--no-trunc']);
      return stdout.split('\n').filter((line) => line.includes(cluster.redisUrl.split(':').at(-1) ?? '-'));
    };
    try {
      expect(await containers()).toHaveLength(1);
      for (const name of ['redis', 'nginx']) {
        await cluster.kill(name);
        await cluster.start(name);
        expect(lines.some((line) => line.startsWith(`cluster: ${name} is back`))).toBe(true);
      }
      expect((await httpStatus(cluster.url)).status).toBe(200);
    } finally {
      await cluster.stop();
    }
    expect(await containers()).toEqual([]);
  });
});
