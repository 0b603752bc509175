/** Pieces of a stream of bytes; `cuts` are places in it, in any order. */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...[...cuts].sort((a, b) => a - b), bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}
