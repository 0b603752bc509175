import { expect, test } from 'vitest';
import { Recent } from '../../../src/hub/recent.ts';
import { EncodedMessage, type Format, type GzipFormat } from '../../../src/wire/encoded-message.ts';
import { usedBytes } from '../../support/heap.ts';

const LIMIT = 16 * 1024 * 1024;

/** Text as it comes from a socket: a string of its own. */
function received(text: string): string {
  return Buffer.from(text).toString();
}

const CASES: { data: string; channels: number; plain: Format[]; gzip: GzipFormat[] }[] = [
  { data: '1', channels: 1, plain: [], gzip: [] },
  { data: '1', channels: 5000, plain: ['sse'], gzip: [] },
  { data: `"${'語'.repeat(300)}"`, channels: 10, plain: ['sse', 'websocket'], gzip: [] },
  { data: `"${'text '.repeat(200)}"`, channels: 10, plain: ['sse', 'sse-envelope'], gzip: ['sse-gzip'] },
  { data: `"${'text '.repeat(6000)}"`, channels: 10, plain: ['websocket-deflate'], gzip: [] },
];

test.each(CASES)('recent messages take no more memory than they may: $data, as $plain and $gzip', async (each) => {
  const before = await usedBytes();
  const recent = new Recent(LIMIT);
  for (let i = 1; recent.since === '0-0' || i % 1000 !== 0; i++) {
    const channel = received(`ns:${i % each.channels}`);
    const message = new EncodedMessage({ id: received(`1763600000000-${i}`), channel, data: received(each.data) });
    recent.push(message);
    for (const format of each.plain) message.bytes(format);
    for (const format of each.gzip) message.piece(format);
    recent.trim();
    // What others make meanwhile must not be kept alive.
    Buffer.from(each.data);
  }
  const used = (await usedBytes()) - before;
  expect(recent.since).not.toBe('0-0');
  expect(used).toBeLessThan(1.2 * LIMIT);
  expect(used).toBeGreaterThan(0.5 * LIMIT);
});
