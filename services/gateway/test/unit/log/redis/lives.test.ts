import { describe, expect, test } from 'vitest';
import { Lives } from '../../../../src/log/redis/lives.ts';

const NOW = 2_000_000_000;
const DAY = 86_400;
const usual = { historySize: 10, historyTtlSeconds: DAY };
const lives = new Lives(usual);

describe('the word for settings', () => {
  test('is the same for the same lives, however they are written', () => {
    const a = new Map([
      ['x', { historySize: 1, historyTtlSeconds: 1_000 }],
      ['y', { historySize: 1, historyTtlSeconds: 2_000 }],
    ]);
    const b = new Map([...a].reverse());
    expect(new Lives({ ...usual, namespaces: a }).word).toBe(new Lives({ ...usual, namespaces: b }).word);
    const size = new Map([['x', { historySize: 0, historyTtlSeconds: DAY }]]);
    expect(new Lives({ ...usual, historySize: 5, namespaces: size }).word).toBe(lives.word);
  });

  test('is another where a history lives for another time', () => {
    const words = [
      lives,
      new Lives({ ...usual, historyTtlSeconds: DAY + 1 }),
      new Lives({ ...usual, namespaces: new Map([['x', { historySize: 10, historyTtlSeconds: DAY + 1 }]]) }),
      new Lives({ ...usual, namespaces: new Map([['y', { historySize: 10, historyTtlSeconds: DAY + 1 }]]) }),
    ].map(({ word }) => word);
    expect(new Set(words).size).toBe(4);
    for (const word of words) expect(word).toMatch(/^[\w-]{12}$/);
  });
});

test('a key outlives messages that are kept for a short time only, so that their newest id stays known', () => {
  const short = new Lives({ ...usual, namespaces: new Map([['x', { historySize: 1, historyTtlSeconds: 5 }]]) });
  expect(short.milliseconds('x:1')).toBe(600_000);
  expect(short.milliseconds('y')).toBe(DAY * 1000);
});

describe('a channel without a history', () => {
  const expired = `${NOW - DAY * 1000}-18446744073709551615`;

  test('can have had nothing that would still be kept', () => {
    expect(lives.removedUpTo('c', null, NOW)).toBe(expired);
    expect(lives.removedUpTo('c', `5-0 5-0 ${lives.word}`, NOW)).toBe(expired);
    expect(lives.removedUpTo('c', '5-0 5-0 -', NOW)).toBe(expired);
  });

  test('can have had something before all nodes kept messages for as long', () => {
    expect(lives.removedUpTo('c', `5-0 ${NOW - 1_000}-7 ${lives.word}`, NOW)).toBe(`${NOW - 1_000}-7`);
  });

  test('can have had something until now while another node keeps messages for another time', () => {
    expect(lives.removedUpTo('c', '5-0 5-0 other', NOW)).toBe(`${NOW}-0`);
  });
});
