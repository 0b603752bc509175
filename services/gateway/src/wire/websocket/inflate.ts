import { inflateRawSync } from 'node:zlib';

/**
 * What is put behind a message: the end that its sender took off (RFC 7692, 7.2.2), and an empty last block, so that the
 * stream has an end and zlib tells when it is not reached: a message that breaks off inside a block is found.
 */
const TAIL = Buffer.from('0000ffff0300', 'hex');
/** How far back deflate can refer (RFC 1951, 3.2.5). */
const WINDOW_BYTES = 32_768;
/**
 * How many last blocks may come before a message's end. Senders need none, or one at each flush; every one takes an inflater
 * of its own (10 µs), and there could be one in every second byte.
 */
const MAX_LAST_BLOCKS = 16;
/** Bytes that are inflated at a time: too many for Buffer's pool, whose slabs live as long as anything in them does. */
const CHUNK_BYTES = 65_536;

/** Why a message has no bytes: it is not deflated data, or there are more bytes, or last blocks, than allowed. */
export type InflateProblem = 'invalid' | 'too_large';

/**
 * The bytes of a compressed message (RFC 7692, 7.2.2); `payload` is that of all its fragments. Any window is good. However
 * many bytes it would become, the memory that this takes is bounded by the payload and a few times `maxBytes`.
 */
export function inflateMessage(payload: Buffer, maxBytes: number): Buffer | InflateProblem {
  const input = Buffer.concat([payload, TAIL]);
  const parts: Buffer[] = [];
  let window: Buffer = Buffer.alloc(0);
  let at = 0;
  let bytes = 0;
  for (let lastBlocks = 0; lastBlocks <= MAX_LAST_BLOCKS; lastBlocks++) {
    const stream = inflateStream(input.subarray(at), maxBytes - bytes, window);
    if (typeof stream === 'string') return stream;
    at += stream.consumedBytes;
    bytes += stream.output.length;
    if (bytes > maxBytes) return 'too_large';
    parts.push(stream.output);
    if (at >= payload.length) return parts.length === 1 ? stream.output : Buffer.concat(parts);
    // A last block ends the stream, but not the message (RFC 7692, 7.2.3.4): the next goes on as if it had not been the last.
    window = Buffer.concat([window, stream.output.subarray(-WINDOW_BYTES)]).subarray(-WINDOW_BYTES);
  }
  return 'too_large';
}

/** Inflates up to the end of the first last block. */
function inflateStream(
  input: Buffer,
  maxBytes: number,
  dictionary: Buffer,
): { output: Buffer; consumedBytes: number } | InflateProblem {
  try {
    const inflated: unknown = inflateRawSync(input, {
      info: true,
      maxOutputLength: Math.max(1, maxBytes),
      chunkSize: CHUNK_BYTES,
      ...(dictionary.length === 0 ? {} : { dictionary }),
    });
    const { buffer, engine } = inflated as InflateInfo;
    return { output: buffer, consumedBytes: engine.bytesWritten };
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'ERR_BUFFER_TOO_LARGE':
        return 'too_large';
      case 'Z_DATA_ERROR': // cannot be
      case 'Z_BUF_ERROR': // breaks off
        return 'invalid';
      default:
        throw error;
    }
  }
}

/** What zlib gives when it is asked for `info`; the types leave it out. */
interface InflateInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
