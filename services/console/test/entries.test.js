import { describe, expect, test } from 'vitest';
import { Entries, fitting } from '../public/entries.js';

/**
 * @param {number} n
 * @param {string} [data]
 * @returns {import('../public/entries.js').MessageEntry}
 */
const message = (n, data = '1') => ({ kind: 'message', at: 0, id: `${n}-0`, channel: 'a', data, duplicate: false });
const any = fitting('');

describe('the entries that are kept', () => {
  test('are the newest, newest first', () => {
    const entries = new Entries();
    for (let n = 1; n <= 10_000; n++) entries.add(message(n));
    const kept = entries.newest(Number.POSITIVE_INFINITY, any);
    expect(kept.length).toBeGreaterThanOrEqual(2_000);
    expect(kept.length).toBeLessThanOrEqual(4_000);
    expect(kept[0]).toMatchObject({ id: '10000-0' });
    expect(entries.newest(2, any)).toMatchObject([{ id: '10000-0' }, { id: '9999-0' }]);
  });

  test('are fewer when they are large', () => {
    const entries = new Entries();
    const data = JSON.stringify('x'.repeat(64 * 1024));
    for (let n = 1; n <= 1_000; n++) entries.add(message(n, data));
    const kept = entries.newest(Number.POSITIVE_INFINITY, any);
    expect(kept.length).toBeLessThan(300);
    expect(kept[0]).toMatchObject({ id: '1000-0' });
  });
});

test('a filter wants all its words in a message, and lets through what the connection says', () => {
  const fits = fitting('PAID 42');
  expect(fits(message(1, '{"order":42,"state":"paid"}'))).toBe(true);
  expect(fits(message(1, '{"order":43,"state":"paid"}'))).toBe(false);
  expect(fits({ kind: 'gap', at: 0, channel: 'a', after: '', reason: 'trimmed' })).toBe(true);
});
