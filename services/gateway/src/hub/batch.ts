import type { EncodedMessage, Format, GzipFormat } from '../wire/encoded-message.ts';
import { type GzipPiece, gzipPiece, joinPieces } from '../wire/gzip.ts';

const PLAIN = { 'sse-gzip': 'sse', 'sse-envelope-gzip': 'sse-envelope' } as const satisfies Record<GzipFormat, Format>;

/** Messages, oldest first, and the bytes of writing them all at once: joined once for each format, then shared. */
export class Batch {
  readonly #forMany: boolean;
  readonly messages: EncodedMessage[];
  #joined: { [format in Format]?: Buffer } | undefined;
  #pieces: { [format in GzipFormat]?: GzipPiece } | undefined;

  /** `forMany`: so many will have these bytes that packing them together, which packs better, is worth its time. */
  constructor(messages: EncodedMessage[] = [], forMany = false) {
    this.messages = messages;
    this.#forMany = forMany;
  }

  /** All messages as one run of bytes; those of a single message are shared, not copied. Call when the batch is whole. */
  bytes(format: Format): Buffer {
    const [first] = this.messages;
    if (first !== undefined && this.messages.length === 1) return first.bytes(format);
    this.#joined ??= {};
    this.#joined[format] ??= Buffer.concat(this.messages.map((message) => message.bytes(format)));
    return this.#joined[format];
  }

  /** All messages as one piece of a compressed stream, under the same rules. */
  piece(format: GzipFormat): GzipPiece {
    const [first] = this.messages;
    if (first !== undefined && this.messages.length === 1) return first.piece(format);
    this.#pieces ??= {};
    this.#pieces[format] ??= this.#forMany
      ? gzipPiece(this.bytes(PLAIN[format]))
      : joinPieces(this.messages.map((message) => message.piece(format)));
    return this.#pieces[format];
  }
}
