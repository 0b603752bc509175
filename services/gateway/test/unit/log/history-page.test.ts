import { describe, expect, test } from 'vitest';
import { type HistoryEntry, type Look, pageOf } from '../../../src/log/history-page.ts';

const NOW = 10_000;
const BOUND = '4000-0';

/** A history of messages at these milliseconds; `-` before one stands for a place without its message, `+` for one past its time to live. */
function history(...marks: string[]): HistoryEntry[] {
  let previous = '1000-0';
  return marks.map((mark) => {
    const id = `${mark.replace(/[-+]/, '')}-0`;
    const message = { id, channel: 'c', data: '1', ...(mark.startsWith('+') ? { expiresMs: NOW } : {}) };
    const entry = mark.startsWith('-') ? { id, previous } : { id, previous, message };
    previous = id;
    return entry;
  });
}

function look(after: string, entries: readonly HistoryEntry[], more = false): Look {
  return { after, entries, more, end: '9000-0', bound: BOUND, nowMs: NOW };
}

const ids = ({ messages }: ReturnType<typeof pageOf>) => messages.map(({ id }) => id);

describe('a page', () => {
  test('is whole when its first message follows on the cursor', () => {
    expect(pageOf(look('1000-0', history('5000', '6000')))).not.toHaveProperty('gap');
    expect(pageOf(look('999-0', history('5000', '6000')))).toHaveProperty('gap', 'expired');
  });

  test('leaves out what is past its own time to live, and says so', () => {
    const page = pageOf(look('1000-0', history('5000', '+6000', '7000')));
    expect(ids(page)).toEqual(['5000-0', '7000-0']);
    expect(page.gap).toBe('expired');
  });

  test('says so also where nothing comes after', () => {
    expect(pageOf(look('1000-0', history('5000', '+6000')))).toMatchObject({ gap: 'expired', more: false });
  });

  test('leaves what is gone behind its last message to the next page, so that it is told once', () => {
    const entries = history('5000', '+6000', '7000');
    const first = pageOf(look('1000-0', entries.slice(0, 2), true));
    expect(ids(first)).toEqual(['5000-0']);
    expect(first).not.toHaveProperty('gap');
    expect(pageOf(look('5000-0', entries.slice(1)))).toMatchObject({ gap: 'expired' });
  });

  test('tells a message that was never kept as trimmed', () => {
    const page = pageOf(look('1000-0', history('-5000')));
    expect(page).toEqual({ messages: [], more: false, gap: 'trimmed' });
    expect(pageOf(look('5000-0', history('-5000').slice(1)))).toMatchObject({ gap: 'trimmed' });
    expect(pageOf({ ...look('5000-0', []), end: '5000-0' })).not.toHaveProperty('gap');
  });

  test('of messages that are all gone tells it even when there is more', () => {
    expect(pageOf(look('1000-0', history('+5000', '+6000'), true))).toEqual({
      messages: [],
      more: true,
      gap: 'expired',
    });
  });

  test('counts a message as gone at the very millisecond at which it ends, and not before', () => {
    const entries = history('+5000');
    expect(pageOf({ ...look('1000-0', entries), nowMs: NOW - 1 })).not.toHaveProperty('gap');
    expect(pageOf(look('1000-0', entries))).toHaveProperty('gap', 'expired');
  });

  test('tells what somebody removed from its middle', () => {
    const [first, , third] = history('5000', '6000', '7000');
    const page = pageOf(look('1000-0', [first as HistoryEntry, third as HistoryEntry]));
    expect(ids(page)).toEqual(['5000-0', '7000-0']);
    expect(page.gap).toBe('trimmed');
  });
});
