import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { type Config, ConfigError, isLoopback, readConfig } from './config.ts';
import type { Logger } from './logger.ts';
import { startNode } from './node.ts';
import { openFilesLimit } from './open-files.ts';

const VERSION = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

/** Ctrl-C reaches a node twice when npm runs it: from the terminal, and passed on by npm. */
const SAME_SIGNAL_MILLISECONDS = 500;

/** Starts a node from the environment, and stops it on SIGTERM or SIGINT. A second signal cuts the drain short. */
async function main(): Promise<void> {
  const config = readConfig(process.env, openFilesLimit());
  const logger = pino({ level: config.logLevel, base: { node: config.nodeName } });
  const node = await startNode(config, VERSION, logger);
  let drainingSince: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (drainingSince !== undefined) {
        if (performance.now() - drainingSince > SAME_SIGNAL_MILLISECONDS) node.hurry();
        return;
      }
      drainingSince = performance.now();
      logger.info({ signal, seconds: config.drainSeconds }, 'draining; a second signal cuts it short');
      node.stop().then(
        () => logger.info({}, 'stopped'),
        (error) => {
          logger.error({ err: error }, 'could not stop cleanly');
          process.exitCode = 1;
        },
      );
    });
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${node.port}`;
  logger.info(
    { url, adminPort: node.adminPort, log: config.redis === undefined ? 'embedded' : 'redis', version: VERSION },
    config.console ? `listening; the console is at ${url}/` : 'listening',
  );
  if (config.auth !== undefined) tellAuth(config.auth, logger);
  else if (isLoopback(config.host)) logger.info({}, 'authentication is off, so this node listens on loopback only');
  else logger.warn({}, 'authentication is off: everyone who can reach this node may publish and listen');
  if (config.redis === undefined)
    logger.info({}, 'REDIS_URL is not set: messages live in this process only, and end with it');
  await node.ready;
  if (drainingSince === undefined) logger.info({}, 'ready');
}

/** How tokens are checked, and which keys there are, by their names. */
function tellAuth(auth: NonNullable<Config['auth']>, logger: Logger): void {
  const { tokenKeys, issuer, audience, publishKeys, publicChannels } = auth;
  const keys = publishKeys.map(({ name }) => name);
  logger.info({ tokens: tokenKeys.kind, issuer, audience, keys, publicChannels }, 'authentication is on');
  if (tokenKeys.kind === 'jwks' && audience === undefined)
    logger.warn({}, 'FANFARE_JWT_AUDIENCE is not set: tokens that the same issuer makes for others are taken here too');
}

try {
  await main();
} catch (error) {
  // Plain text: whoever started the node reads this before any log collector does.
  process.stderr.write(`fanfare: ${error instanceof ConfigError ? error.message : plain(error)}\n`);
  process.exit(1);
}

function plain(error: unknown): string {
  const { code, syscall, address, port, stack } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (syscall === 'listen' && code === 'EADDRINUSE')
    return `cannot listen on ${address}:${port}: the port is taken; choose another with PORT or ADMIN_PORT`;
  if (syscall === 'listen') return `cannot listen on ${address}:${port} (${code})`;
  return stack ?? String(error);
}
