import type { Browser, Page } from 'playwright-core';
import type { SseEvent } from './event-stream-parser.ts';
import { until } from './until.ts';

/** `readyState` of EventSource and WebSocket. */
export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSED = 2;

/** Runs in the page, which has no types of ours. */
const SCRIPT = `
  globalThis.kept = [];
  globalThis.openSource = (url, names, withCredentials) => {
    const source = new EventSource(url, { withCredentials });
    const seen = { source, opened: 0, failures: [], events: [] };
    const keep = (event) => {
      // Events may be called "open" and "error" too.
      if (event instanceof MessageEvent)
        seen.events.push({ type: event.type, data: event.data, lastEventId: event.lastEventId });
      else if (event.type === 'open') seen.opened++;
      else seen.failures.push(source.readyState);
    };
    for (const name of new Set(['open', 'error', 'message', ...names])) source.addEventListener(name, keep);
    return kept.push(seen) - 1;
  };
  globalThis.openSocket = (url, protocols) => {
    const source = new WebSocket(url, protocols);
    const seen = { source, texts: [], close: null };
    source.onmessage = ({ data }) => seen.texts.push(data);
    source.onclose = ({ code, reason, wasClean }) => { seen.close = { code, reason, wasClean }; };
    return kept.push(seen) - 1;
  };
  globalThis.ask = (url, init) => fetch(url, init).then(
    async (response) => ({
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text: await response.text(),
    }),
    () => null,
  );
`;

/** What a script learns of an answer; null when the browser lets it learn nothing. */
export type PageAnswer = { status: number; headers: Record<string, string>; text: string } | null;

/** How a WebSocket ended, as its page was told. */
export interface PageClose {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** A page in a browser, and what its script opens: streams, sockets and requests. */
export class BrowserPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Loads `url`, whose origin is that of all that the page asks for. Each page has a browser context of its own. */
  static async open(browser: Browser, url: string): Promise<BrowserPage> {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    await page.evaluate(SCRIPT);
    return new BrowserPage(page);
  }

  /** Opens an EventSource. A page hears only of the events whose names it gives; `message` is always among them. */
  async source(
    url: string,
    { names = [], withCredentials = false }: { names?: readonly string[]; withCredentials?: boolean } = {},
  ): Promise<PageSource> {
    const call = `openSource(${json(url)}, ${json(names)}, ${withCredentials})`;
    return new PageSource(this.page, await this.page.evaluate<number>(call));
  }

  async socket(url: string, protocols: readonly string[] = []): Promise<PageSocket> {
    return new PageSocket(this.page, await this.page.evaluate<number>(`openSocket(${json(url)}, ${json(protocols)})`));
  }

  /** `fetch` with its second argument. */
  ask(url: string, init: object = {}): Promise<PageAnswer> {
    return this.page.evaluate<PageAnswer>(`ask(${json(url)}, ${json(init)})`);
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}

/** What a page opened, by its place in `kept`. */
class Kept {
  readonly #page: Page;
  readonly #index: number;

  constructor(page: Page, index: number) {
    this.#page = page;
    this.#index = index;
  }

  protected evaluate<T>(what: string): Promise<T> {
    return this.#page.evaluate<T>(`((each) => ${what})(kept[${this.#index}])`);
  }

  readyState(): Promise<number> {
    return this.evaluate('each.source.readyState');
  }

  /** The page closes it; a WebSocket with a code. */
  close(code?: number): Promise<void> {
    return this.evaluate(`each.source.close(${code ?? ''})`);
  }
}

export class PageSource extends Kept {
  /** Its events, from one on. */
  events(from = 0): Promise<SseEvent[]> {
    return this.evaluate(`each.events.slice(${from})`);
  }

  /** How often it has been open. */
  opened(): Promise<number> {
    return this.evaluate('each.opened');
  }

  /** Its `readyState` at each `error` event. */
  failures(): Promise<number[]> {
    return this.evaluate('each.failures');
  }

  async untilOpen(): Promise<this> {
    await until(async () => (await this.opened()) > 0 || (await this.readyState()) === CLOSED, 'an answer');
    if ((await this.opened()) === 0) throw new Error('the stream was refused');
    return this;
  }

  /** Waits for so many events in all, and returns them. */
  async untilEvents(count: number): Promise<SseEvent[]> {
    await until(async () => (await this.evaluate<number>('each.events.length')) >= count, `${count} events`);
    return this.events();
  }

  /** Waits for the first `error`, and returns what the `readyState` was then. */
  async untilFailure(): Promise<number> {
    await until(async () => (await this.failures()).length > 0, 'the end of the stream');
    return (await this.failures())[0] as number;
  }
}

export class PageSocket extends Kept {
  /** Its messages, from one on. */
  texts(from = 0): Promise<string[]> {
    return this.evaluate(`each.texts.slice(${from})`);
  }

  protocol(): Promise<string> {
    return this.evaluate('each.source.protocol');
  }

  extensions(): Promise<string> {
    return this.evaluate('each.source.extensions');
  }

  send(text: string): Promise<void> {
    return this.evaluate(`each.source.send(${json(text)})`);
  }

  async untilTexts(count: number): Promise<string[]> {
    await until(async () => (await this.evaluate<number>('each.texts.length')) >= count, `${count} messages`);
    return this.texts();
  }

  /** Null while it is open. */
  closed(): Promise<PageClose | null> {
    return this.evaluate('each.close');
  }

  async untilClosed(): Promise<PageClose> {
    await until(async () => (await this.closed()) !== null, 'the close');
    return (await this.closed()) as PageClose;
  }
}

const json = (value: unknown): string => JSON.stringify(value);
