import { expect, test } from 'vitest';
import { Unseen } from '../../../../src/log/redis/unseen.ts';

test('what the tail brought is not waited for', () => {
  const unseen = new Unseen();
  unseen.add('5-0', 100);
  unseen.add('5-1', 200);
  unseen.seen('5-0');
  unseen.seen('9-9');
  expect(unseen.ids()).toEqual(['5-1']);
  expect(unseen.waitingMs(250)).toBe(50);
  unseen.seen('5-1');
  expect(unseen.waitingMs(250)).toBe(0);
});

test('what the tail has passed without meeting it is taken out once, also when answers overtook one another', () => {
  const unseen = new Unseen();
  for (const id of ['5-2', '5-0', '7-0']) unseen.add(id, 0);
  expect(unseen.takePassed('5-2')).toEqual(['5-2', '5-0']);
  expect(unseen.takePassed('5-2')).toEqual([]);
  expect(unseen.ids()).toEqual(['7-0']);
});

test('it is bounded', () => {
  const unseen = new Unseen();
  for (let i = 0; i < 20_000; i++) unseen.add(`${i}-0`, 0);
  expect(unseen.ids()).toHaveLength(10_000);
  expect(unseen.ids()[0]).toBe('0-0');
});
