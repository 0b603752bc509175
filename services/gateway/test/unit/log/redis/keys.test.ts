import { expect, test } from 'vitest';
import { floorKey, historyKey, logKey, onceKey, rateKey, ticketKey } from '../../../../src/log/redis/keys.ts';

test('all keys of a partition share one hash tag, and partitions have different ones', () => {
  const keys = (partition: number) => [
    logKey(partition),
    floorKey(partition),
    historyKey(partition, 'a:b@c'),
    onceKey(partition, 'a:b', '{other}'),
    ticketKey(partition, '{other}'),
    rateKey(partition, 'sub:{other}'),
  ];
  for (const partition of [0, 12])
    for (const key of keys(partition)) expect(/\{(.*?)\}/.exec(key)?.[1]).toBe(`p${partition}`);
});

test('no two keys run into one another', () => {
  expect(onceKey(0, 'a', 'b:c')).not.toBe(onceKey(0, 'a:b', 'c'));
  expect(historyKey(0, 'log')).not.toBe(logKey(0));
  expect(ticketKey(0, 'a')).not.toBe(rateKey(0, 'a'));
});
