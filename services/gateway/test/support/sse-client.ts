import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { until } from './until.ts';

/** One dispatched event, as WHATWG HTML 9.2.6 defines it. */
export interface SseEvent {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/**
 * A strict and plain reader of event streams, written from WHATWG HTML 9.2.6 alone: it keeps every byte, so that tests can
 * look at what browsers hide (comments, cursors that fire nothing, the end of the stream).
 */
export class SseClient {
  readonly events: SseEvent[] = [];
  text = '';
  lastEventId = '';
  retryMilliseconds: number | undefined;
  ended = false;
  status = 0;
  headers: IncomingMessage['headers'] = {};
  readonly #request: ClientRequest;
  #rest = '';
  #data: string[] = [];
  #type = '';
  #idBuffer = '';

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#request = get(url, { headers, agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      this.headers = response.headers;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => this.#read(chunk));
      response.on('error', () => this.#end());
      response.on('close', () => this.#end());
    });
    this.#request.on('error', () => this.#end());
  }

  /** The messages: every event that is not Fanfare's own. */
  get messages(): readonly SseEvent[] {
    return this.events.filter((event) => !event.type.startsWith('fanfare:'));
  }

  /** The events of one type. */
  of(type: string): readonly SseEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  /** Waits for the stream's preamble. */
  async open(): Promise<this> {
    await until(() => this.text.includes('\n\n') || this.ended, 'the stream to open');
    return this;
  }

  close(): void {
    this.#request.destroy();
    this.#end();
  }

  #end(): void {
    this.ended = true;
  }

  #read(chunk: string): void {
    if (this.ended) return;
    this.text += chunk;
    this.#rest += chunk;
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#type = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#idBuffer = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMilliseconds = Number(value);
  }

  #dispatch(): void {
    this.lastEventId = this.#idBuffer;
    if (this.#data.length > 0)
      this.events.push({ type: this.#type || 'message', data: this.#data.join('\n'), lastEventId: this.lastEventId });
    this.#data = [];
    this.#type = '';
  }
}
