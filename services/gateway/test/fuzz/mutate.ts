import { type Conversation, encode } from './conversation.ts';
import { FRAME_MUTATIONS } from './mutate-frames.ts';
import type { Random } from './random.ts';

/** A frame as bytes; or what is left of one. */
export interface Piece {
  bytes: Buffer;
  mutated: boolean;
}

/** What is really sent. */
export interface Mutated {
  readonly pieces: readonly Piece[];
  /** What was done to it. */
  readonly mutations: readonly string[];
}

/** Changes frames after they have become bytes; there is at least one, none of them empty. */
type ByteMutation = (random: Random, pieces: Piece[]) => void;

/** Mutations of bytes, by name. */
const BYTE_MUTATIONS: Readonly<Record<string, ByteMutation>> = {
  'bits flipped': (random, pieces) => {
    const { bytes } = change(random, pieces);
    for (let left = random.between(1, 4); left > 0; left--) {
      // Heads are short, and where most can go wrong.
      const at = random.below(random.chance(0.5) ? Math.min(14, bytes.length) : bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
  },
  'bytes put in': (random, pieces) => {
    const piece = change(random, pieces);
    const at = random.below(piece.bytes.length + 1);
    const more = random.bytes(random.between(1, 8));
    piece.bytes = Buffer.concat([piece.bytes.subarray(0, at), more, piece.bytes.subarray(at)]);
  },
  'bytes left out': (random, pieces) => {
    const piece = change(random, pieces);
    const at = random.below(piece.bytes.length);
    const end = at + random.between(1, 8);
    piece.bytes = Buffer.concat([piece.bytes.subarray(0, at), piece.bytes.subarray(end)]);
  },
  'a frame that breaks off': (random, pieces) => {
    const piece = change(random, pieces);
    piece.bytes = piece.bytes.subarray(0, random.below(piece.bytes.length));
  },
  'a stream that breaks off': (random, pieces) => {
    const at = random.below(pieces.length);
    const [piece] = pieces.splice(at);
    if (piece !== undefined)
      pieces.push({ bytes: piece.bytes.subarray(0, random.below(piece.bytes.length)), mutated: true });
  },
  garbage: (random, pieces) => {
    pieces.splice(random.below(pieces.length + 1), 0, { bytes: random.bytes(random.between(1, 60)), mutated: true });
  },
};

/** One to three mutations of a conversation, which is used up. `other` makes another one of its kind. */
export function mutate(random: Random, sent: Conversation, other: () => Conversation): Mutated {
  const mutations: string[] = [];
  const { frames } = sent;
  const names = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => random.pick(NAMES));
  for (const name of names) {
    const mutation = FRAME_MUTATIONS[name];
    if (mutation === undefined || frames.length === 0) continue;
    mutation(random, frames, other);
    mutations.push(name);
  }
  const pieces = frames.map((frame): Piece => ({ bytes: encode(frame), mutated: frame.mutated }));
  for (const name of names) {
    const mutation = BYTE_MUTATIONS[name];
    const whole = pieces.filter(({ bytes }) => bytes.length > 0);
    if (mutation === undefined || whole.length === 0) continue;
    pieces.splice(0, pieces.length, ...whole);
    mutation(random, pieces);
    mutations.push(name);
  }
  return { pieces: pieces.filter(({ bytes }) => bytes.length > 0), mutations };
}

const NAMES = [...Object.keys(FRAME_MUTATIONS), ...Object.keys(BYTE_MUTATIONS)];

function change(random: Random, pieces: readonly Piece[]): Piece {
  const piece = random.pick(pieces);
  piece.mutated = true;
  return piece;
}
