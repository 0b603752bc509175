import type { Readable } from 'node:stream';

/** A line longer than this is passed on in pieces, so that a part that writes no line break cannot fill the memory. */
const MAX_LINE_CHARACTERS = 64 * 1024;

/** Calls `onLine` with each line of a part's output, without its line break. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    if (rest.length > MAX_LINE_CHARACTERS) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('close', () => {
    if (rest !== '') onLine(rest);
    rest = '';
  });
  // A pipe whose other end was killed: its end has been told by the process already.
  stream.on('error', () => {});
}

/** The last few lines that were added, oldest first. */
export class LastLines {
  readonly #lines: string[] = [];
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  add(line: string): void {
    if (line.trim() === '') return;
    this.#lines.push(line.trim());
    if (this.#lines.length > this.#count) this.#lines.shift();
  }

  toString(): string {
    return this.#lines.join(' | ');
  }
}
