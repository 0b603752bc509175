import { describe, expect, test } from 'vitest';
import { Subscriptions } from '../public/subscriptions.js';

/** @type {import('../public/status.js').Start} */
const live = { mode: 'live', last: 10, after: '' };

describe('a channel that is asked for again after a loss', () => {
  test('starts from where it was subscribed when nothing had come', () => {
    const subscriptions = new Subscriptions(['a'], live);
    expect(subscriptions.request('a')).toEqual({ type: 'subscribe', channel: 'a', ref: 's1' });
    subscriptions.subscribed('a', '5-0');
    subscriptions.dropped();
    expect(subscriptions.request('a')).toMatchObject({ after: '5-0' });
  });

  test('starts from the newest of its messages and the cursors of the connection', () => {
    const subscriptions = new Subscriptions(['a', 'b'], live);
    for (const channel of ['a', 'b']) subscriptions.subscribed(channel, '5-0');
    subscriptions.received('a', '6-0');
    expect(subscriptions.request('a')).toMatchObject({ after: '6-0' });
    subscriptions.subscribed('a', '6-0');
    subscriptions.caughtUp('a', '6-0');
    subscriptions.moved('8-0');
    subscriptions.received('b', '9-0');
    subscriptions.dropped();
    expect(subscriptions.request('a')).toMatchObject({ after: '8-0' });
    expect(subscriptions.request('b')).toMatchObject({ after: '9-0' });
  });

  test('does not skip what a replay that broke off had not brought yet', () => {
    const subscriptions = new Subscriptions(['a'], { ...live, mode: 'after', after: '1-0' });
    expect(subscriptions.request('a')).toMatchObject({ after: '1-0' });
    subscriptions.subscribed('a', '9-0');
    subscriptions.received('a', '2-0');
    subscriptions.moved('9-0');
    subscriptions.dropped();
    expect(subscriptions.request('a')).toMatchObject({ after: '2-0' });
  });

  test('asks for the last few only as long as it has no place', () => {
    const subscriptions = new Subscriptions(['a'], { ...live, mode: 'last', last: 3 });
    expect(subscriptions.request('a')).toMatchObject({ last: 3 });
    subscriptions.subscribed('a', undefined);
    subscriptions.caughtUp('a', '7-0');
    subscriptions.dropped();
    const again = subscriptions.request('a');
    expect(again).toMatchObject({ after: '7-0' });
    expect(again).not.toHaveProperty('last');
  });
});

test('a refusal is told by its ref, and counts as the connection’s own when no channel was granted', () => {
  const subscriptions = new Subscriptions(['a', 'b'], live);
  const [first, second] = [subscriptions.request('a'), subscriptions.request('b')];
  expect(subscriptions.refused(first.ref, 'no')).toBe('a');
  expect(subscriptions.refused('another', 'no')).toBeUndefined();
  expect(subscriptions.answered).toBe(false);
  expect(subscriptions.refusal).toBeUndefined();
  expect(subscriptions.refused(second.ref, 'no again')).toBe('b');
  expect(subscriptions.answered).toBe(true);
  expect(subscriptions.refusal).toBe('no');
});

test('a changed choice says what to subscribe and what to unsubscribe', () => {
  const subscriptions = new Subscriptions(['a', 'b'], live);
  expect(subscriptions.become(['b', 'c'])).toEqual({ added: ['c'], removed: ['a'] });
  expect(subscriptions.received('a', '1-0')).toBe(false);
});

describe('a channel that another token opens or shuts', () => {
  test('is asked for again when it was refused', () => {
    const subscriptions = new Subscriptions(['a', 'b'], live);
    const [, b] = ['a', 'b'].map((channel) => subscriptions.request(channel));
    subscriptions.subscribed('a', '5-0');
    subscriptions.refused(b?.ref, 'no right');
    expect(subscriptions.takeRefused()).toEqual(['b']);
    expect(subscriptions.answered).toBe(false);
    expect(subscriptions.takeRefused()).toEqual([]);
  });

  test('counts as refused when it is taken away, unless nobody wants it any more', () => {
    const subscriptions = new Subscriptions(['a'], live);
    subscriptions.subscribed('a', '5-0');
    expect(subscriptions.withdrawn('a', 'no right any more')).toBe(true);
    expect(subscriptions.refusal).toBe('no right any more');
    expect(subscriptions.withdrawn('b', 'no right any more')).toBe(false);
  });
});
