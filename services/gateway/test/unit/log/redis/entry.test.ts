import { expect, test } from 'vitest';
import { isMarker, type RawEntry, readHistoryEntry, readLogEntry, sizeOf } from '../../../../src/log/redis/entry.ts';
import { wholeFrom } from '../../../../src/log/redis/tail/newest.ts';

const message: RawEntry = ['5-0', ['c', 'orders', 'd', '{"a":1}']];
const named: RawEntry = ['5-1', ['c', 'orders', 'd', '{"a":1}', 'e', 'paid']];
const marker: RawEntry = ['4-0', ['f', '1']];
const foreign: RawEntry = ['6-0', ['other', 'thing']];

test('messages, markers and what is not ours are told apart', () => {
  expect(readLogEntry(message)).toEqual({ id: '5-0', channel: 'orders', data: '{"a":1}' });
  expect(readLogEntry(named)).toEqual({ id: '5-1', channel: 'orders', event: 'paid', data: '{"a":1}' });
  for (const entry of [marker, foreign]) expect(readLogEntry(entry)).toBeUndefined();
  expect([message, named, marker, foreign].map(isMarker)).toEqual([false, false, true, false]);
  expect([message, named, marker, foreign].map(sizeOf)).toEqual([7, 7, 0, 0]);
});

test('a message with a time to live of its own knows when it ends, also where it has no event', () => {
  expect(readLogEntry(['5-0', ['c', 'a', 'd', '1', 't', '1500']])).toEqual({
    id: '5-0',
    channel: 'a',
    data: '1',
    expiresMs: 1505,
  });
  const both = readLogEntry(['5-0', ['c', 'a', 'd', '1', 'e', 'paid', 't', '1500']]);
  expect(both).toEqual({ id: '5-0', channel: 'a', event: 'paid', data: '1', expiresMs: 1505 });
});

test('an entry of a history names the message before it', () => {
  expect(readHistoryEntry('orders', ['5-0', ['p', '4-0', 'd', '1']])).toEqual({
    id: '5-0',
    previous: '4-0',
    message: { id: '5-0', channel: 'orders', data: '1' },
  });
  const named = readHistoryEntry('orders', ['5-0', ['p', '4-0', 'd', '1', 'e', 'paid', 't', '10']]);
  expect(named.message).toEqual({ id: '5-0', channel: 'orders', event: 'paid', data: '1', expiresMs: 15 });
});

test('an entry without data is the place of a message that was not kept', () => {
  expect(readHistoryEntry('typing', ['5-0', ['p', '4-0']])).toEqual({ id: '5-0', previous: '4-0' });
});

test('the newest stretch is whole from where it was read to, or from its first entry when the log was trimmed past that', () => {
  expect(wholeFrom({ entries: [message], after: '4-0' }, '4-0')).toBe('4-0');
  expect(wholeFrom({ entries: [message], after: '4-0' }, '3-0')).toBe('4-0');
  expect(wholeFrom({ entries: [message], after: '2-0' }, '4-0')).toBe('4-18446744073709551615');
  expect(wholeFrom({ entries: [], after: '4-0' }, '4-0')).toBe('4-0');
});
