import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Appended, Log } from '../../src/log/log.ts';
import { compareIds, idTime, isId, type NewMessage, partitionOf } from '../../src/message.ts';
import type { Retention } from '../../src/retention.ts';
import { TailLedger } from '../support/tail-ledger.ts';
import { until } from '../support/until.ts';

export interface LogSettings extends Retention {
  readonly partitions: number;
}

/** What the suite needs of an implementation. */
export interface LogFixture {
  /** A log on the storage of this test. More than one may be open at once only when they share it. */
  open(settings: LogSettings): Log;
  /** True when logs that are open at once are one and the same, as seen from several nodes. */
  readonly shared: boolean;
  /** Closes what was opened, and forgets all messages. */
  reset(): Promise<void>;
}

const ALL = 64 * 1024 * 1024;

/** Holds an implementation of the shared log to its interface, with one partition and with three. */
export function logContract(name: string, fixture: LogFixture): void {
  describe.each([1, 3])(`${name}, %i partition(s)`, (partitions) => {
    let log: Log;
    let ledger: TailLedger;

    function open(settings: Partial<LogSettings> = {}): Log {
      return fixture.open({ partitions, historySize: 100, historyTtlSeconds: 3600, ...settings });
    }

    async function follow(followed: Log, recentBytes = ALL): Promise<TailLedger> {
      const listener = new TailLedger();
      await followed.follow(listener, recentBytes);
      return listener;
    }

    async function publish(channel: string, count: number, to = log): Promise<string[]> {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) ids.push((await to.append({ channel, data: String(i) })).id);
      return ids;
    }

    function delivered(count: number, where = ledger): Promise<void> {
      return until(() => where.messages.length >= count, `${count} messages at the tail`);
    }

    beforeEach(async () => {
      log = open();
      ledger = await follow(log);
    });

    afterEach(async () => {
      await fixture.reset();
      expect(ledger.violations).toEqual([]);
    });

    describe('append', () => {
      test('gives ids that increase within a partition and tell the time', async () => {
        const before = Date.now();
        const ids = await publish('orders', 50);
        for (const [i, id] of ids.entries()) {
          expect(isId(id)).toBe(true);
          if (i > 0) expect(compareIds(id, ids[i - 1] as string)).toBeGreaterThan(0);
        }
        expect(idTime(ids[0] as string)).toBeGreaterThanOrEqual(before);
        expect(idTime(ids[49] as string)).toBeLessThanOrEqual(Date.now());
      });

      test('puts each channel on the partition of its namespace', async () => {
        const channels = ['orders', 'orders:eu', 'chat', 'alerts:1', 'news', 'stock:x:y'];
        for (const channel of channels) await log.append({ channel, data: '1' });
        await delivered(channels.length);
        for (const told of ledger.told)
          if (told.kind === 'message') expect(told.partition).toBe(partitionOf(told.message.channel, partitions));
      });

      test('takes many at once, and answers in their order', async () => {
        const messages: NewMessage[] = Array.from({ length: 300 }, (_, i) => ({
          channel: `c${i % 7}`,
          data: String(i),
          ...(i % 3 === 0 ? { event: `e${i}` } : {}),
          ...(i % 5 === 0 ? { idempotencyKey: `k${i}` } : {}),
        }));
        const outcomes = (await log.appendMany(messages)) as readonly Appended[];
        expect(outcomes).toHaveLength(300);
        await delivered(300);
        const byId = new Map(ledger.messages.map((message) => [message.id + message.channel, message]));
        for (const [i, outcome] of outcomes.entries()) {
          const { channel, data, event } = messages[i] as NewMessage;
          expect(outcome.replayed).toBe(false);
          const message = byId.get(outcome.id + channel);
          expect(message?.data).toBe(data);
          expect(message?.event).toBe(event);
        }
        for (let partition = 0; partition < partitions; partition++) {
          const order = ledger.told.flatMap((told) =>
            told.kind === 'message' && told.partition === partition ? [Number(told.message.data)] : [],
          );
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
      });

      test('of many at once may be none', async () => {
        expect(await log.appendMany([])).toEqual([]);
      });

      test('leaves out what has no event', async () => {
        await log.append({ channel: 'a', data: '1' });
        await log.append({ channel: 'a', data: '2', event: 'named' });
        await delivered(2);
        const history = await log.historyLast('a', 10);
        for (const [plain, named] of [ledger.messages, history]) {
          expect(Object.keys(plain as object)).not.toContain('event');
          expect(named?.event).toBe('named');
        }
      });
    });

    describe('data', () => {
      const texts: Record<string, string> = {
        'numbers that a double cannot hold': '[1e400,9007199254740993,1.10,-0,1E+2]',
        'the order and repetition of keys': '{"b":1,"a":2,"10":3,"2":4,"b":5}',
        'white space and line breaks': '{\r\n  "a":\t1\n,\r"b" : [ ]\n}',
        'unicode, and escapes as they were': '"é 漢字 🎺 \\u00e9 \\ud83d\\ude00 \u2028\u2029 \u0000"',
        '60 KiB': JSON.stringify('0123456789abcdeé'.repeat(3840)),
        'what looks like the log’s own words': '"c"',
        'the least there is': '0',
      };

      test.each(Object.keys(texts))('is carried byte for byte: %s', async (what) => {
        const data = texts[what] as string;
        const event = 'été 🎺';
        const { id } = await log.append({ channel: 'orders:eu', event, data });
        await delivered(1);
        const message = { id, channel: 'orders:eu', event, data };
        expect(ledger.messages).toEqual([message]);
        expect(await log.historyLast('orders:eu', 1)).toEqual([message]);
      });
    });

    describe('idempotency', () => {
      test('gives a repeated key its first id, and appends once', async () => {
        const first = await log.append({ channel: 'a', data: '1', idempotencyKey: 'k' });
        const again = await log.append({ channel: 'a', data: '2', idempotencyKey: 'k' });
        const other = await log.append({ channel: 'a', data: '3', idempotencyKey: 'k2' });
        expect(first.replayed).toBe(false);
        expect(again).toEqual({ id: first.id, replayed: true });
        expect(other.replayed).toBe(false);
        await delivered(2);
        expect(ledger.data).toEqual(['1', '3']);
        expect((await log.historyLast('a', 10)).map(({ data }) => data)).toEqual(['1', '3']);
      });

      test('keeps keys of different channels apart, also where the names run into one another', async () => {
        await log.append({ channel: 'a', data: '1', idempotencyKey: 'b:k' });
        const outcome = await log.append({ channel: 'a:b', data: '2', idempotencyKey: 'k' });
        expect(outcome.replayed).toBe(false);
      });

      test('holds when the same key races with itself', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 50 }, (_, i) => log.append({ channel: 'a', data: String(i), idempotencyKey: 'race' })),
        );
        expect(outcomes.filter((outcome) => !outcome.replayed)).toHaveLength(1);
        expect(new Set(outcomes.map((outcome) => outcome.id)).size).toBe(1);
        await publish('a', 1);
        await delivered(2);
        expect(ledger.messages).toHaveLength(2);
      });
    });

    describe('history', () => {
      test('hands out what comes after an id, in pages', async () => {
        const ids = await publish('a', 10);
        await publish('b', 5);
        const first = await log.historyAfter('a', ids[1] as string, 5);
        expect(first.messages.map(({ id }) => id)).toEqual(ids.slice(2, 7));
        expect(first.messages[0]).toEqual({ id: ids[2], channel: 'a', data: '2' });
        expect(first.more).toBe(true);
        expect(first.gap).toBeUndefined();
        const second = await log.historyAfter('a', ids[6] as string, 3);
        expect(second.messages.map(({ id }) => id)).toEqual(ids.slice(7));
        expect(second).toMatchObject({ more: false });
        expect(second.gap).toBeUndefined();
      });

      test('is whole and empty after its newest message, and after any later id', async () => {
        const ids = await publish('a', 3);
        for (const after of [ids[2] as string, `${Date.now() + 1e6}-7`, '18446744073709551615-18446744073709551615'])
          expect(await log.historyAfter('a', after, 10)).toEqual({ messages: [], more: false });
      });

      test('is whole from the floor on, for channels that had messages and for one that never did', async () => {
        const ids = await publish('orders', 3);
        const floor = ledger.floors(partitionOf('orders', partitions))[0] as string;
        const page = await log.historyAfter('orders', floor, 10);
        expect(page.messages.map(({ id }) => id)).toEqual(ids);
        expect(page.gap).toBeUndefined();
        const never = ledger.floors(partitionOf('never', partitions))[0] as string;
        expect(await log.historyAfter('never', never, 10)).toEqual({ messages: [], more: false });
      });

      test('holds its newest messages only, and tells exactly from where on something is gone', async () => {
        await fixture.reset();
        log = open({ historySize: 5 });
        ledger = await follow(log);
        const ids = await publish('a', 12);
        await publish('b', 12);
        // 7 … 11 are held. After 6 all is there; after 5, 6 is missing.
        const whole = await log.historyAfter('a', ids[6] as string, 10);
        expect(whole.messages.map(({ id }) => id)).toEqual(ids.slice(7));
        expect(whole.gap).toBeUndefined();
        const holed = await log.historyAfter('a', ids[5] as string, 10);
        expect(holed.messages.map(({ id }) => id)).toEqual(ids.slice(7));
        expect(holed.gap).toBe('trimmed');
        expect((await log.historyLast('a', 10)).map(({ id }) => id)).toEqual(ids.slice(7));
      });

      test('lets messages go by age, and tells', async () => {
        await fixture.reset();
        log = open({ historyTtlSeconds: 1 });
        ledger = await follow(log);
        const ids = await publish('a', 3);
        const floor = ledger.floors(partitionOf('a', partitions))[0] as string;
        await until(async () => (await log.historyLast('a', 10)).length === 0, 'the messages to expire');
        expect(await log.historyAfter('a', floor, 10)).toEqual({ messages: [], more: false, gap: 'expired' });
        const [fresh] = await publish('a', 1);
        const page = await log.historyAfter('a', floor, 10);
        expect(page.gap).toBe('expired');
        expect(page.messages.map(({ id }) => id)).toEqual([fresh]);
        expect((await log.historyAfter('a', fresh as string, 10)).gap).toBeUndefined();
        expect((await log.historyAfter('a', ids[0] as string, 10)).gap).toBe('expired');
      });

      test('leaves out what is past its own time to live, and tells; live it was delivered', async () => {
        const [before] = await publish('a', 1);
        const short = await log.append({ channel: 'a', event: 'ringing', data: '"short"', ttlSeconds: 1 });
        const long = await log.append({ channel: 'a', data: '"long"', ttlSeconds: 3_600 });
        await delivered(3);
        const message = { id: short.id, channel: 'a', event: 'ringing', data: '"short"' };
        expect(ledger.messages[1]).toEqual({ ...message, expiresMs: idTime(short.id) + 1_000 });
        await until(async () => (await log.historyLast('a', 10)).length === 2, 'the message to end');
        expect((await log.historyLast('a', 2)).map(({ data }) => data)).toEqual(['0', '"long"']);
        const page = await log.historyAfter('a', before as string, 10);
        expect(page.messages.map(({ data }) => data)).toEqual(['"long"']);
        expect(page.gap).toBe('expired');
        expect((await log.historyAfter('a', short.id, 10)).gap).toBeUndefined();
        expect(await log.historyAfter('a', long.id, 10)).toEqual({ messages: [], more: false });
      });

      test('reads on past a page of which nothing is left', async () => {
        const [before] = await publish('a', 1);
        for (let i = 0; i < 40; i++) await log.append({ channel: 'a', data: '"short"', ttlSeconds: 1 });
        const [after] = await publish('a', 1);
        await until(async () => (await log.historyLast('a', 50)).length === 2, 'the messages to end');
        const page = await log.historyAfter('a', before as string, 3);
        expect(page.messages.map(({ id }) => id)).toEqual([after]);
        expect(page.gap).toBe('expired');
        expect((await log.historyLast('a', 2)).map(({ id }) => id)).toEqual([before, after]);
      });

      test('of a namespace with a rule of its own is kept by that rule', async () => {
        await fixture.reset();
        const namespaces = new Map([
          ['few', { historySize: 2, historyTtlSeconds: 3_600 }],
          ['brief', { historySize: 100, historyTtlSeconds: 1 }],
        ]);
        log = open({ namespaces });
        ledger = await follow(log);
        const few = await publish('few:1', 5);
        const brief = await publish('brief', 3);
        const usual = await publish('usual', 5);
        expect((await log.historyLast('few:1', 10)).map(({ id }) => id)).toEqual(few.slice(3));
        expect((await log.historyAfter('few:1', few[1] as string, 10)).gap).toBe('trimmed');
        await until(async () => (await log.historyLast('brief', 10)).length === 0, 'the messages to expire');
        expect(await log.historyAfter('brief', brief[0] as string, 10)).toEqual({
          messages: [],
          more: false,
          gap: 'expired',
        });
        // Quiet for longer than messages are kept, but nothing has come since.
        expect(await log.historyAfter('brief', brief[2] as string, 10)).toEqual({ messages: [], more: false });
        expect((await log.historyLast('usual', 10)).map(({ id }) => id)).toEqual(usual);
        expect((await log.historyLast('fewer', 10)).length).toBe(0);
      });

      test('of a namespace without history holds nothing, and knows what it does not hold', async () => {
        await fixture.reset();
        log = open({ namespaces: new Map([['typing', { historySize: 0, historyTtlSeconds: 3_600 }]]) });
        ledger = await follow(log);
        const floor = ledger.floors(partitionOf('typing:1', partitions))[0] as string;
        expect(await log.historyAfter('typing:1', floor, 10)).toEqual({ messages: [], more: false });
        const ids = await publish('typing:1', 3);
        await delivered(3);
        expect(await log.historyLast('typing:1', 10)).toEqual([]);
        for (const after of [floor, ids[0] as string, ids[1] as string])
          expect(await log.historyAfter('typing:1', after, 10)).toEqual({ messages: [], more: false, gap: 'trimmed' });
        expect(await log.historyAfter('typing:1', ids[2] as string, 10)).toEqual({ messages: [], more: false });
      });

      test('hands out the newest N, oldest first', async () => {
        const ids = await publish('a', 8);
        expect((await log.historyLast('a', 3)).map(({ id }) => id)).toEqual(ids.slice(5));
        expect((await log.historyLast('a', 100)).map(({ id }) => id)).toEqual(ids);
        expect(await log.historyLast('never', 3)).toEqual([]);
      });

      test('tells where a partition ends', async () => {
        const number = partitionOf('a', partitions);
        expect(await log.end(number)).toBe(ledger.floors(number)[0]);
        const ids = await publish('a', 3);
        expect(await log.end(number)).toBe(ids[2]);
      });
    });

    describe('tail', () => {
      test('starts with the floor of each partition, and stands there', () => {
        expect(ledger.told.map(({ kind }) => kind)).toEqual(Array.from({ length: partitions }, () => 'floor'));
        expect(new Set(ledger.told.map(({ partition }) => partition)).size).toBe(partitions);
        for (let partition = 0; partition < partitions; partition++)
          expect(isId(ledger.position(partition) as string)).toBe(true);
      });

      test('brings every message once, in order, and ends at the end', async () => {
        const ids = await publish('a', 200);
        await delivered(200);
        expect(ledger.messages.map(({ id }) => id)).toEqual(ids);
        const number = partitionOf('a', partitions);
        expect(ledger.position(number)).toBe(await log.end(number));
      });

      test('brings what many append at once', async () => {
        const channels = ['a', 'b', 'c', 'd:1', 'd:2'];
        const ids = await Promise.all(channels.map((channel) => publish(channel, 100)));
        await delivered(500);
        for (const [i, channel] of channels.entries())
          expect(ledger.messages.filter((message) => message.channel === channel).map(({ id }) => id)).toEqual(ids[i]);
      });

      test('goes on when its listener fails', async () => {
        const failing = new TailLedger();
        const { deliver } = failing;
        failing.deliver = function (...call) {
          deliver.apply(this, call);
          if (call[1].some(({ data }) => data === '"boom"')) throw new Error('a fault of the listener');
        };
        await fixture.reset();
        log = open();
        await log.follow(failing, ALL);
        await log.append({ channel: 'a', data: '"boom"' });
        await delivered(1, failing);
        await log.append({ channel: 'a', data: '"after"' });
        await delivered(2, failing);
        expect(failing.data).toEqual(['"boom"', '"after"']);
      });
    });

    describe('the newest messages at the start', () => {
      test('are those that fit, in order, and what is older is told as skipped', async () => {
        await fixture.reset();
        log = open();
        if (fixture.shared) await follow(log);
        const data = JSON.stringify('x'.repeat(98));
        const ids: string[] = [];
        for (let i = 0; i < 700; i++) ids.push((await log.append({ channel: 'a', data })).id);
        const late = fixture.shared ? open() : log;
        ledger = await follow(late, 10_000 * partitions);
        expect(ledger.messages.map(({ id }) => id)).toEqual(ids.slice(600));
        const partition = partitionOf('a', partitions);
        const [floor] = ledger.floors(partition);
        expect(ledger.skips).toEqual([{ kind: 'skipped', partition, after: floor, position: ids[599] }]);
        await publish('a', 1, late);
        await delivered(101);
      });

      test('are all there is when all of it fits', async () => {
        await fixture.reset();
        log = open();
        if (fixture.shared) await follow(log);
        const ids = await publish('a', 600);
        ledger = await follow(fixture.shared ? open() : log);
        expect(ledger.messages.map(({ id }) => id)).toEqual(ids);
        expect(ledger.skips).toEqual([]);
      });

      test('may be none', async () => {
        await fixture.reset();
        log = open();
        if (fixture.shared) await follow(log);
        const ids = await publish('a', 3);
        ledger = await follow(fixture.shared ? open() : log, 0);
        expect(ledger.messages).toEqual([]);
        expect(ledger.position(partitionOf('a', partitions))).toBe(ids[2]);
      });
    });

    describe('health and close', () => {
      test('a log that is followed is healthy, one that is not or is closed is not', async () => {
        expect(log.trouble).toBeUndefined();
        await fixture.reset();
        const idle = open();
        expect(idle.trouble).toBeDefined();
        await idle.close();
        expect(idle.trouble).toBeDefined();
        expect(log.trouble).toBeDefined();
      });

      test('after close nothing more is brought, and appends are refused as not published', async () => {
        await publish('a', 2);
        await delivered(2);
        await log.close();
        await expect(log.append({ channel: 'a', data: '1' })).rejects.toMatchObject({ code: 'log_unavailable' });
        const [outcome] = await log.appendMany([{ channel: 'a', data: '2' }]);
        expect(outcome).toMatchObject({ code: 'log_unavailable' });
        expect(ledger.messages).toHaveLength(2);
      });

      test('closing twice, and before following, does no harm', async () => {
        await log.close();
        await log.close();
        await fixture.reset();
        const idle = open();
        await idle.close();
        await idle.follow(new TailLedger(), ALL);
        expect(idle.trouble).toBeDefined();
      });
    });

    if (!fixture.shared) return;

    test('an idempotency key holds across nodes, also for singles and batches that race', async () => {
      const other = open();
      await follow(other);
      const message = (data: number) => ({ channel: 'a', data: String(data), idempotencyKey: 'race' });
      const outcomes = await Promise.all([
        log.append(message(1)),
        other.append(message(2)),
        log.appendMany([message(3), message(4)]),
        other.appendMany([message(5), { channel: 'a', data: '6', idempotencyKey: 'another' }, message(7)]),
      ]);
      const all = outcomes.flat() as Appended[];
      const raced = all.filter((_, i) => i !== 5);
      expect(new Set(raced.map(({ id }) => id)).size).toBe(1);
      expect(raced.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(all[5]).toMatchObject({ replayed: false });
      await delivered(2);
      expect(await log.historyLast('a', 10)).toHaveLength(2);
    });

    test('logs of several nodes are one: every tail brings the same, in one order', async () => {
      const other = open();
      const otherLedger = await follow(other);
      await Promise.all([
        publish('a', 150),
        publish('a', 150, other),
        publish('b', 150, other),
        log.appendMany(Array.from({ length: 150 }, (_, i) => ({ channel: 'c', data: String(i) }))),
      ]);
      await delivered(600);
      await delivered(600, otherLedger);
      for (let partition = 0; partition < partitions; partition++) {
        const seen = [ledger, otherLedger].map((where) =>
          where.told.flatMap((told) => (told.kind === 'message' && told.partition === partition ? [told.message] : [])),
        );
        expect(seen[0]).toEqual(seen[1]);
      }
      expect(new Set(ledger.messages.map(({ id, channel }) => id + channel)).size).toBe(600);
      expect(otherLedger.violations).toEqual([]);
    });
  });
}
