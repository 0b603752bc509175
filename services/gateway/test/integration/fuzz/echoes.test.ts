import { expect, test } from 'vitest';
import { checkEchoes } from '../../fuzz/check-echoes.ts';

test('messages in any fragments, compressed or not, with control frames between them and cut anywhere, come back as they were sent', async ({
  signal,
}) => {
  const conversations = 150;
  expect(await checkEchoes({ seed: 1, conversations, isOver: () => signal.aborted })).toBe(conversations);
});
