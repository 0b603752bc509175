import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHANNEL_BYTES, Recent } from '../../../src/hub/recent.ts';
import { compareIds, ZERO_ID } from '../../../src/message.ts';
import { EncodedMessage } from '../../../src/wire/encoded-message.ts';

const CHANNELS = ['a', 'b', 'c', 'constructor', '__proto__'];

/** When the tests look. */
const NOW = 1000;

function message(id: string, channel = 'a', bytes = 10, expiresMs?: number): EncodedMessage {
  const plain = { id, channel, data: '1'.repeat(bytes) };
  return new EncodedMessage(expiresMs === undefined ? plain : { ...plain, expiresMs });
}

function idsOf(messages: readonly EncodedMessage[] | undefined): string[] | undefined {
  return messages?.map((each) => each.message.id);
}

/** The same, done plainly: one list, looked through from its beginning every time. */
class Model {
  readonly #maxBytes: number;
  #messages: EncodedMessage[] = [];
  since = ZERO_ID;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(each: EncodedMessage): void {
    this.#messages.push(each);
    this.trim();
  }

  trim(): void {
    while (this.#bytes > this.#maxBytes && this.#messages.length > 1)
      this.since = this.#messages.shift()?.message.id ?? '';
  }

  get #bytes(): number {
    const channels = new Set(this.#messages.map((each) => each.message.channel));
    return this.#messages.reduce((sum, { memoryBytes }) => sum + memoryBytes, channels.size * CHANNEL_BYTES);
  }

  reset(since: string): void {
    this.#messages = [];
    this.since = since;
  }

  after(channels: readonly string[], after: string, maxBytes: number): { ids: string[]; complete: boolean } {
    const ids: string[] = [];
    let bytes = 0;
    for (const { message: each } of this.#messages) {
      if (!channels.includes(each.channel) || compareIds(each.id, after) <= 0) continue;
      if (bytes >= maxBytes) return { ids, complete: false };
      ids.push(each.id);
      bytes += each.data.length;
    }
    return { ids, complete: true };
  }

  last(channel: string, limit: number): string[] | undefined {
    const all = this.#messages.filter(
      ({ message: each }) => each.channel === channel && !(each.expiresMs !== undefined && each.expiresMs <= NOW),
    );
    return all.length < limit ? undefined : idsOf(all.slice(all.length - limit));
  }
}

const push = fc.record({
  kind: fc.constant('push' as const),
  channel: fc.constantFrom(...CHANNELS),
  step: fc.integer({ min: 1, max: 12 }),
  bytes: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(2000)),
  expiresMs: fc.option(fc.constantFrom(NOW - 1, NOW, NOW + 1), { nil: undefined, freq: 3 }),
});
const encode = fc.record({
  kind: fc.constant('encode' as const),
  back: fc.nat(20),
  format: fc.constantFrom('sse' as const, 'websocket' as const, 'websocket-deflate' as const),
});
const reset = fc.record({ kind: fc.constant('reset' as const), step: fc.integer({ min: 1, max: 12 }) });
const burst = fc.record({
  kind: fc.constant('burst' as const),
  channel: fc.constantFrom(...CHANNELS),
  count: fc.integer({ min: 60, max: 200 }),
});
const step = fc.oneof(
  { weight: 40, arbitrary: push },
  { weight: 10, arbitrary: encode },
  { weight: 2, arbitrary: burst },
  { weight: 1, arbitrary: reset },
);

describe('recent messages', () => {
  test('are what a plain list would hold, after any pushes and resets, whatever they are encoded to', () => {
    const channels = fc.subarray(CHANNELS, { minLength: 1 });
    fc.assert(
      fc.property(
        fc.integer({ min: 800, max: 80_000 }),
        fc.array(step, { maxLength: 150 }),
        fc.array(fc.record({ channels, back: fc.nat(40), bytes: fc.integer({ min: 1, max: 3000 }) }), { minLength: 3 }),
        (maxBytes, steps, questions) => {
          const recent = new Recent(maxBytes);
          const model = new Model(maxBytes);
          const pushed: EncodedMessage[] = [];
          let sequence = 0;
          const both = (each: EncodedMessage): void => {
            pushed.push(each);
            recent.push(each);
            model.push(each);
          };
          for (const each of steps) {
            if (each.kind === 'burst')
              for (let i = 0; i < each.count; i++) both(message(`5-${++sequence}`, each.channel));
            else if (each.kind === 'encode') {
              pushed.at(-1 - each.back)?.bytes(each.format);
              recent.trim();
              model.trim();
            } else {
              sequence += each.step;
              if (each.kind === 'push') both(message(`5-${sequence}`, each.channel, each.bytes, each.expiresMs));
              else {
                recent.reset(`5-${sequence}`);
                model.reset(`5-${sequence}`);
              }
            }
            expect(recent.since).toBe(model.since);
          }
          for (const { channels: asked, back, bytes } of questions) {
            const place = `5-${Math.max(0, sequence - back)}`;
            const after = compareIds(place, recent.since) < 0 ? recent.since : place;
            const { messages, complete } = recent.after(asked, after, bytes);
            expect({ ids: idsOf(messages), complete }).toEqual(model.after(asked, after, bytes));
            for (const channel of asked)
              for (const limit of [1, 2, back + 1])
                expect(idsOf(recent.last(channel, limit, NOW))).toEqual(model.last(channel, limit));
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('begin with nothing missing', () => {
    const recent = new Recent(1000);
    expect(recent.since).toBe(ZERO_ID);
    expect(recent.after(['a'], ZERO_ID, 1000)).toEqual({ messages: [], complete: true });
    expect(recent.last('a', 1, NOW)).toBeUndefined();
  });

  test('hold the newest message however large it is', () => {
    const recent = new Recent(1000);
    recent.push(message('1-0'));
    recent.push(message('2-0', 'b', 5000));
    expect(idsOf(recent.after(['a', 'b'], '1-0', 10_000).messages)).toEqual(['2-0']);
    expect(recent.since).toBe('1-0');
    recent.push(message('3-0'));
    expect(recent.since).toBe('2-0');
    expect(recent.last('b', 1, NOW)).toBeUndefined();
  });

  test('fill the limit exactly before the oldest goes', () => {
    const one = message('1-0').memoryBytes;
    const recent = new Recent(2 * one + CHANNEL_BYTES);
    recent.push(message('1-0'));
    recent.push(message('2-0'));
    expect(recent.since).toBe(ZERO_ID);
    recent.push(message('3-0'));
    expect(recent.since).toBe('1-0');
  });

  test('leave room for what those that are held were encoded to', () => {
    const [first, second] = [message('1-0', 'a', 1000), message('2-0', 'a', 1000)];
    const recent = new Recent(2 * first.memoryBytes + CHANNEL_BYTES);
    recent.push(first);
    recent.push(second);
    second.bytes('sse');
    recent.trim();
    expect(recent.since).toBe('1-0');
    // What has left is nobody's any more, whatever it is encoded to.
    first.bytes('sse');
    recent.trim();
    expect(idsOf(recent.last('a', 1, NOW))).toEqual(['2-0']);
  });

  test('that have expired are not among the newest', () => {
    const recent = new Recent(100_000);
    for (const [i, expiresMs] of [undefined, NOW - 1, NOW + 1, NOW].entries())
      recent.push(message(`${i + 1}-0`, 'a', 10, expiresMs));
    expect(idsOf(recent.last('a', 2, NOW))).toEqual(['1-0', '3-0']);
    expect(recent.last('a', 3, NOW)).toBeUndefined();
  });

  test("of several channels come in the log's order, also where ids have many digits", () => {
    const recent = new Recent(100_000);
    const ids = ['9-0', '10-0', '10-9', '10-10', '9007199254740992-0', '9007199254740993-0', '18446744073709551615-1'];
    for (const [i, id] of ids.entries()) recent.push(message(id, CHANNELS[i % 3]));
    expect(idsOf(recent.after(['c', 'a', 'b'], ZERO_ID, 1000).messages)).toEqual(ids);
    expect(idsOf(recent.after(['b', 'a', 'c', 'unknown'], '10-9', 1000).messages)).toEqual(ids.slice(3));
    expect(recent.after(CHANNELS, '18446744073709551615-1', 1000)).toEqual({ messages: [], complete: true });
  });

  test('come in portions that join without a seam', () => {
    const recent = new Recent(1_000_000);
    const ids = Array.from({ length: 300 }, (_, i) => `1-${i + 1}`);
    for (const [i, id] of ids.entries()) recent.push(message(id, CHANNELS[(i * 7) % 5]));
    const seen: string[] = [];
    for (let complete = false; !complete; ) {
      const portion = recent.after(CHANNELS, seen.at(-1) ?? ZERO_ID, 95);
      expect(portion.messages.length).toBeGreaterThan(0);
      expect(portion.messages.length).toBeLessThanOrEqual(10);
      seen.push(...(idsOf(portion.messages) ?? []));
      complete = portion.complete;
    }
    expect(seen).toEqual(ids);
  });

  test('are gone after a reset, and go on from there', () => {
    const recent = new Recent(10_000);
    for (let i = 1; i <= 5; i++) recent.push(message(`1-${i}`));
    recent.reset('7-0');
    expect(recent.since).toBe('7-0');
    expect(recent.after(['a'], '7-0', 1000)).toEqual({ messages: [], complete: true });
    expect(recent.last('a', 1, NOW)).toBeUndefined();
    recent.push(message('8-0'));
    expect(idsOf(recent.last('a', 1, NOW))).toEqual(['8-0']);
    expect(recent.since).toBe('7-0');
  });
});

test('what has left memory is let go of', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const recent = new Recent(message('1-0').memoryBytes + CHANNEL_BYTES);
  const pushed = Array.from({ length: 10 }, (_, i) => {
    const each = message(`1-${i + 1}`);
    recent.push(each);
    return new WeakRef(each);
  });
  await setImmediate();
  gc();
  expect(pushed.filter((each) => each.deref() !== undefined)).toHaveLength(1);
  expect(recent.last('a', 1, NOW)).toHaveLength(1);
});
