import { expect, test } from 'vitest';
import { Sessions } from '../../../../src/auth/sessions/sessions.ts';
import { until } from '../../../support/until.ts';
import { principal, WatchedSession } from '../people.ts';

test('disconnects the sessions of one subject whose rights are from then or before', () => {
  const sessions = new Sessions(0);
  const [old, same, later] = [1_000, 2_000, 2_001].map((issuedMs) => new WatchedSession(principal('ann', issuedMs)));
  const other = new WatchedSession(principal('bob', 1_000));
  const undated = new WatchedSession(principal('ann'));
  for (const session of [old, same, later, other, undated] as WatchedSession[]) sessions.add(session);
  sessions.disconnect('ann', 2_000);
  expect([old, same, later, other, undated].map((session) => session?.closes)).toEqual([
    ['disconnected'],
    ['disconnected'],
    [],
    [],
    ['disconnected'],
  ]);
});

test('sessions may remove themselves while they are being closed', () => {
  const sessions = new Sessions(3);
  const all = Array.from({ length: 3 }, () => new WatchedSession(principal('ann', 1), (each) => sessions.remove(each)));
  for (const session of all) sessions.add(session);
  expect(sessions.isFull(principal('ann'))).toBe(true);
  sessions.disconnect('ann', 1);
  expect(all.flatMap(({ closes }) => closes)).toHaveLength(3);
  expect(sessions.isFull(principal('ann'))).toBe(false);
});

test('thousands are closed over several turns, and those that got new rights meanwhile are spared, as are those that ended', async () => {
  const sessions = new Sessions(0);
  const all = Array.from(
    { length: 3_000 },
    () => new WatchedSession(principal('ann', 1), (each) => sessions.remove(each)),
  );
  for (const session of all) sessions.add(session);
  sessions.disconnect('ann', 1);
  const closed = () => all.filter(({ closes }) => closes.length === 1).length;
  expect(closed()).toBeGreaterThan(0);
  expect(closed()).toBeLessThan(1_000);
  const [renewed, ended] = [all[2_000], all[2_001]] as [WatchedSession, WatchedSession];
  renewed.principal = principal('ann', 2);
  sessions.remove(ended);
  await until(() => closed() === 2_998, 'all others to be closed');
  expect([...renewed.closes, ...ended.closes]).toEqual([]);
});

test('is full when the subject has as many as it may; the stranger never is, nor anybody without a limit', () => {
  const sessions = new Sessions(2);
  const first = new WatchedSession(principal('ann', 1));
  for (const session of [first, first, new WatchedSession(principal('bob', 1))]) sessions.add(session);
  for (let i = 0; i < 3; i++) sessions.add(new WatchedSession(principal(undefined)));
  expect(sessions.isFull(principal('ann'))).toBe(false);
  sessions.add(new WatchedSession(principal('ann', 1)));
  expect(sessions.isFull(principal('ann'))).toBe(true);
  expect(sessions.isFull(principal('bob'))).toBe(false);
  expect(sessions.isFull(principal(undefined))).toBe(false);
  sessions.remove(first);
  sessions.remove(first);
  expect(sessions.isFull(principal('ann'))).toBe(false);

  const unlimited = new Sessions(0);
  for (let i = 0; i < 10; i++) unlimited.add(new WatchedSession(principal('ann', 1)));
  expect(unlimited.isFull(principal('ann'))).toBe(false);
});

test('a session that changed its principal is found by its new subject, and leaves nothing under the old one', () => {
  const sessions = new Sessions(1);
  const session = new WatchedSession(principal('ann', 1));
  sessions.add(session);
  session.principal = principal('bob', 1);
  sessions.add(session);
  expect(sessions.isFull(principal('ann'))).toBe(false);
  expect(sessions.isFull(principal('bob'))).toBe(true);
  sessions.disconnect('ann', 1);
  expect(session.closes).toEqual([]);
  sessions.disconnect('bob', 1);
  expect(session.closes).toEqual(['disconnected']);

  session.principal = principal(undefined);
  sessions.remove(session);
  expect(sessions.isFull(principal('bob'))).toBe(false);
});

test('a stranger that brings a token later is counted from then on', () => {
  const sessions = new Sessions(1);
  const session = new WatchedSession(principal(undefined));
  sessions.add(session);
  session.principal = principal('ann', 1);
  sessions.add(session);
  expect(sessions.isFull(principal('ann'))).toBe(true);
});

test('disconnects everybody whose rights are from then or before, but not who has no subject', () => {
  const sessions = new Sessions(0);
  const [ann, bob, late, stranger] = [
    new WatchedSession(principal('ann', 1)),
    new WatchedSession(principal('bob', 2)),
    new WatchedSession(principal('ann', 3)),
    new WatchedSession(principal(undefined)),
  ];
  for (const session of [ann, bob, late, stranger]) sessions.add(session);
  sessions.disconnectAll(2);
  expect([ann, bob, late, stranger].map(({ closes }) => closes.length)).toEqual([1, 1, 0, 0]);
});
