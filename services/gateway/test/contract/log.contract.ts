import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Appended } from '../../src/log/log.ts';
import { TailLedger } from '../support/tail-ledger.ts';
import { appendContract } from './log-append.contract.ts';
import { historyContract } from './log-history.contract.ts';
import { ALL, type LogFixture, LogScene } from './log-scene.ts';
import { sharedContract } from './log-shared.contract.ts';
import { tailContract } from './log-tail.contract.ts';

/** Holds an implementation of the shared log to its interface, with one partition and with three. */
export function logContract(name: string, fixture: LogFixture): void {
  describe.each([1, 3])(`${name}, %i partition(s)`, (partitions) => {
    const scene = new LogScene(fixture, partitions);

    beforeEach(() => scene.start());

    afterEach(async () => {
      await fixture.reset();
      expect(scene.ledger.violations).toEqual([]);
    });

    appendContract(scene);
    historyContract(scene);
    tailContract(scene);
    sharedContract(scene);

    describe('health and close', () => {
      test('a log that is followed is healthy, one that is not or is closed is not', async () => {
        expect(scene.log.trouble).toBeUndefined();
        await fixture.reset();
        const idle = scene.open();
        expect(idle.trouble).toBeDefined();
        await idle.close();
        expect(idle.trouble).toBeDefined();
        expect(scene.log.trouble).toBeDefined();
      });

      test('after close nothing more is brought, and appends are refused as not published', async () => {
        await scene.publish('a', 2);
        await scene.delivered(2);
        await scene.log.close();
        await expect(scene.log.append({ channel: 'a', data: '1' })).rejects.toMatchObject({ code: 'log_unavailable' });
        const [outcome] = await scene.log.appendMany([{ channel: 'a', data: '2' }]);
        expect(outcome).toMatchObject({ code: 'log_unavailable' });
        expect(scene.ledger.messages).toHaveLength(2);
      });

      test('closing twice, and before following, does no harm', async () => {
        await scene.log.close();
        await scene.log.close();
        await fixture.reset();
        const idle = scene.open();
        await idle.close();
        await idle.follow(new TailLedger(), ALL);
        expect(idle.trouble).toBeDefined();
      });
    });

    if (!fixture.shared) return;

    test('an idempotency key holds across nodes, also for singles and batches that race', async () => {
      const other = scene.open();
      await scene.follow(other);
      const message = (data: number) => ({ channel: 'a', data: String(data), idempotencyKey: 'race' });
      const outcomes = await Promise.all([
        scene.log.append(message(1)),
        other.append(message(2)),
        scene.log.appendMany([message(3), message(4)]),
        other.appendMany([message(5), { channel: 'a', data: '6', idempotencyKey: 'another' }, message(7)]),
      ]);
      const all = outcomes.flat() as Appended[];
      const raced = all.filter((_, i) => i !== 5);
      expect(new Set(raced.map(({ id }) => id)).size).toBe(1);
      expect(raced.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(all[5]).toMatchObject({ replayed: false });
      await scene.delivered(2);
      expect(await scene.log.historyLast('a', 10)).toHaveLength(2);
    });

    test('logs of several nodes are one: every tail brings the same, in one order', async () => {
      const other = scene.open();
      const otherLedger = await scene.follow(other);
      await Promise.all([
        scene.publish('a', 150),
        scene.publish('a', 150, other),
        scene.publish('b', 150, other),
        scene.log.appendMany(Array.from({ length: 150 }, (_, i) => ({ channel: 'c', data: String(i) }))),
      ]);
      await scene.delivered(600);
      await scene.delivered(600, otherLedger);
      for (let partition = 0; partition < partitions; partition++) {
        const seen = [scene.ledger, otherLedger].map((where) =>
          where.told.flatMap((told) => (told.kind === 'message' && told.partition === partition ? [told.message] : [])),
        );
        expect(seen[0]).toEqual(seen[1]);
      }
      expect(new Set(scene.ledger.messages.map(({ id, channel }) => id + channel)).size).toBe(600);
      expect(otherLedger.violations).toEqual([]);
    });
  });
}
