/** The two transports of the gateway. */
export type Transport = 'sse' | 'websocket';

export const TRANSPORTS: readonly Transport[] = ['sse', 'websocket'];

/** What a stream brought. A block is shared memory: copy what must live longer than the call. */
export interface StreamEvents {
  messages(block: Buffer, count: number): void;
  heartbeat(): void;
}

/** One kind of blocks. */
export interface Blocks {
  /** Where the block that begins at `start` ends, or −1 when its end has not come. */
  end(bytes: Buffer, start: number): number;
  tell(block: Buffer, events: StreamEvents): void;
}

const NOTHING = Buffer.alloc(0);
/** The end of an event, and of the line before it. */
export const EMPTY_LINE = '\n\n';

/**
 * Cuts the bytes of a stream into blocks (an SSE event, a piece of a gzip stream, a WebSocket frame) and tells messages and
 * heartbeats apart: with as little work as that takes, for the clients share the machine with what is measured.
 */
export class StreamReader {
  readonly #blocks: Blocks;
  /** The beginning of a block whose end has not come yet. */
  #rest: Buffer = NOTHING;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  push(chunk: Buffer, events: StreamEvents): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = this.#blocks.end(bytes, start); end !== -1; end = this.#blocks.end(bytes, start)) {
      this.#blocks.tell(bytes.subarray(start, end), events);
      start = end;
    }
    this.#rest = start === bytes.length ? NOTHING : Buffer.from(bytes.subarray(start));
  }
}

/** Events; the empty line that ends one is part of it. */
export const EVENTS: Blocks = {
  end(bytes, start) {
    const end = bytes.indexOf(EMPTY_LINE, start, 'latin1');
    return end === -1 ? -1 : end + EMPTY_LINE.length;
  },
  tell(event, events) {
    if (isMessage(event)) events.messages(event, 1);
    else if (isHeartbeat(event)) events.heartbeat();
  },
};

const TEXT = 0x81;
/** The gateway compresses nothing but messages (RFC 7692, 7.2.1: RSV1). */
const COMPRESSED_TEXT = 0xc1;
const PING = 0x89;

/** Whole, unmasked frames (RFC 6455, section 5.2). */
export const FRAMES: Blocks = {
  end(bytes, start) {
    if (bytes.length < start + 2) return -1;
    const length = bytes.readUInt8(start + 1);
    if (length < 126) return upTo(bytes, start + 2 + length);
    if (length === 126) return bytes.length < start + 4 ? -1 : upTo(bytes, start + 4 + bytes.readUInt16BE(start + 2));
    return bytes.length < start + 10 ? -1 : upTo(bytes, start + 10 + Number(bytes.readBigUInt64BE(start + 2)));
  },
  tell(frame, events) {
    if (frame[0] === PING) events.heartbeat();
    else if (frame[0] === COMPRESSED_TEXT || (frame[0] === TEXT && saysMessage(frame))) events.messages(frame, 1);
  },
};

function saysMessage(frame: Buffer): boolean {
  return frame.toString('latin1', 2, 30).includes('{"type":"message"');
}

/** −1 when so many have not come. */
export function upTo(bytes: Buffer, end: number): number {
  return end > bytes.length ? -1 : end;
}

/** An event that carries a message begins with its `id:` field. */
export function isMessage(event: Buffer): boolean {
  return event[0] === 0x69;
}

/** A heartbeat is a comment. */
export function isHeartbeat(event: Buffer): boolean {
  return event.toString('latin1', 0, 11) === ': heartbeat';
}
