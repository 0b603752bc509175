import { expect, test } from 'vitest';
import { run } from '../../fuzz/run.ts';

/** `npm run fuzz` does the same, a hundred times as long and with another seed each time. */
const SHORT = { seed: 20_260_101, frames: 10_000, heads: 2000, seconds: 160 };

test('mutated frames and request heads crash nothing, leak nothing, and leave the other connections undisturbed', {
  timeout: 180_000,
}, async ({ signal }) => {
  const { isComplete, receiver, webSockets, heads, bystanderMessages } = await run({ ...SHORT, signal, say: () => {} });
  expect(isComplete).toBe(true);
  expect(receiver.mutatedRead + webSockets.mutatedRead).toBeGreaterThanOrEqual(SHORT.frames);
  expect(heads.heads).toBe(SHORT.heads);
  expect(bystanderMessages).toBeGreaterThan(0);
  // That it reaches what it is meant to: every way in which a conversation can end, and the usual answers of the port.
  const endings = ['no end', 'closed by the client', 'reset by the client', '1002', '1003', '1007', '1008', '1009'];
  expect([...webSockets.ends.keys()].sort()).toEqual(endings.sort());
  const statuses = [101, 200, 201, 400, 403, 404, 405, 415, 426, 431];
  expect([...heads.answers.keys()]).toEqual(expect.arrayContaining(statuses.map(String)));
});
