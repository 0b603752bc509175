import { describe, expect, test } from 'vitest';
import type { Appended } from '../../src/log/log.ts';
import { compareIds, idTime, isId, type NewMessage, partitionOf } from '../../src/message.ts';
import type { LogScene } from './log-scene.ts';

/** What is promised to whoever appends: ids, order, data that is kept as it was written, idempotency. */
export function appendContract(scene: LogScene): void {
  describe('append', () => {
    test('gives ids that increase within a partition and tell the time', async () => {
      const before = Date.now();
      const ids = await scene.publish('orders', 50);
      for (const [i, id] of ids.entries()) {
        expect(isId(id)).toBe(true);
        if (i > 0) expect(compareIds(id, ids[i - 1] as string)).toBeGreaterThan(0);
      }
      expect(idTime(ids[0] as string)).toBeGreaterThanOrEqual(before);
      expect(idTime(ids[49] as string)).toBeLessThanOrEqual(Date.now());
    });

    test('puts each channel on the partition of its namespace', async () => {
      const channels = ['orders', 'orders:eu', 'chat', 'alerts:1', 'news', 'stock:x:y'];
      for (const channel of channels) await scene.log.append({ channel, data: '1' });
      await scene.delivered(channels.length);
      for (const told of scene.ledger.told)
        if (told.kind === 'message') expect(told.partition).toBe(partitionOf(told.message.channel, scene.partitions));
    });

    test('takes many at once, and answers in their order', async () => {
      const messages: NewMessage[] = Array.from({ length: 300 }, (_, i) => ({
        channel: `c${i % 7}`,
        data: String(i),
        ...(i % 3 === 0 ? { event: `e${i}` } : {}),
        ...(i % 5 === 0 ? { idempotencyKey: `k${i}` } : {}),
      }));
      const outcomes = (await scene.log.appendMany(messages)) as readonly Appended[];
      expect(outcomes).toHaveLength(300);
      await scene.delivered(300);
      const byId = new Map(scene.ledger.messages.map((message) => [message.id + message.channel, message]));
      for (const [i, outcome] of outcomes.entries()) {
        const { channel, data, event } = messages[i] as NewMessage;
        expect(outcome.replayed).toBe(false);
        const message = byId.get(outcome.id + channel);
        expect(message?.data).toBe(data);
        expect(message?.event).toBe(event);
      }
      for (let partition = 0; partition < scene.partitions; partition++) {
        const order = scene.ledger.told.flatMap((told) =>
          told.kind === 'message' && told.partition === partition ? [Number(told.message.data)] : [],
        );
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }
    });

    test('of many at once may be none', async () => {
      expect(await scene.log.appendMany([])).toEqual([]);
    });

    test('leaves out what has no event', async () => {
      await scene.log.append({ channel: 'a', data: '1' });
      await scene.log.append({ channel: 'a', data: '2', event: 'named' });
      await scene.delivered(2);
      const history = await scene.log.historyLast('a', 10);
      for (const [plain, named] of [scene.ledger.messages, history]) {
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
      const { id } = await scene.log.append({ channel: 'orders:eu', event, data });
      await scene.delivered(1);
      const message = { id, channel: 'orders:eu', event, data };
      expect(scene.ledger.messages).toEqual([message]);
      expect(await scene.log.historyLast('orders:eu', 1)).toEqual([message]);
    });
  });

  describe('idempotency', () => {
    test('gives a repeated key its first id, and appends once', async () => {
      const first = await scene.log.append({ channel: 'a', data: '1', idempotencyKey: 'k' });
      const again = await scene.log.append({ channel: 'a', data: '2', idempotencyKey: 'k' });
      const other = await scene.log.append({ channel: 'a', data: '3', idempotencyKey: 'k2' });
      expect(first.replayed).toBe(false);
      expect(again).toEqual({ id: first.id, replayed: true });
      expect(other.replayed).toBe(false);
      await scene.delivered(2);
      expect(scene.ledger.data).toEqual(['1', '3']);
      expect((await scene.log.historyLast('a', 10)).map(({ data }) => data)).toEqual(['1', '3']);
    });

    test('keeps keys of different channels apart, also where the names run into one another', async () => {
      await scene.log.append({ channel: 'a', data: '1', idempotencyKey: 'b:k' });
      const outcome = await scene.log.append({ channel: 'a:b', data: '2', idempotencyKey: 'k' });
      expect(outcome.replayed).toBe(false);
    });

    test('holds when the same key races with itself', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          scene.log.append({ channel: 'a', data: String(i), idempotencyKey: 'race' }),
        ),
      );
      expect(outcomes.filter((outcome) => !outcome.replayed)).toHaveLength(1);
      expect(new Set(outcomes.map((outcome) => outcome.id)).size).toBe(1);
      await scene.publish('a', 1);
      await scene.delivered(2);
      expect(scene.ledger.messages).toHaveLength(2);
    });
  });
}
