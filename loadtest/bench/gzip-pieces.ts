import { constants, inflateRawSync } from 'node:zlib';
import { type Blocks, EMPTY_LINE, isHeartbeat, isMessage, type StreamEvents, upTo } from './stream-reader.ts';

/** What a gzip stream begins with (RFC 1952, 2.3.1): no block of deflate has such bits. */
const GZIP_HEADER = 0x1f;
const GZIP_HEADER_BYTES = 10;
/** A stored block of deflate that is not the last, and what comes before its text (RFC 1951, 3.2.4). */
const STORED = 0x00;
const STORED_HEAD_BYTES = 5;
/** What every deflated piece ends with. Inside of one it stands once in some 4 GB, by chance. */
const SYNC_FLUSH = '\x00\x00\xff\xff';

/**
 * The pieces of gzip streams as the gateway makes them: one stored block, or messages deflated together and flushed. One
 * reader for many streams: as they get the same pieces, it inflates each only once.
 */
export class GzipPieces implements Blocks {
  #inflated: Buffer = Buffer.alloc(0);
  #messages = 0;

  end(bytes: Buffer, start: number): number {
    if (bytes.length < start + STORED_HEAD_BYTES) return -1;
    if (bytes[start] === STORED) return upTo(bytes, start + STORED_HEAD_BYTES + bytes.readUInt16LE(start + 1));
    if (bytes[start] === GZIP_HEADER) return upTo(bytes, start + GZIP_HEADER_BYTES);
    const end = bytes.indexOf(SYNC_FLUSH, start, 'latin1');
    return end === -1 ? -1 : end + SYNC_FLUSH.length;
  }

  tell(piece: Buffer, events: StreamEvents): void {
    if (piece[0] === GZIP_HEADER) return;
    if (piece[0] !== STORED) return events.messages(piece, this.#messagesIn(piece));
    const text = piece.subarray(STORED_HEAD_BYTES);
    if (isMessage(text)) events.messages(piece, countEvents(text));
    else if (isHeartbeat(text)) events.heartbeat();
  }

  #messagesIn(piece: Buffer): number {
    if (!piece.equals(this.#inflated)) {
      this.#messages = countEvents(inflateRawSync(piece, { finishFlush: constants.Z_SYNC_FLUSH }));
      this.#inflated = Buffer.from(piece);
    }
    return this.#messages;
  }
}

function countEvents(text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(EMPTY_LINE, 0, 'latin1'); at !== -1; at = text.indexOf(EMPTY_LINE, at + 2, 'latin1'))
    count++;
  return count;
}
