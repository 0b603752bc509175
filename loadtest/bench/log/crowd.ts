import { historyKey } from '../../../services/gateway/src/log/redis/keys.ts';
import type { Children } from '../child.ts';
import type { Clients } from '../client-process.ts';
import { QUIET, startGateway } from '../gateway-process.ts';
import { channelName } from './fill.ts';
import { startLogProcess } from './processes.ts';
import { startRedisServer } from './redis-server.ts';

/** Many clients that come back to one node at once with the same old cursor. */
export interface CrowdFigures {
  readonly clients: number;
  /** What each of them was replayed. */
  readonly messages: number;
  /** Until the last had its last message. */
  readonly seconds: number;
  /** Reads of that history: each is one transaction of TIME, XREVRANGE and XRANGE. */
  readonly reads: number;
  /** All commands that Redis carried out meanwhile, by name; what its INFO counted for this is not among them. */
  readonly commands: ReadonlyMap<string, number>;
}

export const CROWD_CLIENTS = 10_000;
const REPLAYED = 300;
/** What a node keeps in memory at the least, and more than that in newer messages: so memory does not reach back to the cursor. */
const RECENT_BYTES = 1024 * 1024;
const NEWER = { channels: 1, firstChannel: 1, dataBytes: 4096, messages: 1000 };

/** Opens the clients and counts what Redis does. The caller stops the children. */
export async function measureCrowd(children: Children): Promise<CrowdFigures> {
  const redis = await startRedisServer(children, { onDisk: false });
  const writer = await startLogProcess(children, 'the process that appends', redis.url);
  const channel = channelName(0);
  await writer.ask('fill', { channels: 1, messages: REPLAYED + 1, dataBytes: 256 });
  await writer.ask('fill', NEWER);
  await writer.ask('close', undefined);
  const [first] = await redis.client.xrange(historyKey(0, channel), '-', '+', 'COUNT', 1);
  if (first === undefined) throw new Error('there is no history');

  const gateway = await startGateway(children, {
    ...QUIET,
    REDIS_URL: redis.url,
    FANFARE_RECENT_BYTES: String(RECENT_BYTES),
  });
  const clients = children.start<Clients>('the clients', new URL('../client-process.ts', import.meta.url));
  const before = await redis.calls();
  const started = performance.now();
  await clients.ask('open', {
    transport: 'sse',
    port: gateway.port,
    count: CROWD_CLIENTS,
    channel,
    own: false,
    compressed: false,
    after: first[0],
  });
  await clients.ask('reached', REPLAYED);
  const seconds = (performance.now() - started) / 1000;
  const after = await redis.calls();
  const commands = new Map<string, number>();
  for (const [name, count] of after) {
    const more = count - (before.get(name) ?? 0);
    if (more > 0 && name !== 'info') commands.set(name, more);
  }
  return { clients: CROWD_CLIENTS, messages: REPLAYED, seconds, reads: commands.get('xrange') ?? 0, commands };
}
