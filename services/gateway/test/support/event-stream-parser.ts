/** One dispatched event, as WHATWG HTML 9.2.6 defines it. */
export interface SseEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

const LINE_END = /\r\n|\r|\n/g;
const DIGITS = /^[0-9]+$/;

/**
 * A reader of event streams, written from WHATWG HTML 9.2.5 and 9.2.6 alone, step by step. What is left over when the
 * bytes end was never an event.
 */
export class EventStreamParser {
  readonly events: SseEvent[] = [];
  /** Everything that has come, decoded. */
  text = '';
  /** The last event id, as of the last empty line. */
  lastEventId = '';
  reconnectionMilliseconds: number | undefined;
  /** "UTF-8 decode": drops one byte order mark at the very beginning, and makes U+FFFD of what is not UTF-8. */
  readonly #decoder = new TextDecoder();
  #endedWithCr = false;
  #line = '';
  #data = '';
  #type = '';
  #idBuffer = '';

  /** Reads the next bytes, cut off anywhere. */
  push(chunk: Uint8Array): void {
    const text = this.#decoder.decode(chunk, { stream: true });
    if (text === '') return;
    this.text += text;
    // A CR ends its line at once; an LF right behind it belongs to the same end.
    let at = this.#endedWithCr && text.startsWith('\n') ? 1 : 0;
    this.#endedWithCr = text.endsWith('\r');
    for (const { 0: end, index } of text.matchAll(LINE_END)) {
      if (index < at) continue;
      this.#read(this.#line + text.slice(at, index));
      this.#line = '';
      at = index + end.length;
    }
    this.#line += text.slice(at);
  }

  #read(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return;
    if (colon === -1) this.#field(line, '');
    else this.#field(line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1));
  }

  #field(name: string, value: string): void {
    if (name === 'event') this.#type = value;
    else if (name === 'data') this.#data += `${value}\n`;
    else if (name === 'id' && !value.includes('\0')) this.#idBuffer = value;
    else if (name === 'retry' && DIGITS.test(value)) this.reconnectionMilliseconds = Number(value);
  }

  #dispatch(): void {
    this.lastEventId = this.#idBuffer;
    const [data, type] = [this.#data, this.#type];
    this.#data = '';
    this.#type = '';
    if (data === '') return;
    this.events.push({ type: type || 'message', data: data.slice(0, -1), lastEventId: this.lastEventId });
  }
}
