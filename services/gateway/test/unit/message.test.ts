import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  channelProblem,
  compareIds,
  eventProblem,
  idempotencyKeyProblem,
  idTime,
  isId,
  MAX_CHANNEL_LENGTH,
  MAX_EVENT_LENGTH,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  messageJson,
  namespaceOf,
  partitionOf,
  ZERO_ID,
} from '../../src/message.ts';

const MAX_UINT64 = 2n ** 64n - 1n;

/** An unsigned 64-bit number as digits, maybe with zeros in front, 20 digits at most. */
const digits = fc
  .tuple(fc.oneof(fc.bigInt(0n, MAX_UINT64), fc.bigInt(0n, 30n)), fc.nat(3))
  .map(([number, zeros]) => (number.toString().length + zeros <= 20 ? '0'.repeat(zeros) : '') + number.toString());
const id = fc.tuple(digits, digits).map(([time, sequence]) => `${time}-${sequence}`);

/** What compareIds must agree with. */
function place(text: string): [bigint, bigint] {
  const [time = '', sequence = ''] = text.split('-');
  return [BigInt(time), BigInt(sequence)];
}

function compareAsBigInts(a: string, b: string): number {
  const [timeA, sequenceA] = place(a);
  const [timeB, sequenceB] = place(b);
  if (timeA !== timeB) return timeA < timeB ? -1 : 1;
  if (sequenceA !== sequenceB) return sequenceA < sequenceB ? -1 : 1;
  return 0;
}

describe('channel names', () => {
  test.each(['a', 'orders:eu.42', 'A-Z_0.9:@', ':', '::a', 'constructor', '__proto__', '0', 'x'.repeat(200)])(
    '%j is good',
    (name) => {
      expect(channelProblem(name)).toBeUndefined();
    },
  );

  test.each(['', ' ', 'a b', 'a/b', 'a\n', '\0', 'ä', '＠', '😀', '\ud800', 'a,b', 'a*', 'a?', 'a%20', 'a\u200b'])(
    '%j is refused',
    (name) => {
      expect(channelProblem(name)).toBeTypeOf('string');
    },
  );

  test('the limit is 200 characters, and the message has the length', () => {
    expect(MAX_CHANNEL_LENGTH).toBe(200);
    expect(channelProblem('x'.repeat(201))).toContain('201');
  });

  test('the namespace is what stands before the first colon', () => {
    expect(namespaceOf('orders:eu:42')).toBe('orders');
    expect(namespaceOf('orders')).toBe('orders');
    expect(namespaceOf(':orders')).toBe('');
    expect(namespaceOf('orders:')).toBe('orders');
  });
});

describe('partitions', () => {
  const channel = fc.stringMatching(/^[A-Za-z0-9_.@-]{1,20}(:[A-Za-z0-9:]{0,10})?$/);

  test('a namespace lives on exactly one partition, and that one exists', () => {
    fc.assert(
      fc.property(channel, fc.integer({ min: 1, max: 64 }), (name, partitions) => {
        const partition = partitionOf(name, partitions);
        expect(partition).toBe(partitionOf(`${namespaceOf(name)}:anything`, partitions));
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });

  test('the hash is FNV-1a of 32 bits (its published test vectors)', () => {
    const prime = 4_294_967_291; // Above every small hash, so that little of the hash is lost.
    for (const [text, hash] of [
      ['', 0x811c9dc5],
      ['a', 0xe40c292c],
      ['foobar', 0xbf9cf968],
    ] as const)
      expect(partitionOf(`${text}:x`, prime)).toBe(hash % prime);
  });

  test('many namespaces come to every partition', () => {
    const used = new Set(Array.from({ length: 500 }, (_, i) => partitionOf(`customer-${i}:orders`, 16)));
    expect(used.size).toBe(16);
  });
});

describe('event names', () => {
  test.each([
    'order.updated',
    'message',
    ' spaces are kept ',
    ':',
    'a: b',
    '日本語',
    '😀',
    'fanfare',
    'Fanfare:x',
    '\u2028',
  ])('%j is good', (name) => {
    expect(eventProblem(name)).toBeUndefined();
  });

  test.each(['', 'a\nb', 'a\r', '\r\n', 'a\0b', '\ud800', 'x\udc00', 'fanfare:', 'fanfare:gap'])(
    '%j is refused',
    (name) => {
      expect(eventProblem(name)).toBeTypeOf('string');
    },
  );

  test('200 characters pass and 201 do not', () => {
    expect(eventProblem('e'.repeat(MAX_EVENT_LENGTH))).toBeUndefined();
    expect(eventProblem('e'.repeat(MAX_EVENT_LENGTH + 1))).toContain('201');
  });
});

describe('idempotency keys', () => {
  test('1–255 printable ASCII characters without spaces pass', () => {
    for (const key of ['k', '!~', '550e8400-e29b-41d4-a716-446655440000', 'k'.repeat(MAX_IDEMPOTENCY_KEY_LENGTH)])
      expect(idempotencyKeyProblem(key), key).toBeUndefined();
  });

  test.each(['', 'a b', 'a\n', '\0', 'ä', '\x7f', 'k'.repeat(MAX_IDEMPOTENCY_KEY_LENGTH + 1)])(
    '%j is refused',
    (key) => {
      expect(idempotencyKeyProblem(key)).toBeTypeOf('string');
    },
  );
});

describe('ids', () => {
  test.each([ZERO_ID, '1763600000000-7', `${MAX_UINT64}-${MAX_UINT64}`, '00000000000000000001-0', '007-01'])(
    '%s is one',
    (text) => {
      expect(isId(text)).toBe(true);
    },
  );

  test.each([
    '',
    '-',
    '1',
    '1-',
    '-1',
    '1-2-3',
    '1-2\n',
    ' 1-2',
    '+1-2',
    '1-0x2',
    '1e3-0',
    '١-٢',
    '0:1-2',
    '$',
    `${MAX_UINT64 + 1n}-0`,
    `0-${MAX_UINT64 + 1n}`,
    '100000000000000000000-0',
    '99999999999999999999-0',
    '000000000000000000000-0',
  ])('%j is none', (text) => {
    expect(isId(text)).toBe(false);
  });

  test('every pair of unsigned 64-bit numbers is one', () => {
    fc.assert(fc.property(id, isId));
  });

  test('the order of two is that of their numbers, whatever zeros stand in front', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(Math.sign(compareIds(a, b))).toBe(compareAsBigInts(a, b));
        expect(Math.sign(compareIds(b, a))).toBe(0 - compareAsBigInts(a, b));
      }),
      { numRuns: 2000 },
    );
  });

  test('sorting by it sorts the numbers', () => {
    fc.assert(
      fc.property(fc.array(id, { maxLength: 30 }), (ids) => {
        expect([...ids].sort(compareIds).map(place)).toEqual([...ids].sort(compareAsBigInts).map(place));
      }),
    );
  });

  test('numbers that a double cannot tell apart are told apart', () => {
    expect(compareIds('9007199254740993-0', '9007199254740992-0')).toBeGreaterThan(0);
    expect(compareIds('1-18446744073709551614', '1-18446744073709551615')).toBeLessThan(0);
    expect(compareIds('9-0', '10-0')).toBeLessThan(0);
    expect(compareIds('1-9', '1-10')).toBeLessThan(0);
    expect(compareIds('0-0', '00-000')).toBe(0);
  });

  test('the time is the part before the dash', () => {
    expect(idTime('1763600000000-7')).toBe(1_763_600_000_000);
  });
});

describe('a message as JSON', () => {
  test('has its members in the order of the contract, and the data as it was written', () => {
    const data = '{ "b":1e400,\n"a" : 9007199254740993, "a":"\\u0000\\ud800" }';
    expect(messageJson({ id: '1-0', channel: 'orders:eu', data })).toBe(
      `{"id":"1-0","channel":"orders:eu","data":${data}}`,
    );
  });

  test('an event name that needs escapes comes back as it was', () => {
    const event = 'a "quoted" \\ name\twith\u2028everything 😀';
    const text = messageJson({ id: '1-0', channel: 'a', event, data: 'null' });
    expect(JSON.parse(text)).toEqual({ id: '1-0', channel: 'a', event, data: null });
  });
});
