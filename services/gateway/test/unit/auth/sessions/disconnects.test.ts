import { afterEach, beforeEach, expect, test } from 'vitest';
import { DISCONNECT_CHANNEL, type DisconnectLog, Disconnects } from '../../../../src/auth/sessions/disconnects.ts';
import { Revocations } from '../../../../src/auth/sessions/revocations.ts';
import { Sessions } from '../../../../src/auth/sessions/sessions.ts';
import { FanfareError } from '../../../../src/errors.ts';
import { createEmbeddedLog } from '../../../../src/log/embedded/embedded-log.ts';
import type { Log } from '../../../../src/log/log.ts';
import type { Message } from '../../../../src/message.ts';
import { silentLogger, silentMetrics } from '../../../support/silent.ts';
import { until } from '../../../support/until.ts';
import { principal, WatchedSession } from '../people.ts';

const LIFETIME_SECONDS = 3_600;
const HISTORY_SIZE = 3_000;

/** A node, as far as disconnects go; `heard` is called by the test. */
class DisconnectNode {
  readonly revocations = new Revocations(LIFETIME_SECONDS);
  readonly sessions = new Sessions(0);
  readonly told: string[] = [];
  readonly disconnects: Disconnects;

  constructor(log: DisconnectLog) {
    const told = (what: string) => void this.told.push(what);
    const { revocations, sessions } = this;
    this.disconnects = new Disconnects({ log, revocations, sessions, told, historySize: HISTORY_SIZE });
  }

  refuses(subject: string, issuedMs: number): boolean {
    return this.revocations.holds(principal(subject, issuedMs));
  }
}

/** A log that can be away. */
class WaywardLog implements DisconnectLog {
  readonly #log: Log;
  away = false;
  /** The data of a message that is refused the next time. */
  refused = '';
  refusals = 0;
  appends = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  append(...args: Parameters<Log['append']>): ReturnType<Log['append']> {
    this.#ask();
    this.appends++;
    const [{ data }] = args;
    if (data !== this.refused) return this.#log.append(...args);
    this.refused = '';
    return Promise.reject(new FanfareError('log_timeout', 'Redis did not answer in time.'));
  }

  async historyAfter(...args: Parameters<Log['historyAfter']>): ReturnType<Log['historyAfter']> {
    this.#ask();
    return this.#log.historyAfter(...args);
  }

  #ask(): void {
    if (!this.away) return;
    this.refusals++;
    throw new FanfareError('log_unavailable', 'Redis cannot be reached.');
  }
}

let log: Log;
let stop: AbortController;

beforeEach(() => {
  log = emptyLog();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await log.close();
});

function emptyLog(): Log {
  const kept = { historySize: HISTORY_SIZE, historyTtlSeconds: LIFETIME_SECONDS };
  const namespaces = new Map([[DISCONNECT_CHANNEL, kept]]);
  const settings = { partitions: 3, logger: silentLogger(), metrics: silentMetrics() };
  return createEmbeddedLog({ historySize: 10, historyTtlSeconds: 60, namespaces, ...settings });
}

async function appendRaw(...data: string[]): Promise<void> {
  await log.appendMany(data.map((each) => ({ channel: DISCONNECT_CHANNEL, data: each })));
}

function raw(subject: string, before: number): string {
  return JSON.stringify({ subject, before });
}

function message(data: string, channel = DISCONNECT_CHANNEL): Message {
  return { id: '1763600000000-0', channel, data };
}

async function held(): Promise<Message[]> {
  const messages: Message[] = [];
  for (let more = true; more; ) {
    const page = await log.historyAfter(DISCONNECT_CHANNEL, messages.at(-1)?.id ?? '0-0', 1_000);
    messages.push(...page.messages);
    more = page.more && page.messages.length > 0;
  }
  return messages;
}

test('a disconnect is in the log when it resolves, and this node knows it, also before the tail brings it', async () => {
  const node = new DisconnectNode(log);
  const session = new WatchedSession(principal('ann', Date.now()));
  node.sessions.add(session);
  const earliest = Date.now();
  await node.disconnects.disconnect('ann');
  const [only] = await held();
  const { subject, before } = JSON.parse(only?.data ?? '');
  expect(subject).toBe('ann');
  expect(before).toBeGreaterThanOrEqual(earliest);
  expect(before).toBeLessThanOrEqual(Date.now());
  expect(session.closes).toEqual(['disconnected']);
  expect(node.refuses('ann', before)).toBe(true);
  expect(node.refuses('ann', before + 1)).toBe(false);
});

test('what the log did not take closes nobody', async () => {
  const wayward = new WaywardLog(log);
  const node = new DisconnectNode(wayward);
  const session = new WatchedSession(principal('ann', 1));
  node.sessions.add(session);
  wayward.away = true;
  await expect(node.disconnects.disconnect('ann')).rejects.toMatchObject({ code: 'log_unavailable' });
  expect(session.closes).toEqual([]);
  expect(node.refuses('ann', 1)).toBe(false);
});

test.each([
  ['nothing', ''],
  ['257 characters', 'x'.repeat(257)],
  ['half of a surrogate pair', 'half \ud800'],
])('%s can be no subject', async (_, subject) => {
  const node = new DisconnectNode(log);
  await expect(node.disconnects.disconnect(subject)).rejects.toMatchObject({ code: 'invalid_request' });
  expect(await held()).toEqual([]);
});

test.each(['x'.repeat(256), 'ann "the boss" \\ 😀', 'line\nbreak', '__proto__'])(
  '%j can be a subject',
  async (subject) => {
    const node = new DisconnectNode(log);
    await node.disconnects.disconnect(subject);
    const late = new DisconnectNode(log);
    await late.disconnects.catchUp(stop.signal);
    expect(late.refuses(subject, 1)).toBe(true);
  },
);

test('what another node disconnected is heard, of that channel only, and once more changes nothing', () => {
  const node = new DisconnectNode(log);
  const now = Date.now();
  const [ann, renewed] = [new WatchedSession(principal('ann', now)), new WatchedSession(principal('ann', now + 1))];
  node.sessions.add(ann);
  node.sessions.add(renewed);
  node.disconnects.heard([message(raw('ann', now + 9), 'orders:1'), message(raw('ann', now + 9), '$disconnects')]);
  expect(ann.closes).toEqual([]);
  for (let i = 0; i < 2; i++) node.disconnects.heard([message('1', 'orders:1'), message(raw('ann', now))]);
  node.sessions.remove(ann);
  expect(ann.closes).toContain('disconnected');
  expect(renewed.closes).toEqual([]);
  node.disconnects.heard([message(raw('ann', now - 1))]);
  expect(node.refuses('ann', now)).toBe(true);
  expect(node.refuses('ann', now + 1)).toBe(false);
});

test('what makes no sense is told and passed over', async () => {
  const senseless = [
    '',
    'null',
    '7',
    '[]',
    '{}',
    '{"subject":"ann"}',
    '{"subject":7,"before":1}',
    '{"subject":"","before":1}',
    '{"subject":"ann","before":"1"}',
    '{"subject":"ann","before":-1}',
    '{"subject":"ann","before":1e300}',
    '{"subject":"\\ud800","before":1}',
  ];
  const node = new DisconnectNode(log);
  const now = Date.now();
  node.disconnects.heard([...senseless.map((data) => message(data)), message(raw('bob', now))]);
  expect(node.told).toHaveLength(senseless.length);
  expect(node.refuses('bob', now)).toBe(true);
  expect(node.refuses('ann', 0)).toBe(false);

  await appendRaw(...senseless, raw('bob', now));
  const late = new DisconnectNode(log);
  expect(await late.disconnects.catchUp(stop.signal)).toBe(true);
  expect(late.told).toHaveLength(senseless.length);
  expect(late.revocations.known().map(([subject]) => subject)).toEqual(['bob']);
});

test('a young log refuses nobody, whether anybody was disconnected or not', async () => {
  const node = new DisconnectNode(log);
  expect(await node.disconnects.catchUp(stop.signal)).toBe(true);
  expect(node.refuses('ann', 1)).toBe(false);
  await node.disconnects.disconnect('ann');
  const late = new DisconnectNode(log);
  expect(await late.disconnects.catchUp(stop.signal)).toBe(true);
  expect(late.refuses('ann', 1)).toBe(true);
  expect(late.refuses('bob', 1)).toBe(false);
  expect(late.told).toEqual([]);
});

test('all pages of the history are read, and the sessions that are there are closed', async () => {
  const before = Date.now();
  await appendRaw(...Array.from({ length: 2_500 }, (_, i) => raw(`user-${i}`, before)));
  const node = new DisconnectNode(log);
  const session = new WatchedSession(principal('user-2499', before));
  node.sessions.add(session);
  expect(await node.disconnects.catchUp(stop.signal)).toBe(true);
  expect(node.revocations.known()).toHaveLength(2_500);
  expect(session.closes).toEqual(['disconnected']);
  expect(node.refuses('other', before)).toBe(false);
});

test('where the history had to let go of some, everybody from before the first that is left is refused', async () => {
  const before = Date.now() - 60_000;
  await appendRaw(...Array.from({ length: HISTORY_SIZE + 1 }, (_, i) => raw(`user-${i}`, before)));
  const [first] = await held();
  const firstMs = Number.parseInt(first?.id ?? '', 10);
  const node = new DisconnectNode(log);
  const session = new WatchedSession(principal('user-0', before));
  node.sessions.add(session);
  await node.disconnects.catchUp(stop.signal);
  expect(node.refuses('user-0', firstMs)).toBe(true);
  expect(node.refuses('user-0', firstMs + 1)).toBe(false);
  expect(session.closes).toContain('disconnected');
  expect(node.told).toHaveLength(1);
});

test('what was trimmed between two pages is refused by its time', async () => {
  const [early, late] = [Date.now() - 2_000, Date.now() - 1_000];
  const pages: Awaited<ReturnType<DisconnectLog['historyAfter']>>[] = [
    { messages: [{ id: `${early}-0`, channel: DISCONNECT_CHANNEL, data: raw('ann', early) }], more: true },
    {
      messages: [{ id: `${late}-0`, channel: DISCONNECT_CHANNEL, data: raw('bob', late) }],
      more: false,
      gap: 'trimmed',
    },
  ];
  const node = new DisconnectNode({
    append: async () => {},
    historyAfter: async (_, after) => pages[after === '0-0' ? 0 : 1] ?? { messages: [], more: false },
  });
  await node.disconnects.catchUp(stop.signal);
  expect(node.refuses('zoe', late)).toBe(true);
  expect(node.refuses('zoe', late + 1)).toBe(false);
});

test('catching up goes on until the log answers, tells that once, and keeps what is heard meanwhile', async () => {
  const before = Date.now() - 1_000;
  await appendRaw(raw('ann', before), raw('bob', before));
  const wayward = new WaywardLog(log);
  wayward.away = true;
  const node = new DisconnectNode(wayward);
  const caughtUp = node.disconnects.catchUp(stop.signal);
  await until(() => wayward.refusals >= 2, 'two attempts');
  node.disconnects.heard([message(raw('ann', before + 500))]);
  wayward.away = false;
  expect(await caughtUp).toBe(true);
  expect(node.told).toHaveLength(1);
  expect(node.refuses('ann', before + 500)).toBe(true);
  expect(node.refuses('bob', before)).toBe(true);
});

test('catching up ends when it is told to', async () => {
  const wayward = new WaywardLog(log);
  wayward.away = true;
  const node = new DisconnectNode(wayward);
  const caughtUp = node.disconnects.catchUp(stop.signal);
  await until(() => wayward.refusals >= 1, 'an attempt');
  stop.abort();
  expect(await caughtUp).toBe(false);
  const { refusals } = wayward;
  expect(await node.disconnects.catchUp(stop.signal)).toBe(false);
  expect(wayward.refusals).toBe(refusals);
});

test('what a log has lost is appended again by those who know it, once, and what it still holds is not', async () => {
  const before = Date.now();
  const known = Array.from({ length: 500 }, (_, i) => message(raw(`user-${i}`, before)));
  const nodes = [new DisconnectNode(log), new DisconnectNode(log)];
  for (const { disconnects } of nodes) disconnects.heard(known);
  await appendRaw(raw('user-0', before), raw('user-1', before - 1));
  await Promise.all(nodes.map(({ disconnects }) => disconnects.lost(stop.signal)));
  const data = (await held()).map((each) => each.data);
  expect(data.filter((each) => each === raw('user-0', before))).toHaveLength(1);
  expect(data.filter((each) => each === raw('user-1', before))).toHaveLength(1);
  expect(data).toHaveLength(501);
  const late = new DisconnectNode(log);
  await late.disconnects.catchUp(stop.signal);
  expect(late.revocations.known().toSorted()).toEqual(nodes[0]?.revocations.known().toSorted());
});

test('appending again goes on until the log takes it; a loss meanwhile is a run more, not a second one beside it', async () => {
  const wayward = new WaywardLog(log);
  const node = new DisconnectNode(wayward);
  node.disconnects.heard([message(raw('ann', Date.now()))]);
  wayward.away = true;
  const restored = node.disconnects.lost(stop.signal);
  await until(() => wayward.refusals >= 1, 'an attempt');
  await node.disconnects.lost(stop.signal);
  expect(await held()).toEqual([]);
  wayward.away = false;
  await restored;
  expect(await held()).toHaveLength(1);
  expect(wayward.appends).toBe(1);
  await node.disconnects.lost(stop.signal);
  expect(wayward.appends).toBe(1);
});

test('only what the log did not take is sent again', async () => {
  const wayward = new WaywardLog(log);
  const node = new DisconnectNode(wayward);
  const before = Date.now();
  node.disconnects.heard(['ann', 'bob', 'cid'].map((subject) => message(raw(subject, before))));
  wayward.refused = raw('bob', before);
  await node.disconnects.lost(stop.signal);
  expect(wayward.appends).toBe(4);
  expect((await held()).map(({ data }) => data).toSorted()).toEqual(
    ['ann', 'bob', 'cid'].map((each) => raw(each, before)),
  );
});

test('what is heard and lost while others are appended again is appended too', async () => {
  const before = Date.now();
  let node: DisconnectNode | undefined;
  let again: Promise<void> | undefined;
  node = new DisconnectNode({
    append: (each) => {
      if (again === undefined) {
        node?.disconnects.heard([message(raw('bob', before))]);
        again = node?.disconnects.lost(stop.signal);
      }
      return log.append(each);
    },
    historyAfter: (...args) => log.historyAfter(...args),
  });
  node.disconnects.heard([message(raw('ann', before))]);
  await node.disconnects.lost(stop.signal);
  expect((await held()).map(({ data }) => data)).toEqual([raw('ann', before), raw('bob', before)]);
});

test('appending again ends when it is told to', async () => {
  const wayward = new WaywardLog(log);
  const node = new DisconnectNode(wayward);
  wayward.away = true;
  const restored = node.disconnects.lost(stop.signal);
  await until(() => wayward.refusals >= 1, 'an attempt');
  stop.abort();
  await restored;
  expect(wayward.appends).toBe(0);
});

test('however often something was passed over while the log was away, it is read twice when it is back', async () => {
  const wayward = new WaywardLog(log);
  const node = new DisconnectNode(wayward);
  wayward.away = true;
  const all = Array.from({ length: 50 }, () => node.disconnects.catchUp(stop.signal));
  wayward.away = false;
  let reads = 0;
  const read = wayward.historyAfter.bind(wayward);
  wayward.historyAfter = (...question) => {
    reads++;
    return read(...question);
  };
  expect(new Set(await Promise.all(all))).toEqual(new Set([true]));
  expect(reads).toBeLessThanOrEqual(2);
});
