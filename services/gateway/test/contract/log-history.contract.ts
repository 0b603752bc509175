import { describe, expect, test } from 'vitest';
import { idTime, partitionOf } from '../../src/message.ts';
import { until } from '../support/until.ts';
import type { LogScene } from './log-scene.ts';

/** What is promised of a channel's history: what it holds, and that it tells what it no longer holds. */
export function historyContract(scene: LogScene): void {
  describe('history', () => {
    test('hands out what comes after an id, in pages', async () => {
      const ids = await scene.publish('a', 10);
      await scene.publish('b', 5);
      const first = await scene.log.historyAfter('a', ids[1] as string, 5);
      expect(first.messages.map(({ id }) => id)).toEqual(ids.slice(2, 7));
      expect(first.messages[0]).toEqual({ id: ids[2], channel: 'a', data: '2' });
      expect(first.more).toBe(true);
      expect(first.gap).toBeUndefined();
      const second = await scene.log.historyAfter('a', ids[6] as string, 3);
      expect(second.messages.map(({ id }) => id)).toEqual(ids.slice(7));
      expect(second).toMatchObject({ more: false });
      expect(second.gap).toBeUndefined();
    });

    test('is whole and empty after its newest message, and after any later id', async () => {
      const ids = await scene.publish('a', 3);
      for (const after of [ids[2] as string, `${Date.now() + 1e6}-7`, '18446744073709551615-18446744073709551615'])
        expect(await scene.log.historyAfter('a', after, 10)).toEqual({ messages: [], more: false });
    });

    test('is whole from the floor on, for channels that had messages and for one that never did', async () => {
      const ids = await scene.publish('orders', 3);
      const floor = scene.ledger.floors(partitionOf('orders', scene.partitions))[0] as string;
      const page = await scene.log.historyAfter('orders', floor, 10);
      expect(page.messages.map(({ id }) => id)).toEqual(ids);
      expect(page.gap).toBeUndefined();
      const never = scene.ledger.floors(partitionOf('never', scene.partitions))[0] as string;
      expect(await scene.log.historyAfter('never', never, 10)).toEqual({ messages: [], more: false });
    });

    test('holds its newest messages only, and tells exactly from where on something is gone', async () => {
      await scene.restart({ historySize: 5 });
      const ids = await scene.publish('a', 12);
      await scene.publish('b', 12);
      // 7 … 11 are held. After 6 all is there; after 5, 6 is missing.
      const whole = await scene.log.historyAfter('a', ids[6] as string, 10);
      expect(whole.messages.map(({ id }) => id)).toEqual(ids.slice(7));
      expect(whole.gap).toBeUndefined();
      const holed = await scene.log.historyAfter('a', ids[5] as string, 10);
      expect(holed.messages.map(({ id }) => id)).toEqual(ids.slice(7));
      expect(holed.gap).toBe('trimmed');
      expect((await scene.log.historyLast('a', 10)).map(({ id }) => id)).toEqual(ids.slice(7));
    });

    test('lets messages go by age, and tells', async () => {
      await scene.restart({ historyTtlSeconds: 1 });
      const ids = await scene.publish('a', 3);
      const floor = scene.ledger.floors(partitionOf('a', scene.partitions))[0] as string;
      await until(async () => (await scene.log.historyLast('a', 10)).length === 0, 'the messages to expire');
      expect(await scene.log.historyAfter('a', floor, 10)).toEqual({ messages: [], more: false, gap: 'expired' });
      const [fresh] = await scene.publish('a', 1);
      const page = await scene.log.historyAfter('a', floor, 10);
      expect(page.gap).toBe('expired');
      expect(page.messages.map(({ id }) => id)).toEqual([fresh]);
      expect((await scene.log.historyAfter('a', fresh as string, 10)).gap).toBeUndefined();
      expect((await scene.log.historyAfter('a', ids[0] as string, 10)).gap).toBe('expired');
    });

    test('leaves out what is past its own time to live, and tells; live it was delivered', async () => {
      const [before] = await scene.publish('a', 1);
      const short = await scene.log.append({ channel: 'a', event: 'ringing', data: '"short"', ttlSeconds: 1 });
      const long = await scene.log.append({ channel: 'a', data: '"long"', ttlSeconds: 3_600 });
      await scene.delivered(3);
      const message = { id: short.id, channel: 'a', event: 'ringing', data: '"short"' };
      expect(scene.ledger.messages[1]).toEqual({ ...message, expiresMs: idTime(short.id) + 1_000 });
      await until(async () => (await scene.log.historyLast('a', 10)).length === 2, 'the message to end');
      expect((await scene.log.historyLast('a', 2)).map(({ data }) => data)).toEqual(['0', '"long"']);
      const page = await scene.log.historyAfter('a', before as string, 10);
      expect(page.messages.map(({ data }) => data)).toEqual(['"long"']);
      expect(page.gap).toBe('expired');
      expect((await scene.log.historyAfter('a', short.id, 10)).gap).toBeUndefined();
      expect(await scene.log.historyAfter('a', long.id, 10)).toEqual({ messages: [], more: false });
    });

    test('reads on past a page of which nothing is left', async () => {
      const [before] = await scene.publish('a', 1);
      for (let i = 0; i < 40; i++) await scene.log.append({ channel: 'a', data: '"short"', ttlSeconds: 1 });
      const [after] = await scene.publish('a', 1);
      await until(async () => (await scene.log.historyLast('a', 50)).length === 2, 'the messages to end');
      const page = await scene.log.historyAfter('a', before as string, 3);
      expect(page.messages.map(({ id }) => id)).toEqual([after]);
      expect(page.gap).toBe('expired');
      expect((await scene.log.historyLast('a', 2)).map(({ id }) => id)).toEqual([before, after]);
    });

    test('of a namespace with a rule of its own is kept by that rule', async () => {
      const namespaces = new Map([
        ['few', { historySize: 2, historyTtlSeconds: 3_600 }],
        ['brief', { historySize: 100, historyTtlSeconds: 1 }],
      ]);
      await scene.restart({ namespaces });
      const few = await scene.publish('few:1', 5);
      const brief = await scene.publish('brief', 3);
      const usual = await scene.publish('usual', 5);
      expect((await scene.log.historyLast('few:1', 10)).map(({ id }) => id)).toEqual(few.slice(3));
      expect((await scene.log.historyAfter('few:1', few[1] as string, 10)).gap).toBe('trimmed');
      await until(async () => (await scene.log.historyLast('brief', 10)).length === 0, 'the messages to expire');
      expect(await scene.log.historyAfter('brief', brief[0] as string, 10)).toEqual({
        messages: [],
        more: false,
        gap: 'expired',
      });
      // Quiet for longer than messages are kept, but nothing has come since.
      expect(await scene.log.historyAfter('brief', brief[2] as string, 10)).toEqual({ messages: [], more: false });
      expect((await scene.log.historyLast('usual', 10)).map(({ id }) => id)).toEqual(usual);
      expect((await scene.log.historyLast('fewer', 10)).length).toBe(0);
    });

    test('of a namespace without history holds nothing, and knows what it does not hold', async () => {
      await scene.restart({ namespaces: new Map([['typing', { historySize: 0, historyTtlSeconds: 3_600 }]]) });
      const floor = scene.ledger.floors(partitionOf('typing:1', scene.partitions))[0] as string;
      expect(await scene.log.historyAfter('typing:1', floor, 10)).toEqual({ messages: [], more: false });
      const ids = await scene.publish('typing:1', 3);
      await scene.delivered(3);
      expect(await scene.log.historyLast('typing:1', 10)).toEqual([]);
      for (const after of [floor, ids[0] as string, ids[1] as string])
        expect(await scene.log.historyAfter('typing:1', after, 10)).toEqual({
          messages: [],
          more: false,
          gap: 'trimmed',
        });
      expect(await scene.log.historyAfter('typing:1', ids[2] as string, 10)).toEqual({ messages: [], more: false });
    });

    test('hands out the newest N, oldest first', async () => {
      const ids = await scene.publish('a', 8);
      expect((await scene.log.historyLast('a', 3)).map(({ id }) => id)).toEqual(ids.slice(5));
      expect((await scene.log.historyLast('a', 100)).map(({ id }) => id)).toEqual(ids);
      expect(await scene.log.historyLast('never', 3)).toEqual([]);
    });

    test('tells where a partition ends', async () => {
      const number = partitionOf('a', scene.partitions);
      expect(await scene.log.end(number)).toBe(scene.ledger.floors(number)[0]);
      const ids = await scene.publish('a', 3);
      expect(await scene.log.end(number)).toBe(ids[2]);
    });
  });
}
