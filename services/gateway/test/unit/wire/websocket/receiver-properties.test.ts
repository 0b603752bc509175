import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OPCODE } from '../../../../src/wire/websocket/frame.ts';
import { Receiver } from '../../../../src/wire/websocket/receiver.ts';
import { COMPRESSED, clientFrame, closePayload, compress, Recorder, type Told } from './client.ts';

const MAX = 100_000;

interface Sent {
  bytes: Buffer;
  told: Told[];
}

const bytesOf = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

const mask = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));

const control: fc.Arbitrary<Sent> = fc
  .record({ name: fc.constantFrom('ping' as const, 'pong' as const), payload: bytesOf(125), mask })
  .map(({ name, payload, mask }) => {
    const hex = payload.toString('hex');
    return {
      bytes: clientFrame(OPCODE[name], payload, { mask }),
      told: [name === 'ping' ? { ping: hex } : { pong: hex }],
    };
  });

const payload = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  bytesOf(300),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((text) => text.repeat(400)),
);

/** A message, compressed or not, cut into fragments at random, with control frames in between. */
const message: fc.Arbitrary<Sent> = fc
  .record({
    payload,
    compressed: fc.boolean(),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
    between: fc.array(fc.array(control, { maxLength: 2 }), { maxLength: 4 }),
    masks: fc.array(mask, { minLength: 5, maxLength: 5 }),
  })
  .map(({ payload, compressed, cuts, between, masks }) => {
    const plain = Buffer.from(payload);
    const bytes = compressed ? compress(plain) : plain;
    const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length];
    const frames: Buffer[] = [];
    const told: Told[] = [];
    ends.forEach((end, i) => {
      const opcode = i > 0 ? OPCODE.continuation : typeof payload === 'string' ? OPCODE.text : OPCODE.binary;
      const fin = i === ends.length - 1;
      const faults = compressed && i === 0 ? COMPRESSED : {};
      frames.push(clientFrame(opcode, bytes.subarray(ends[i - 1] ?? 0, end), { ...faults, fin, mask: masks[i] }));
      if (fin) return;
      for (const each of between[i] ?? []) {
        frames.push(each.bytes);
        told.push(...each.told);
      }
    });
    told.push(typeof payload === 'string' ? { text: payload } : { binary: plain.toString('hex') });
    return { bytes: Buffer.concat(frames), told };
  });

const close: fc.Arbitrary<Sent> = fc
  .record({ code: fc.integer({ min: 3000, max: 4999 }), reason: fc.string({ unit: 'binary', maxLength: 30 }) })
  .map(({ code, reason }) => ({
    bytes: clientFrame(OPCODE.close, closePayload(code, reason)),
    told: [{ close: code, reason }],
  }));

const conversation: fc.Arbitrary<Sent> = fc
  .tuple(fc.array(fc.oneof(message, control), { maxLength: 6 }), fc.option(close))
  .map(([sent, end]) => {
    const all = end === null ? sent : [...sent, end];
    return { bytes: Buffer.concat(all.map((each) => each.bytes)), told: all.flatMap((each) => each.told) };
  });

/** How a stream is cut into chunks: these sizes, again and again. */
const chunkSizes = fc.oneof(
  fc.constant([1]),
  fc.constant([Number.MAX_SAFE_INTEGER]),
  fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5000 })), {
    minLength: 1,
    maxLength: 10,
  }),
);

function receive(bytes: Buffer, sizes: readonly number[], maxMessageBytes = MAX): Recorder {
  const handler = new Recorder();
  const receiver = new Receiver({ maxMessageBytes, deflate: true, handler });
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const end = Math.min(at + (sizes[i % sizes.length] ?? 1), bytes.length);
    receiver.push(Buffer.from(bytes.subarray(at, end))); // a copy, since the receiver unmasks in place
    at = end;
  }
  return handler;
}

function isLast(each: Told): boolean {
  return 'failed' in each || 'close' in each;
}

describe('any valid conversation', () => {
  test('is told as it was sent, however it is fragmented, interleaved and cut', () => {
    fc.assert(
      fc.property(conversation, chunkSizes, ({ bytes, told }, sizes) => {
        expect(receive(bytes, sizes).told).toEqual(told);
      }),
      { numRuns: 500 },
    );
  });
});

describe('any other stream', () => {
  const garbage = fc
    .array(
      fc.oneof(
        bytesOf(40),
        control.map((sent) => sent.bytes),
      ),
      { maxLength: 10 },
    )
    .map(Buffer.concat);
  /** Valid up to a point: some bytes of a conversation are changed. */
  const damaged = fc
    .tuple(conversation, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }))
    .map(([{ bytes }, changes]) => {
      for (const [place, change] of changes) {
        if (bytes.length === 0) break;
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
      }
      return bytes;
    });

  test('never makes the receiver throw, and ends it at most once', () => {
    fc.assert(
      fc.property(fc.oneof(garbage, damaged), chunkSizes, (bytes, sizes) => {
        const { told } = receive(bytes, sizes, 2000);
        const end = told.findIndex(isLast);
        expect(end === -1 || end === told.length - 1).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('is told the same however it is cut', () => {
    fc.assert(
      fc.property(fc.oneof(garbage, damaged), chunkSizes, chunkSizes, (bytes, sizes, others) => {
        expect(receive(bytes, sizes, 2000).told).toEqual(receive(bytes, others, 2000).told);
      }),
      { numRuns: 500 },
    );
  });
});
