/** The two transports of the gateway. */
export type Transport = 'sse' | 'websocket';

export const TRANSPORTS: readonly Transport[] = ['sse', 'websocket'];

/** What a stream brought. A block is shared memory: copy what must live longer than the call. */
export interface StreamEvents {
  message(block: Buffer): void;
  heartbeat(): void;
}

const NOTHING = Buffer.alloc(0);

/**
 * Cuts the bytes of a stream into blocks (an SSE event, a WebSocket frame) and tells messages and heartbeats apart:
 * with as little work as that takes, for the clients share the machine with what is measured.
 */
export class StreamReader {
  readonly #transport: Transport;
  /** The beginning of a block whose end has not come yet. */
  #rest: Buffer = NOTHING;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  push(chunk: Buffer, events: StreamEvents): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const endOfBlock = this.#transport === 'sse' ? endOfEvent : endOfFrame;
    const tell = this.#transport === 'sse' ? tellEvent : tellFrame;
    let start = 0;
    for (let end = endOfBlock(bytes, start); end !== -1; end = endOfBlock(bytes, start)) {
      tell(bytes.subarray(start, end), events);
      start = end;
    }
    this.#rest = start === bytes.length ? NOTHING : Buffer.from(bytes.subarray(start));
  }
}

/** Where the event that begins at `start` ends (the empty line is part of it), or −1 when its end has not come. */
function endOfEvent(bytes: Buffer, start: number): number {
  const end = bytes.indexOf('\n\n', start, 'latin1');
  return end === -1 ? -1 : end + 2;
}

/** A message begins with its `id:` field; a heartbeat is a comment. */
function tellEvent(event: Buffer, events: StreamEvents): void {
  if (event[0] === 0x69) events.message(event);
  else if (event.toString('latin1', 0, 11) === ': heartbeat') events.heartbeat();
}

/** Where the unmasked frame that begins at `start` ends (RFC 6455, section 5.2), or −1 when its end has not come. */
function endOfFrame(bytes: Buffer, start: number): number {
  if (bytes.length < start + 2) return -1;
  const length = bytes.readUInt8(start + 1);
  let end = start + 2 + length;
  if (length === 126) {
    if (bytes.length < start + 4) return -1;
    end = start + 4 + bytes.readUInt16BE(start + 2);
  } else if (length === 127) {
    if (bytes.length < start + 10) return -1;
    end = start + 10 + Number(bytes.readBigUInt64BE(start + 2));
  }
  return end > bytes.length ? -1 : end;
}

const TEXT = 0x81;
const PING = 0x89;

function tellFrame(frame: Buffer, events: StreamEvents): void {
  if (frame[0] === PING) events.heartbeat();
  else if (frame[0] === TEXT && frame.toString('latin1', 2, 30).includes('{"type":"message"')) events.message(frame);
}
