import { constants, deflateRawSync } from 'node:zlib';
import { OPCODE } from '../../src/wire/websocket/frame.ts';
import { clientFrame, closePayload, type FrameFaults, type Told } from '../unit/wire/websocket/client.ts';
import type { Random } from './random.ts';

/** One frame as a client means to send it. */
export interface Frame {
  opcode: number;
  payload: Buffer;
  /** How it is written; by default right, with the example mask of RFC 6455, 5.7. */
  faults: FrameFaults;
  /** Whether a mutation made it, or changed something in it. */
  mutated: boolean;
}

/** What a client sends over one connection, and what a receiver tells of it if all of it is right. */
export interface Conversation {
  /** Whether permessage-deflate was negotiated. */
  readonly deflate: boolean;
  readonly frames: Frame[];
  readonly told: readonly Told[];
}

export interface Dialect {
  readonly deflate: boolean;
  /** Number of messages and control frames between them, at most. */
  readonly most: number;
  /** What a text message says. */
  readonly text: (random: Random) => string;
  /** Share of the messages that are binary. */
  readonly binary: number;
}

/** A conversation in which everything is right. */
export function conversation(random: Random, dialect: Dialect): Conversation {
  const frames: Frame[] = [];
  const told: Told[] = [];
  for (let left = random.between(1, dialect.most); left > 0; left--)
    if (random.chance(0.2)) addControl(random, frames, told);
    else addMessage(random, dialect, frames, told);
  if (random.chance(0.3)) addClose(random, frames, told);
  return { deflate: dialect.deflate, frames, told };
}

/** The bytes of a frame. */
export function encode({ opcode, payload, faults }: Frame): Buffer {
  return clientFrame(opcode, payload, faults);
}

/** A frame that is right as far as it is meant to be. */
export function frameOf(random: Random, opcode: number, payload: Buffer | string, faults: FrameFaults = {}): Frame {
  return {
    opcode,
    payload: Buffer.from(payload),
    faults: { mask: [...random.bytes(4)], ...faults },
    mutated: false,
  };
}

const ALPHABETS = [
  'abcdefghijklmnopqrstuvwxyz ',
  'äöüßéñøþ',
  '日本語の文字列',
  '🎺🧭🫖👩‍🚀',
  '\0\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufeff\ufffd\uffff\u{10000}\u{10ffff}\u2028',
].map((alphabet) => [...alphabet]);

/** Text with characters of one to four bytes of UTF-8, and the first and last of each length. */
export function anyText(random: Random): string {
  const characters = random.pick(ALPHABETS);
  const length = anyLength(random);
  let text = '';
  for (let bytes = 0; bytes < Math.min(length, 200); bytes = Buffer.byteLength(text)) text += random.pick(characters);
  return text.length === 0 ? text : text.repeat(Math.ceil(length / Buffer.byteLength(text)));
}

/** In bytes. Mostly short; now and then on the borders of the frame's three forms of a length (RFC 6455, 5.2). */
function anyLength(random: Random): number {
  if (random.chance(0.7)) return random.below(40);
  if (random.chance(0.7)) return random.between(120, 130);
  if (random.chance(0.98)) return random.below(2000);
  return random.between(65_530, 65_540);
}

function addMessage(random: Random, dialect: Dialect, frames: Frame[], told: Told[]): void {
  const isBinary = random.chance(dialect.binary);
  const text = isBinary ? '' : dialect.text(random);
  const message = isBinary ? random.bytes(anyLength(random)) : Buffer.from(text);
  const isCompressed = dialect.deflate && random.chance(0.5);
  const payload = isCompressed ? compress(random, message) : message;
  const ends = cuts(random, payload.length);
  ends.forEach((end, i) => {
    const opcode = i > 0 ? OPCODE.continuation : isBinary ? OPCODE.binary : OPCODE.text;
    const fin = i === ends.length - 1;
    const reserved = isCompressed && i === 0 ? 0b100 : 0;
    frames.push(frameOf(random, opcode, payload.subarray(ends[i - 1] ?? 0, end), { fin, reserved }));
    if (!fin && random.chance(0.3)) addControl(random, frames, told);
  });
  told.push(isBinary ? { binary: message.toString('hex') } : { text });
}

/** Where the fragments of a payload end. */
function cuts(random: Random, length: number): number[] {
  if (random.chance(0.6)) return [length];
  const ends = Array.from({ length: random.between(1, 5) }, () => random.below(length + 1));
  return [...ends.sort((a, b) => a - b), length];
}

const { Z_FINISH, Z_FIXED, Z_FULL_FLUSH, Z_HUFFMAN_ONLY, Z_RLE, Z_SYNC_FLUSH } = constants;

/** A message as clients compress it (RFC 7692, 7.2.1), in all the ways that zlib has for it. */
export function compress(random: Random, message: Buffer): Buffer {
  if (random.chance(0.15)) {
    // A last block, and the empty one that then must follow (7.2.3.4), without its end.
    return Buffer.concat([deflateRawSync(message, { finishFlush: Z_FINISH }), Buffer.alloc(1)]);
  }
  const options = {
    level: random.pick([0, 1, 6, 9]),
    windowBits: random.between(9, 15),
    strategy: random.pick([0, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE]),
    finishFlush: random.pick([Z_SYNC_FLUSH, Z_FULL_FLUSH]),
  };
  return deflateRawSync(message, options).subarray(0, -4);
}

function addControl(random: Random, frames: Frame[], told: Told[]): void {
  const payload = random.bytes(random.chance(0.9) ? random.below(20) : random.between(120, 125));
  const hex = payload.toString('hex');
  const isPing = random.chance(0.5);
  frames.push(frameOf(random, isPing ? OPCODE.ping : OPCODE.pong, payload));
  told.push(isPing ? { ping: hex } : { pong: hex });
}

function addClose(random: Random, frames: Frame[], told: Told[]): void {
  if (random.chance(0.2)) {
    frames.push(frameOf(random, OPCODE.close, ''));
    told.push({ close: 1005, reason: '' });
    return;
  }
  const code = random.pick([1000, 1001, 1003, 1011, 3000, 4000, 4999]);
  const reason = random.pick(['', 'bye', 'adiós 🧭']);
  frames.push(frameOf(random, OPCODE.close, closePayload(code, reason)));
  told.push({ close: code, reason });
}
