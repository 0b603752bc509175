import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { historyKey, logKey, onceKey } from '../../../src/log/redis/keys.ts';
import type { NewMessage } from '../../../src/message.ts';
import { type TestRedis, withClient } from '../../support/redis.ts';
import { startLocalRedis } from '../../support/redis-local.ts';
import { until } from '../../support/until.ts';
import { type LogNode, startLogNode } from './node.ts';

const CHANNEL = 'orders:eu';
/** A port on which no master is. */
const NO_MASTER = 1;

let folder: string;
let redis: TestRedis;
let node: LogNode;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfare-redis-'));
  // Snapshots go where a test can make them fail.
  const settings = { dir: folder, appendonly: 'no', 'replica-announced': 'no' };
  redis = withClient(await startLocalRedis({}, async () => settings));
  node = await startLogNode(redis.url, { commandTimeoutMs: 1_000 });
});

afterEach(async () => {
  await node.log.close();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
  expect(node.ledger.violations).toEqual([]);
});

/** A way in which Redis takes nothing, and what its error reply begins with. */
interface Trouble {
  readonly reply: string;
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  'its memory is full (OOM)': {
    reply: 'OOM',
    begin: () => redis.client.config('SET', 'maxmemory', '1'),
    end: () => redis.client.config('SET', 'maxmemory', '0'),
  },
  'it has become a replica (READONLY)': {
    reply: 'READONLY',
    begin: () => redis.client.replicaof('127.0.0.1', NO_MASTER),
    end: () => redis.client.replicaof('NO', 'ONE'),
  },
  'it is a replica without its master (MASTERDOWN)': {
    reply: 'MASTERDOWN',
    begin: async () => {
      await redis.client.config('SET', 'replica-serve-stale-data', 'no');
      await redis.client.replicaof('127.0.0.1', NO_MASTER);
    },
    end: () => redis.client.replicaof('NO', 'ONE'),
  },
  'it has too few replicas (NOREPLICAS)': {
    reply: 'NOREPLICAS',
    begin: () => redis.client.config('SET', 'min-replicas-to-write', '1'),
    end: () => redis.client.config('SET', 'min-replicas-to-write', '0'),
  },
  'its user has not the right (NOPERM)': {
    reply: 'NOPERM',
    begin: () => redis.client.acl('SETUSER', 'default', '-eval', '-evalsha'),
    end: () => redis.client.acl('SETUSER', 'default', '+@all'),
  },
  'its snapshots fail (MISCONF)': {
    reply: 'MISCONF',
    begin: async () => {
      await redis.client.config('SET', 'save', '3600 1000000');
      // Nothing can be renamed to the name of a folder.
      await mkdir(join(folder, 'dump.rdb'));
      await snapshot('err');
    },
    end: async () => {
      await rmdir(join(folder, 'dump.rdb'));
      await snapshot('ok');
    },
  },
  'it runs a script that does not end (BUSY)': {
    reply: 'BUSY',
    begin: async () => {
      await redis.client.config('SET', 'busy-reply-threshold', '10');
      const busy = redis.client.duplicate();
      busy
        .eval('while true do end', 0)
        .catch(() => {})
        .finally(() => busy.disconnect());
      await until(isBusy, 'Redis to be busy');
    },
    end: async () => {
      await redis.client.script('KILL');
      await until(async () => !(await isBusy()), 'Redis to be free');
    },
  },
};

async function snapshot(outcome: 'ok' | 'err'): Promise<void> {
  await redis.client.bgsave();
  await until(async () => {
    const info = await redis.client.info('persistence');
    return info.includes('rdb_bgsave_in_progress:0') && info.includes(`rdb_last_bgsave_status:${outcome}`);
  }, `a snapshot that ends with ${outcome}`);
}

function isBusy(): Promise<boolean> {
  return redis.client.ping().then(
    () => false,
    (error) => error.message.startsWith('BUSY'),
  );
}

/** The data that the partition's log and the channel's history hold, each with its id. */
async function held(): Promise<{ log: string[]; history: string[] }> {
  const [log, history] = await Promise.all(
    [logKey(0), historyKey(0, CHANNEL)].map(async (key) => {
      const entries = await redis.client.xrange(key, '-', '+');
      return entries.flatMap(([id, fields]) => {
        const data = fields[fields.indexOf('d') + 1];
        // The log begins with a marker.
        return fields.includes('d') ? [`${id} ${data}`] : [];
      });
    }),
  );
  return { log: log ?? [], history: history ?? [] };
}

function isKnown(idempotencyKey: string): Promise<boolean> {
  return redis.client.exists(onceKey(0, CHANNEL, idempotencyKey)).then((count) => count === 1);
}

describe('while Redis takes nothing, publishers are told that nothing was published, and it is true:', () => {
  test.each(Object.keys(TROUBLES))('%s', async (what) => {
    const { reply, begin, end } = TROUBLES[what] as Trouble;
    const before = await node.log.append({ channel: CHANNEL, data: '1', idempotencyKey: 'a' });
    await begin();

    const refused: NewMessage = { channel: CHANNEL, data: '"refused"', idempotencyKey: 'b' };
    await until(async () => {
      const error = await node.log.append(refused).catch((reason) => reason);
      expect(error).toMatchObject({ code: 'log_unavailable' });
      expect(error.message).not.toContain('refused');
      // At first it may be that the connection is being made again.
      return String(error.cause).includes(reply);
    }, `a refusal with ${reply}`);
    const outcomes = await node.log.appendMany([
      { channel: CHANNEL, data: '"many"' },
      { channel: CHANNEL, data: '"many"', idempotencyKey: 'c' },
    ]);
    expect(outcomes).toMatchObject([{ code: 'log_unavailable' }, { code: 'log_unavailable' }]);

    await end();
    expect(await held()).toEqual({ log: [`${before.id} 1`], history: [`${before.id} 1`] });
    expect([await isKnown('b'), await isKnown('c')]).toEqual([false, false]);

    await until(() => node.log.trouble === undefined, 'the log to be healthy by itself');
    const first = await node.log.append(refused);
    expect(first.replayed).toBe(false);
    expect(await node.log.append(refused)).toEqual({ id: first.id, replayed: true });
    const both = [`${before.id} 1`, `${first.id} "refused"`];
    expect(await held()).toEqual({ log: both, history: both });
    await until(() => node.ledger.data.length === 2, 'both messages at the tail');
    expect(node.ledger.data).toEqual(['1', '"refused"']);
    expect(node.ledger.floors()).toHaveLength(1);
    expect(node.ledger.skips).toEqual([]);
  });
});

describe('while Redis takes nothing more, what it has is there for everyone:', () => {
  const readable = Object.keys(TROUBLES).filter((what) => /OOM|MISCONF|READONLY/.test(what));

  test.each(readable)('replays, and the first id for a retry; %s', async (what) => {
    const { begin } = TROUBLES[what] as Trouble;
    const taken = { channel: CHANNEL, data: '1', idempotencyKey: 'a' };
    const { id } = await node.log.append(taken);
    await begin();
    const message = { id, channel: CHANNEL, data: '1' };
    expect(await node.log.historyAfter(CHANNEL, '0-0', 10)).toMatchObject({ messages: [message] });
    expect(await node.log.historyLast(CHANNEL, 10)).toEqual([message]);
    expect(await node.log.append(taken)).toEqual({ id, replayed: true });
  });

  test.each(readable)('the log, for a node that starts; %s', async (what) => {
    const { begin } = TROUBLES[what] as Trouble;
    const { id } = await node.log.append({ channel: CHANNEL, data: '1' });
    await begin();
    const late = await startLogNode(redis.url);
    expect(late.log.trouble).toBeUndefined();
    expect(late.ledger.messages).toEqual([{ id, channel: CHANNEL, data: '1' }]);
    expect(late.ledger.floors()).toEqual(node.ledger.floors());
    await late.log.close();
  });
});

test('a memory that becomes full in the middle of appends leaves none of them half done', async () => {
  const used = Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1]);
  await redis.client.config('SET', 'maxmemory', String(used + 3 * 1024 * 1024));
  const filling = 'x'.repeat(2_000);
  const taken = new Map<string, string>();
  const refused: string[] = [];
  for (let batch = 0; refused.length < 100; batch++) {
    const names = Array.from({ length: 50 }, (_, i) => `${batch}-${i}`);
    const outcomes = await node.log.appendMany(
      names.map((name) => ({ channel: CHANNEL, data: `"${name} ${filling}"`, idempotencyKey: name })),
    );
    for (const [i, outcome] of outcomes.entries()) {
      const name = names[i] as string;
      if (!(outcome instanceof Error)) taken.set(name, outcome.id);
      else {
        expect(outcome).toMatchObject({ code: 'log_unavailable' });
        refused.push(name);
      }
    }
  }
  expect(taken.size).toBeGreaterThan(50);
  const inOrder = [...taken].map(([name, id]) => `${id} "${name} ${filling}"`);
  expect(await held()).toEqual({ log: inOrder, history: inOrder });
  for (const name of refused) expect(await isKnown(name)).toBe(false);
  for (const name of taken.keys()) expect(await isKnown(name)).toBe(true);

  await redis.client.config('SET', 'maxmemory', '0');
  const again = refused[0] as string;
  const retry = { channel: CHANNEL, data: `"${again} ${filling}"`, idempotencyKey: again };
  expect(await node.log.append(retry)).toMatchObject({ replayed: false });
  expect(await node.log.append(retry)).toMatchObject({ replayed: true });
  await until(() => node.ledger.data.length === taken.size + 1, 'all messages at the tail');
});
