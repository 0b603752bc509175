import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { isId, partitionOf } from '../../src/message.ts';
import { TailLedger } from '../support/tail-ledger.ts';
import { ALL, type LogScene } from './log-scene.ts';

/** What is promised to whoever follows a log. */
export function tailContract(scene: LogScene): void {
  describe('tail', () => {
    test('starts with the floor of each partition, and stands there', () => {
      expect(scene.ledger.told.map(({ kind }) => kind)).toEqual(
        Array.from({ length: scene.partitions }, () => 'floor'),
      );
      expect(new Set(scene.ledger.told.map(({ partition }) => partition)).size).toBe(scene.partitions);
      for (let partition = 0; partition < scene.partitions; partition++)
        expect(isId(scene.ledger.position(partition) as string)).toBe(true);
    });

    test('brings every message once, in order, and ends at the end', async () => {
      const ids = await scene.publish('a', 200);
      await scene.delivered(200);
      expect(scene.ledger.messages.map(({ id }) => id)).toEqual(ids);
      const number = partitionOf('a', scene.partitions);
      expect(scene.ledger.position(number)).toBe(await scene.log.end(number));
    });

    test('brings what many append at once', async () => {
      const channels = ['a', 'b', 'c', 'd:1', 'd:2'];
      const ids = await Promise.all(channels.map((channel) => scene.publish(channel, 100)));
      await scene.delivered(500);
      for (const [i, channel] of channels.entries())
        expect(scene.ledger.messages.filter((message) => message.channel === channel).map(({ id }) => id)).toEqual(
          ids[i],
        );
    });

    test('goes on when its listener fails', async () => {
      const failing = new TailLedger();
      const { deliver } = failing;
      failing.deliver = function (...call) {
        deliver.apply(this, call);
        if (call[1].some(({ data }) => data === '"boom"')) throw new Error('a fault of the listener');
      };
      await scene.fixture.reset();
      const log = scene.open();
      await log.follow(failing, ALL);
      await log.append({ channel: 'a', data: '"boom"' });
      await scene.delivered(1, failing);
      await log.append({ channel: 'a', data: '"after"' });
      await scene.delivered(2, failing);
      expect(failing.data).toEqual(['"boom"', '"after"']);
    });
  });

  describe('the newest messages at the start', () => {
    /** A log to publish on, before the one of `late` is followed. */
    async function early(): Promise<Log> {
      await scene.fixture.reset();
      const log = scene.open();
      if (scene.fixture.shared) await scene.follow(log);
      return log;
    }

    /** Where logs are shared, another node's. */
    function late(log: Log): Log {
      return scene.fixture.shared ? scene.open() : log;
    }

    test('are those that fit, in order, and what is older is told as skipped', async () => {
      const first = await early();
      const data = JSON.stringify('x'.repeat(98));
      const ids: string[] = [];
      for (let i = 0; i < 700; i++) ids.push((await first.append({ channel: 'a', data })).id);
      const log = late(first);
      scene.ledger = await scene.follow(log, 10_000 * scene.partitions);
      expect(scene.ledger.messages.map(({ id }) => id)).toEqual(ids.slice(600));
      const partition = partitionOf('a', scene.partitions);
      const [floor] = scene.ledger.floors(partition);
      expect(scene.ledger.skips).toEqual([{ kind: 'skipped', partition, after: floor, position: ids[599] }]);
      await scene.publish('a', 1, log);
      await scene.delivered(101);
    });

    test('are all there is when all of it fits', async () => {
      const first = await early();
      const ids = await scene.publish('a', 600, first);
      scene.ledger = await scene.follow(late(first));
      expect(scene.ledger.messages.map(({ id }) => id)).toEqual(ids);
      expect(scene.ledger.skips).toEqual([]);
    });

    test('may be none', async () => {
      const first = await early();
      const ids = await scene.publish('a', 3, first);
      scene.ledger = await scene.follow(late(first), 0);
      expect(scene.ledger.messages).toEqual([]);
      expect(scene.ledger.position(partitionOf('a', scene.partitions))).toBe(ids[2]);
    });
  });
}
