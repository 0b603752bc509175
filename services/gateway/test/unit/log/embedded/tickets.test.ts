import { expect, test } from 'vitest';
import { EmbeddedTickets } from '../../../../src/log/embedded/tickets.ts';

const NOW = 1_763_600_000_000;
const UNKNOWN = { outcome: 'unknown' };

test('a value can be claimed up to the end of its time, and is its holder’s up to the end of that', () => {
  const tickets = new EmbeddedTickets();
  tickets.put('k', 'v', 30_000, NOW + 60_000, NOW);
  tickets.put('late', 'v', 30_000, NOW + 60_000, NOW);
  expect(tickets.claim('k', undefined, 'h', NOW + 29_999)).toEqual({ outcome: 'opened', value: 'v' });
  expect(tickets.claim('late', undefined, 'h', NOW + 30_000)).toEqual(UNKNOWN);
  expect(tickets.claim('k', 'h', 'f', NOW + 59_999)).toEqual({ outcome: 'again', value: 'v' });
  expect(tickets.claim('k', 'h', 'f', NOW + 60_000)).toEqual(UNKNOWN);
});

test('a value that is kept for less than it could be claimed is gone by then', () => {
  const tickets = new EmbeddedTickets();
  tickets.put('k', 'v', 30_000, NOW + 10, NOW);
  expect(tickets.claim('k', undefined, 'h', NOW + 10)).toEqual(UNKNOWN);
});

test('when there are too many, those that have run out make room, whether claimed or not', () => {
  const tickets = new EmbeddedTickets(100_000);
  tickets.put('old', 'v', 30_000, NOW + 86_400_000, NOW);
  tickets.claim('old', undefined, 'h', NOW);
  for (let i = 0; i < 100; i++) tickets.put(`${i}`, 'v', 1_000, NOW + 60_000, NOW);
  const later = NOW + 1_000;
  for (let i = 100; i < 400; i++) tickets.put(`${i}`, 'v', 30_000, NOW + 60_000, later);
  expect(tickets.claim('old', 'h', 'f', later)).toEqual({ outcome: 'again', value: 'v' });
  expect(tickets.claim('100', undefined, 'h', later)).toMatchObject({ outcome: 'opened' });
});

test('then the oldest make room, so that a new one is never refused', () => {
  const tickets = new EmbeddedTickets(100_000);
  const value = 'x'.repeat(1_000);
  for (let i = 0; i < 1_000; i++) {
    tickets.put(`${i}`, value, 30_000, NOW + 60_000, NOW);
    expect(tickets.claim(`${i}`, undefined, 'h', NOW)).toMatchObject({ outcome: 'opened' });
  }
  const kept = Array.from({ length: 1_000 }, (_, i) => tickets.claim(`${i}`, 'h', 'f', NOW).outcome);
  const first = kept.indexOf('again');
  expect(kept.slice(0, first).every((outcome) => outcome === 'unknown')).toBe(true);
  expect(kept.slice(first).every((outcome) => outcome === 'again')).toBe(true);
  // Each takes some 2,300 bytes.
  expect(1_000 - first).toBeGreaterThanOrEqual(35);
  expect(1_000 - first).toBeLessThanOrEqual(44);
});
