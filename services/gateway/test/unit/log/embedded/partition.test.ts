import { expect, test } from 'vitest';
import { EmbeddedPartition } from '../../../../src/log/embedded/partition.ts';
import { compareIds } from '../../../../src/message.ts';

const RETENTION = { historySize: 100, historyTtlSeconds: 60 };
const START = 1_763_600_000_000;
const ROOMY = 1e9;

function partition(maxBytes = ROOMY): EmbeddedPartition {
  return new EmbeddedPartition(RETENTION, maxBytes, START);
}

test('ids follow the clock, and go on increasing when it is set back', () => {
  const log = partition();
  const ids = [START, START, START + 5, START - 3_600_000, START + 6].map(
    (now) => log.append({ channel: 'c', data: '1' }, now).id,
  );
  expect(ids).toEqual([`${START}-1`, `${START}-2`, `${START + 5}-0`, `${START + 5}-1`, `${START + 6}-0`]);
  expect(compareIds(ids[0] as string, log.floor)).toBeGreaterThan(0);
});

test('the oldest messages make room for the newest, whatever their channel, and that is a gap', () => {
  const log = partition(5 * 1_300 + 500);
  const data = 'x'.repeat(1_000);
  const [first, second, third] = ['old', 'old', 'new'].map((channel) => log.append({ channel, data }, START).id);
  for (let i = 0; i < 4; i++) log.append({ channel: 'new', data }, START);
  // Five fit: the two of `old` are gone, all of `new` is there.
  expect(log.last('old', 9, START)).toEqual([]);
  expect(log.after('old', first as string, 9, START).gap).toBe('trimmed');
  expect(log.after('old', second as string, 9, START).gap).toBeUndefined();
  const whole = log.after('new', second as string, 9, START);
  expect(whole.messages).toHaveLength(5);
  expect(whole.messages[0]?.id).toBe(third);
  expect(whole.gap).toBeUndefined();
  // A channel that comes back knows of its loss.
  log.append({ channel: 'old', data: '1' }, START);
  expect(log.after('old', first as string, 9, START).gap).toBe('trimmed');
});

test('a message that is larger than all the room is held alone', () => {
  const log = partition(10);
  log.append({ channel: 'c', data: 'x'.repeat(100) }, START);
  const { id } = log.append({ channel: 'c', data: 'y'.repeat(100) }, START);
  expect(log.last('c', 9, START).map((message) => message.id)).toEqual([id]);
});

test('what has expired is gone for every reader at once', () => {
  const log = partition();
  const { id } = log.append({ channel: 'c', data: '1' }, START);
  const { id: later } = log.append({ channel: 'c', data: '2' }, START + 30_000);
  expect(log.after('c', log.floor, 9, START + 59_999).gap).toBeUndefined();
  const page = log.after('c', log.floor, 9, START + 60_000);
  expect(page).toMatchObject({ gap: 'expired', more: false });
  expect(page.messages.map((message) => message.id)).toEqual([later]);
  expect(log.after('c', id, 9, START + 60_000).gap).toBeUndefined();
  expect(log.newest(ROOMY, START + 90_000)).toEqual({ messages: [], after: later });
});

test('a quiet channel is whole however old the cursor, as long as nothing has gone', () => {
  const log = partition();
  expect(log.after('never', log.floor, 9, START + 1e9)).toEqual({ messages: [], more: false });
});
