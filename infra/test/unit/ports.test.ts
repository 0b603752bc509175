import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { choosePorts } from '../../cluster/ports.ts';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function occupy(port: number, host: string): Promise<void> {
  const server = createServer();
  servers.push(server);
  server.listen(port, host);
  await once(server, 'listening');
}

test('nodes are on the next ports after the edge, their admin ports a hundred further on', async () => {
  const { edge, nodes, redis } = await choosePorts(3);
  expect(nodes).toEqual([
    { public: edge + 1, admin: edge + 101 },
    { public: edge + 2, admin: edge + 102 },
    { public: edge + 3, admin: edge + 103 },
  ]);
  expect(redis).toBeGreaterThan(1023);
});

test.each(['127.0.0.1', '0.0.0.0'])('a port that is taken on %s is named with what it was for', async (host) => {
  const { edge } = await choosePorts(2);
  await occupy(edge + 102, host);
  await expect(choosePorts(2, edge)).rejects.toThrow(
    `port ${edge + 102} for node-2's admin port is taken; choose another with --port`,
  );
  await expect(choosePorts(1, edge)).resolves.toMatchObject({ edge });
});

test("the edge's and Redis's own ports are looked at too", async () => {
  const { edge, redis } = await choosePorts(1);
  await occupy(edge, '127.0.0.1');
  await occupy(redis, '127.0.0.1');
  await expect(choosePorts(1, edge)).rejects.toThrow(`port ${edge} for nginx is taken`);
  await expect(choosePorts(1, undefined, redis)).rejects.toThrow(`port ${redis} for redis is taken`);
});
