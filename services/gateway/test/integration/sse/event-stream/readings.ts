import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Browser } from 'playwright-core';
import { expect } from 'vitest';
import { type StandIn, startStandIn } from '../../../../../../nginx/test/edge.ts';
import { BrowserPage } from '../../../support/browser-page.ts';
import { EventStreamParser, type SseEvent } from '../../../support/event-stream-parser.ts';
import { launchChromium } from '../../console/chromium.ts';

export const EVENT_STREAM = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } as const;

/** Answers a request; told which one of its path it is, from 0. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/**
 * A page in Chromium, and a server of its origin that answers what a test wants: with streams written by hand, read by
 * Chromium's EventSource and by the parser of test/support.
 */
export class Readings {
  readonly page: BrowserPage;
  readonly browser: Browser;
  readonly #server: StandIn;
  readonly #answers: Map<string, Answer>;
  #paths = 0;

  private constructor(browser: Browser, page: BrowserPage, server: StandIn, answers: Map<string, Answer>) {
    this.browser = browser;
    this.page = page;
    this.#server = server;
    this.#answers = answers;
  }

  static async start(): Promise<Readings> {
    const answers = new Map<string, Answer>();
    const counts = new Map<string, number>();
    const server = await startStandIn((request, response) => {
      const path = request.url ?? '';
      const count = counts.get(path) ?? 0;
      counts.set(path, count + 1);
      const answer = answers.get(path);
      if (answer === undefined) response.writeHead(200, { 'content-type': 'text/html' }).end();
      else answer(request, response, count);
    });
    const browser = await launchChromium();
    const page = await BrowserPage.open(browser, `http://127.0.0.1:${server.port}/`);
    return new Readings(browser, page, server, answers);
  }

  /** The page's. */
  get origin(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Where `answer` is given. */
  address(answer: Answer): string {
    const path = `/${this.#paths++}`;
    this.#answers.set(path, answer);
    return `${this.origin}${path}`;
  }

  /** The events of a whole stream, on which Chromium and the parser must agree, however the bytes are cut. */
  async read(stream: string | Buffer): Promise<readonly SseEvent[]> {
    const bytes = Buffer.from(stream);
    const { events } = parse([bytes]);
    expect(parse([...bytes].map((byte) => Buffer.from([byte]))).events).toEqual(events);
    const url = this.address((_request, response) => response.writeHead(200, EVENT_STREAM).end(bytes));
    const source = await this.page.source(url, { names: events.map(({ type }) => type) });
    await source.untilFailure();
    await source.close();
    expect(await source.events()).toEqual(events);
    return events;
  }

  /** What the data of a whole stream is, of those that fire as plain messages with no id. */
  async dataOf(stream: string | Buffer): Promise<readonly string[]> {
    const events = await this.read(stream);
    expect(events.filter(({ type, lastEventId }) => type !== 'message' || lastEventId !== '')).toEqual([]);
    return events.map(({ data }) => data);
  }

  /** `Last-Event-ID` as Chromium sends it when it comes back after a whole stream; undefined for none. */
  async lastEventIdAfter(stream: string): Promise<string | undefined> {
    const parser = parse([Buffer.from(stream)]);
    const asked: IncomingMessage[] = [];
    const url = this.address((request, response, count) => {
      asked.push(request);
      response.writeHead(200, EVENT_STREAM).end(count === 0 ? `retry: 1\n${stream}` : 'data: again\n\n');
    });
    const source = await this.page.source(url, { names: parser.events.map(({ type }) => type) });
    await source.untilEvents(parser.events.length + 1);
    await source.close();
    const header = asked[1]?.headers['last-event-id'] as string | undefined;
    expect(header ?? '').toBe(parser.lastEventId);
    return header;
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.#server.stop();
  }
}

export function parse(chunks: readonly Uint8Array[]): EventStreamParser {
  const parser = new EventStreamParser();
  for (const chunk of chunks) parser.push(chunk);
  return parser;
}
