import { expect, test } from 'vitest';
import type { Held } from '../../../../../src/log/redis/entry.ts';
import { Unseen } from '../../../../../src/log/redis/tail/unseen.ts';

function held(id: string, channel = 'c', data = '1'): Held {
  return { id, channel, data };
}

function ids(messages: readonly Held[]): string[] {
  return messages.map(({ id }) => id);
}

test('what the tail brought is not waited for', () => {
  const unseen = new Unseen();
  unseen.add(held('5-0'), 100);
  unseen.add(held('5-1'), 200);
  unseen.seen(held('5-0'));
  unseen.seen(held('9-9'));
  expect(ids(unseen.all())).toEqual(['5-1']);
  expect(unseen.waitingMs(250)).toBe(50);
  unseen.seen(held('5-1'));
  expect(unseen.waitingMs(250)).toBe(0);
});

test('what the tail has passed without meeting it is told, also when answers overtook one another, until it is forgotten', () => {
  const unseen = new Unseen();
  for (const id of ['5-2', '5-0', '7-0']) unseen.add(held(id), 0);
  const passed = unseen.passed('5-2');
  expect(ids(passed)).toEqual(['5-2', '5-0']);
  expect(unseen.passed('5-2')).toEqual(passed);
  unseen.forget(passed);
  expect(unseen.passed('5-2')).toEqual([]);
  expect(ids(unseen.all())).toEqual(['7-0']);
});

test('what the tail brought before the append was answered is not waited for; what it did not bring is, however late', () => {
  const unseen = new Unseen();
  for (const id of ['5-0', '6-0', '9-0']) unseen.seen(held(id));
  unseen.add(held('5-0'), 0);
  expect(unseen.all()).toEqual([]);
  unseen.add(held('7-0'), 0);
  expect(ids(unseen.passed('9-0'))).toEqual(['7-0']);
});

test('another message with the same id is not the one that was waited for, whichever came first', () => {
  const unseen = new Unseen();
  unseen.seen(held('5-0', 'other'));
  unseen.add(held('5-0'), 0);
  unseen.add(held('6-0'), 0);
  unseen.seen(held('6-0', 'c', '2'));
  expect(ids(unseen.passed('9-0'))).toEqual(['5-0', '6-0']);
});

test('where the data is not known, the channel tells', () => {
  const unseen = new Unseen();
  unseen.seen(held('5-0'));
  unseen.add(held('5-0', 'c', ''), 0);
  unseen.add(held('6-0', 'c', ''), 0);
  unseen.seen(held('6-0'));
  expect(unseen.all()).toEqual([]);
  unseen.add(held('5-0', 'other', ''), 0);
  expect(unseen.all()).toHaveLength(1);
});

test('it remembers thousands of messages that the tail brought early, and not all', () => {
  const unseen = new Unseen();
  for (let i = 0; i < 20_000; i++) unseen.seen(held(`${i}-0`));
  unseen.add(held('15999-0'), 0);
  expect(unseen.all()).toEqual([]);
  unseen.add(held('11000-0'), 0);
  expect(ids(unseen.all())).toEqual(['11000-0']);
});

test('it is bounded, in number and in size; of those that are too many the newest is remembered', () => {
  const unseen = new Unseen();
  for (let i = 0; i < 20_000; i++) unseen.add(held(`${i}-0`), 0);
  expect(unseen.all()).toHaveLength(10_001);
  expect(unseen.all()[0]?.id).toBe('0-0');
  expect(unseen.all().at(-1)?.id).toBe('19999-0');
  const large = new Unseen();
  const data = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 50; i++) large.add(held(`${i}-0`, 'c', data), 0);
  expect(large.all()).toHaveLength(17);
  large.forget(large.passed('3-0'));
  large.seen(held('49-0', 'c', data));
  large.add(held('60-0', 'c', data), 0);
  expect(large.all()).toHaveLength(13);
});

test('the newest of too many is waited for like the others', () => {
  const unseen = new Unseen();
  for (let i = 0; i <= 10_000; i++) unseen.add(held(`${i}-0`), 5);
  for (let i = 0; i < 10_000; i++) unseen.seen(held(`${i}-0`));
  expect(unseen.waitingMs(7)).toBe(2);
  expect(unseen.passed('10000-0')).toHaveLength(1);
  unseen.forget(unseen.passed('10000-0'));
  expect(unseen.waitingMs(7)).toBe(0);
});
