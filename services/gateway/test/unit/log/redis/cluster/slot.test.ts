import { expect, test } from 'vitest';
import { slotOf } from '../../../../../src/log/redis/cluster/slot.ts';

// As CLUSTER KEYSLOT of Redis 7.0 replies them.
test.each([
  ['123456789', 12739],
  ['p0', 15882],
  ['p1', 11819],
  ['p63', 12555],
  ['', 0],
])('the slot of %j is %i', (tag, slot) => {
  expect(slotOf(tag)).toBe(slot);
});
