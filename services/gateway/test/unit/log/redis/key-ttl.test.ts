import { describe, expect, test } from 'vitest';
import { KeyTtl } from '../../../../src/log/redis/key-ttl.ts';

const NOW = 2_000_000_000;
const DAY = 86_400;
const usual = { historySize: 10, historyTtlSeconds: DAY };
const keyTtl = new KeyTtl(usual);

describe('the word for settings', () => {
  test('is the same for the same keyTtl, however they are written', () => {
    const a = new Map([
      ['x', { historySize: 1, historyTtlSeconds: 1_000 }],
      ['y', { historySize: 1, historyTtlSeconds: 2_000 }],
    ]);
    const b = new Map([...a].reverse());
    expect(new KeyTtl({ ...usual, namespaces: a }).word).toBe(new KeyTtl({ ...usual, namespaces: b }).word);
    const size = new Map([['x', { historySize: 0, historyTtlSeconds: DAY }]]);
    expect(new KeyTtl({ ...usual, historySize: 5, namespaces: size }).word).toBe(keyTtl.word);
  });

  test('is another where keys stay for another time', () => {
    const words = [
      keyTtl,
      new KeyTtl({ ...usual, historyTtlSeconds: DAY + 1 }),
      new KeyTtl({ ...usual, namespaces: new Map([['x', { historySize: 10, historyTtlSeconds: DAY + 1 }]]) }),
      new KeyTtl({ ...usual, namespaces: new Map([['y', { historySize: 10, historyTtlSeconds: DAY + 1 }]]) }),
    ].map(({ word }) => word);
    expect(new Set(words).size).toBe(4);
    for (const word of words) expect(word).toMatch(/^[\w-]{12}$/);
  });
});

test('a key outlives messages that are kept for a short time only, so that their newest id stays known', () => {
  const short = new KeyTtl({ ...usual, namespaces: new Map([['x', { historySize: 1, historyTtlSeconds: 5 }]]) });
  expect(short.milliseconds('x:1')).toBe(600_000);
  expect(short.milliseconds('y')).toBe(DAY * 1000);
});

describe('a channel without a history', () => {
  const expired = `${NOW - DAY * 1000}-18446744073709551615`;

  test('can have had nothing that would still be kept', () => {
    expect(keyTtl.removedUpTo('c', null, NOW)).toBe(expired);
    expect(keyTtl.removedUpTo('c', `5-0 5-0 ${keyTtl.word}`, NOW)).toBe(expired);
    expect(keyTtl.removedUpTo('c', '5-0 5-0 -', NOW)).toBe(expired);
  });

  test('can have had something before all nodes kept messages for as long', () => {
    expect(keyTtl.removedUpTo('c', `5-0 ${NOW - 1_000}-7 ${keyTtl.word}`, NOW)).toBe(`${NOW - 1_000}-7`);
  });

  test('can have had something until now while another node keeps messages for another time', () => {
    expect(keyTtl.removedUpTo('c', '5-0 5-0 other', NOW)).toBe(`${NOW}-0`);
  });
});
