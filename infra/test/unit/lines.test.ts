import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { LastLines, readLines } from '../../cluster/lines.ts';

async function linesOf(chunks: readonly (string | Buffer)[]): Promise<string[]> {
  const stream = new PassThrough();
  const lines: string[] = [];
  readLines(stream, (line) => lines.push(line));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await finished(stream);
  await new Promise(setImmediate);
  return lines;
}

test('lines are put together from pieces, also where a character is cut', async () => {
  const euro = Buffer.from('€');
  const pieces = ['on', 'e\ntw', 'o\r\n', euro.subarray(0, 1), euro.subarray(1), '\n\nlast'];
  expect(await linesOf(pieces)).toEqual(['one', 'two', '€', '', 'last']);
});

test('a line without an end is passed on in pieces before it fills the memory', async () => {
  const lines = await linesOf(Array.from({ length: 20 }, () => 'x'.repeat(10_000)));
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.join('')).toBe('x'.repeat(200_000));
});

test('the last lines are kept, without empty ones', () => {
  const last = new LastLines(2);
  for (const line of ['one', ' two ', '', 'three', '  ']) last.add(line);
  expect(String(last)).toBe('two | three');
});
