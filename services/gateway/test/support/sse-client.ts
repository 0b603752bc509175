import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { EventStreamParser, type SseEvent } from './event-stream-parser.ts';
import { until } from './until.ts';

/**
 * A plain client of event streams that comes back for nobody. It keeps every byte, so that tests can look at what browsers
 * hide (comments, cursors that fire nothing, the end of the stream). A stream that is compressed, because `headers` asked
 * for that, is read as it comes.
 */
export class SseClient {
  ended = false;
  status = 0;
  headers: IncomingMessage['headers'] = {};
  readonly #request: ClientRequest;
  readonly #parser = new EventStreamParser();

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#request = get(url, { headers, agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      this.headers = response.headers;
      response.on('error', () => this.#end());
      const compressed = response.headers['content-encoding'] === 'gzip';
      const body = compressed ? response.pipe(createGunzip()) : response;
      body.on('data', (chunk: Buffer) => {
        if (!this.ended) this.#parser.push(chunk);
      });
      body.on('error', () => this.#end());
      body.on('close', () => this.#end());
    });
    this.#request.on('error', () => this.#end());
  }

  /** Everything that has come. */
  get text(): string {
    return this.#parser.text;
  }

  get events(): readonly SseEvent[] {
    return this.#parser.events;
  }

  get lastEventId(): string {
    return this.#parser.lastEventId;
  }

  get retryMilliseconds(): number | undefined {
    return this.#parser.reconnectionMilliseconds;
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
}
