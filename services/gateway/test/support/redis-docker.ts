import { GenericContainer, Wait } from 'testcontainers';
import type { RedisServer, TestRedisOptions } from './redis.ts';
import { freePort, redisArguments } from './redis-local.ts';
import { untilRedisAnswers } from './redis-ping.ts';

const IMAGE = 'redis:7-bookworm';
const PORT = 6379;
const FOLDER = '/data';
const PID_FILE = '/run/redis-test.pid';

/**
 * Starts Redis in a container. The container only waits; Redis is a process within it, so that it can be killed and
 * started again while the container, its files and its address stay.
 */
export async function startDockerRedis(options: TestRedisOptions): Promise<RedisServer> {
  const container = await new GenericContainer(IMAGE)
    .withEntrypoint(['sleep'])
    .withCommand(['infinity'])
    .withExposedPorts({ container: PORT, host: await freePort() })
    .withWaitStrategy(Wait.forSuccessfulCommand('redis-server --version'))
    .start();
  const host = container.getHost();
  const port = container.getMappedPort(PORT);

  async function run(command: string): Promise<void> {
    const { exitCode, output } = await container.exec(['sh', '-c', command]);
    if (exitCode !== 0) throw new Error(`in the Redis container, "${command}" failed: ${output}`);
  }
  async function start(files: 'kept' | 'empty' = 'kept'): Promise<void> {
    if (files === 'empty') await run(`rm -rf ${FOLDER}/*`);
    const quoted = redisArguments(PORT, FOLDER, options).map((argument) => `'${argument}'`);
    await run(
      `redis-server ${quoted.join(' ')} --bind '*' --protected-mode no --daemonize yes --pidfile ${PID_FILE} --logfile ${FOLDER}/redis.log`,
    );
    await untilRedisAnswers(host, port, () => false);
  }
  const signal = (name: string) => run(`kill -${name} $(cat ${PID_FILE})`);

  await start();
  return {
    url: `redis://${host}:${port}`,
    start,
    // Until the process is gone: the next one must find its port and its files free.
    kill: () =>
      run(
        `pid=$(cat ${PID_FILE}); kill -9 $pid; while grep -q '^State:.[^Z]' /proc/$pid/status; do sleep 0.02; done 2>&1`,
      ),
    pause: () => signal('STOP'),
    resume: () => signal('CONT'),
    async stop() {
      await container.stop();
    },
  };
}
