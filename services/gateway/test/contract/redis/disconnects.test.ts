import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChannelPatterns } from '../../../src/auth/channel-pattern.ts';
import { Principal } from '../../../src/auth/principal.ts';
import { DISCONNECT_CHANNEL, Disconnects, disconnectsKept } from '../../../src/auth/sessions/disconnects.ts';
import { Revocations } from '../../../src/auth/sessions/revocations.ts';
import { type Session, Sessions } from '../../../src/auth/sessions/sessions.ts';
import type { Log } from '../../../src/log/log.ts';
import { type Message, partitionOf } from '../../../src/message.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { openLogNode } from './node.ts';

const LIFETIME_SECONDS = 86_400;
const PARTITIONS = 4;

/** A node, as far as disconnects go. */
interface DisconnectNode {
  readonly log: Log;
  readonly disconnects: Disconnects;
  readonly sessions: Sessions;
  readonly revocations: Revocations;
  /** Whether it refuses a token of the subject that was issued then. */
  refuses(subject: string, issuedMs: number): boolean;
}

let redis: TestRedis;
let logs: Log[];
let stop: AbortController;

beforeEach(async () => {
  redis = await startRedis({ fsync: 'always' });
  logs = [];
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await Promise.all(logs.map((log) => log.close()));
  await redis.stop();
});

async function startNode(): Promise<DisconnectNode> {
  const namespaces = new Map([[DISCONNECT_CHANNEL, disconnectsKept(LIFETIME_SECONDS)]]);
  // Everybody else's messages are kept for a short time, and few of them.
  const { log } = openLogNode(redis.url, { partitions: PARTITIONS, historySize: 5, historyTtlSeconds: 60, namespaces });
  logs.push(log);
  const revocations = new Revocations(LIFETIME_SECONDS);
  const sessions = new Sessions(0);
  const disconnects = new Disconnects({ log, revocations, sessions, told: () => {} });
  let begun = false;
  await log.follow(
    {
      floor: () => begun && void disconnects.lost(stop.signal),
      deliver: (_, messages: readonly Message[]) => disconnects.heard(messages),
      skipped: () => begun && void disconnects.catchUp(stop.signal),
    },
    1_000_000,
  );
  begun = true;
  expect(await disconnects.catchUp(stop.signal)).toBe(true);
  const refuses = (subject: string, issuedMs: number) => revocations.holds(principal(subject, issuedMs));
  return { log, disconnects, sessions, revocations, refuses };
}

function principal(subject: string, issuedMs: number): Principal {
  const none = new ChannelPatterns([]);
  return new Principal({ subject, issuedMs, subscribe: none, publish: none });
}

/** Adds a session; the answer is filled when it is closed. */
function join({ sessions }: DisconnectNode, subject: string, issuedMs: number): string[] {
  const closes: string[] = [];
  const session: Session = {
    principal: principal(subject, issuedMs),
    close(reason) {
      closes.push(reason);
      sessions.remove(session);
    },
  };
  sessions.add(session);
  return closes;
}

test('a subject that is disconnected by one node is disconnected on the other, and on one that starts later', async () => {
  const [a, b] = [await startNode(), await startNode()];
  const then = Date.now();
  const [here, there, other] = [join(a, 'ann', then), join(b, 'ann', then), join(b, 'bob', then)];
  await a.disconnects.disconnect('ann');
  await until(() => here.length + there.length === 2, 'the sessions to be closed');
  expect([here, there, other]).toEqual([['disconnected'], ['disconnected'], []]);
  const late = await startNode();
  for (const node of [a, b, late]) {
    expect(node.refuses('ann', then)).toBe(true);
    expect(node.refuses('ann', Date.now() + 1_000)).toBe(false);
    expect(node.refuses('bob', then)).toBe(false);
  }
});

test('a log that nobody has been disconnected in, and one with the first, refuses nobody else', async () => {
  const first = await startNode();
  expect(first.refuses('bob', 1)).toBe(false);
  await first.disconnects.disconnect('ann');
  // Messages of others, before and after, change nothing.
  await first.log.append({ channel: 'orders:1', data: '1' });
  const second = await startNode();
  expect(second.refuses('ann', 1)).toBe(true);
  expect(second.refuses('bob', 1)).toBe(false);
});

test('more are remembered, and for longer, than other channels keep', async () => {
  const a = await startNode();
  const subjects = Array.from({ length: 1_200 }, (_, i) => `user-${i}`);
  await Promise.all(subjects.map((subject) => a.disconnects.disconnect(subject)));
  const partition = partitionOf(DISCONNECT_CHANNEL, PARTITIONS);
  const key = `fanfare:{p${partition}}:history:${DISCONNECT_CHANNEL}`;
  expect(await redis.client.xlen(key)).toBe(1_200);
  expect(await redis.client.ttl(key)).toBeGreaterThan(LIFETIME_SECONDS);
  // The tail brings nothing any more: only the history knows.
  await redis.client.xtrim(`fanfare:{p${partition}}:log`, 'MAXLEN', 1);
  const late = await startNode();
  expect(subjects.filter((subject) => !late.refuses(subject, 1))).toEqual([]);
  expect(late.refuses('bob', 1)).toBe(false);
});

test('a Redis that comes back empty is told again who was disconnected, once, for the nodes that start later', async () => {
  const [a, b] = [await startNode(), await startNode()];
  const then = Date.now();
  await a.disconnects.disconnect('ann');
  await b.disconnects.disconnect('bob');
  await until(() => [a, b].every(({ revocations }) => revocations.known().length === 2), 'both nodes to know both');
  await redis.kill();
  await redis.start('empty');
  const key = `fanfare:{p${partitionOf(DISCONNECT_CHANNEL, PARTITIONS)}}:history:${DISCONNECT_CHANNEL}`;
  await until(async () => (await redis.client.xlen(key).catch(() => 0)) >= 2, 'both to be in the log again');
  const late = await startNode();
  expect(late.refuses('ann', then)).toBe(true);
  expect(late.refuses('bob', then)).toBe(true);
  expect(late.refuses('zoe', then)).toBe(false);
  // Once more, by all: nothing is there twice.
  await Promise.all([a, b, late].map(({ disconnects }) => disconnects.lost(stop.signal)));
  expect(await redis.client.xlen(key)).toBe(2);
});

test('a node that starts while Redis is away knows who was disconnected when it follows the log', async () => {
  const a = await startNode();
  const then = Date.now();
  await a.disconnects.disconnect('ann');
  await redis.kill();
  const starting = startNode();
  await redis.start();
  expect((await starting).refuses('ann', then)).toBe(true);
});
