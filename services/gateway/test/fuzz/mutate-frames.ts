import { deflateRawSync } from 'node:zlib';
import { OPCODE } from '../../src/wire/websocket/frame.ts';
import { closePayload } from '../unit/wire/websocket/client.ts';
import { type Conversation, compress, type Frame, frameOf } from './conversation.ts';
import type { Random } from './random.ts';

/** Changes a conversation's frames before they become bytes. There is at least one; all that it touches it marks. */
type FrameMutation = (random: Random, frames: Frame[], other: () => Conversation) => void;

/** Lengths on the borders of their forms and of what numbers hold (RFC 6455, 5.2). */
const LENGTHS = [
  0,
  1,
  125,
  126,
  127,
  128,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const BAD_UTF8 = [
  '80',
  'bf',
  'c0',
  'c080',
  'c1bf',
  'c3',
  'c328',
  'e080af',
  'e282',
  'eda080',
  'edbfbf',
  'f08080af',
  'f09f8e',
  'f4908080',
  'f5808080',
  'fe',
  'ff',
  'fffe',
].map((hex) => Buffer.from(hex, 'hex'));

/** Zeros are compressed to a thousandth. */
const BOMB = deflateRawSync(Buffer.alloc(8 * 1024 * 1024), { finishFlush: 2 }).subarray(0, -4);

/** Compressed data that is wrong, made of data that is right. */
const WAYS_TO_BREAK: readonly ((random: Random, data: Buffer) => Buffer)[] = [
  (random) => random.bytes(random.below(60)),
  (random, data) => data.subarray(0, random.below(data.length + 1)),
  (random, data) => Buffer.concat([data, random.bytes(random.between(1, 9))]),
  (random, data) => {
    data[random.below(data.length)] = random.bits();
    return data;
  },
];

/** Mutations of frames as they are meant, by name. */
export const FRAME_MUTATIONS: Readonly<Record<string, FrameMutation>> = {
  'another opcode': (random, frames) => {
    const frame = change(random, frames);
    frame.opcode = (frame.opcode + random.between(1, 15)) % 16;
  },
  'reserved bits': (random, frames) => {
    change(random, frames).faults.reserved = random.between(1, 7);
  },
  'FIN the other way': (random, frames) => {
    const { faults } = change(random, frames);
    faults.fin = faults.fin === false;
  },
  'no mask': (random, frames) => {
    change(random, frames).faults.mask = undefined;
  },
  'a length that lies': (random, frames) => {
    const { payload, faults } = change(random, frames);
    faults.announcedLength = random.chance(0.5)
      ? Math.max(0, payload.length + random.pick([-2, -1, 1, 2, 3, 100]))
      : random.pick(LENGTHS);
  },
  'a length that is too long a form': (random, frames) => {
    const { payload, faults } = change(random, frames);
    faults.lengthBits = payload.length > 125 || random.chance(0.5) ? 64 : 16;
  },
  'bytes of the payload': (random, frames) => {
    const { payload } = change(random, frames);
    for (let left = random.between(1, 4); left > 0 && payload.length > 0; left--)
      payload[random.below(payload.length)] = random.bits();
  },
  'a shorter payload': (random, frames) => {
    const frame = change(random, frames);
    frame.payload = frame.payload.subarray(0, random.below(frame.payload.length + 1));
  },
  'a longer payload': (random, frames) => {
    const frame = change(random, frames);
    frame.payload = Buffer.concat([frame.payload, random.bytes(random.between(1, 20))]);
  },
  'compressed data that is none': (random, frames) => {
    const frame = change(random, frames);
    frame.payload = random.pick(WAYS_TO_BREAK)(random, compress(random, frame.payload));
    frame.faults.reserved = 0b100;
  },
  'a deflate bomb': (random, frames) => {
    const size = random.chance(0.5) ? BOMB.length : random.below(BOMB.length);
    put(
      random,
      frames,
      frameOf(random, random.pick([OPCODE.text, OPCODE.binary]), BOMB.subarray(0, size), { reserved: 0b100 }),
    );
  },
  'text that is not UTF-8': (random, frames) => {
    const frame = change(random, frames);
    const at = random.below(frame.payload.length + 1);
    frame.payload = Buffer.concat([
      frame.payload.subarray(0, at),
      random.pick(BAD_UTF8),
      frame.payload.subarray(random.chance(0.5) ? at : frame.payload.length),
    ]);
  },
  'a payload that is never sent': (random, frames) => {
    const frame = change(random, frames);
    frame.faults.announcedLength = random.pick([20_000, 65_536, 2 ** 20, 2 ** 26, 2n ** 40n]);
    frame.payload = frame.payload.subarray(0, random.below(200));
  },
  'many empty fragments': (random, frames) => {
    const first = frameOf(random, random.pick([OPCODE.continuation, OPCODE.text, OPCODE.binary]), '', { fin: false });
    const more = Array.from({ length: random.below(200) }, () =>
      frameOf(random, OPCODE.continuation, '', { fin: false }),
    );
    // One mutation, however many frames it is made of.
    first.mutated = true;
    frames.splice(random.below(frames.length + 1), 0, first, ...more);
  },
  'a control frame that is too long': (random, frames) => {
    const payload = Buffer.alloc(random.pick([126, 127, 1000, 70_000]));
    put(random, frames, frameOf(random, random.pick([OPCODE.close, OPCODE.ping, OPCODE.pong]), payload));
  },
  'a control frame in fragments': (random, frames) => {
    put(random, frames, frameOf(random, random.pick([OPCODE.close, OPCODE.ping, OPCODE.pong]), '', { fin: false }));
  },
  'a close frame': (random, frames) => {
    const payload = random.chance(0.2)
      ? random.bytes(random.below(4))
      : closePayload(
          random.below(random.chance(0.5) ? 5100 : 65_536),
          random.chance(0.3) ? random.pick(BAD_UTF8) : 'bye',
        );
    put(random, frames, frameOf(random, OPCODE.close, payload));
  },
  'a frame twice': (random, frames) => {
    const frame = random.pick(frames);
    put(random, frames, { ...frame, faults: { ...frame.faults }, payload: Buffer.from(frame.payload) });
  },
  'a frame less': (random, frames) => {
    const at = random.below(frames.length);
    const next = frames[at + 1] ?? frames[at - 1];
    if (next === undefined) return;
    next.mutated = true; // it comes where another was to come
    frames.splice(at, 1);
  },
  'two frames the other way round': (random, frames) => {
    const at = random.below(frames.length);
    const [one, two] = frames.slice(at, at + 2);
    if (one === undefined || two === undefined) return;
    frames.splice(at, 2, two, one);
    one.mutated = true;
    two.mutated = true;
  },
  'the rest of another conversation': (random, frames, other) => {
    const rest = other().frames;
    const tail = rest.slice(random.below(rest.length));
    for (const frame of tail) frame.mutated = true;
    frames.splice(random.below(frames.length + 1), frames.length, ...tail);
  },
};

function change(random: Random, frames: readonly Frame[]): Frame {
  const frame = random.pick(frames);
  frame.mutated = true;
  return frame;
}

function put(random: Random, frames: Frame[], frame: Frame): void {
  frame.mutated = true;
  frames.splice(random.below(frames.length + 1), 0, frame);
}
