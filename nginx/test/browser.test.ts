import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../../services/gateway/test/integration/console/chromium.ts';
import { type Gateway, metric, startGateway } from '../../services/gateway/test/support/gateway.ts';
import { publish } from '../../services/gateway/test/support/publish.ts';
import { until } from '../../services/gateway/test/support/until.ts';
import { deadPort, type Edge, startEdge, startStandIn } from './edge.ts';

/** A browser that found no node comes back 5–15 s later, and the machine may be slow. */
const PATIENCE = { timeout: 120_000 };

/** Far more than the six connections that a browser opens to an origin over HTTP/1.1. */
const STREAMS = 20;

let browser: Browser;
const stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function node(env: Record<string, string> = {}): Promise<Gateway> {
  const gateway = await startGateway(env);
  stops.push(() => gateway.kill());
  return gateway;
}

async function edgeTo(port: number, tls: boolean): Promise<Edge> {
  const edge = await startEdge([port], { tls });
  stops.push(() => edge.stop());
  return edge;
}

/** How many streams a node has. */
const connections = (gateway: Gateway) => metric(gateway, 'fanfare_connections', 'transport="sse"');

/** What a page knows of one of its streams. */
interface Stream {
  readonly readyState: number;
  readonly messages: readonly string[];
  readonly byes: number;
}

const CONNECTING = 0;
const OPEN = 1;

/** A page, and streams that it opens with EventSource. Its script runs in the browser, so it is a text here. */
class StreamsPage {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async open(context: BrowserContext, url: string): Promise<StreamsPage> {
    const page = await context.newPage();
    await page.goto(url);
    await page.evaluate(`
      globalThis.streams = [];
      globalThis.openStream = (url) => {
        const source = new EventSource(url, { withCredentials: true });
        const stream = { source, messages: [], byes: 0 };
        source.onmessage = (event) => stream.messages.push(event.data);
        source.addEventListener('fanfare:bye', () => stream.byes++);
        streams.push(stream);
      };
    `);
    return new StreamsPage(page);
  }

  async openStreams(url: string, count: number): Promise<void> {
    await this.#page.evaluate(`for (let i = 0; i < ${count}; i++) openStream(${JSON.stringify(url)})`);
  }

  /** Closes one that is open. */
  async closeStream(): Promise<void> {
    await this.#page.evaluate('streams.find(({ source }) => source.readyState === EventSource.OPEN).source.close()');
  }

  streams(): Promise<Stream[]> {
    return this.#page.evaluate(
      'streams.map(({ source, messages, byes }) => ({ readyState: source.readyState, messages, byes }))',
    );
  }

  async count(condition: (stream: Stream) => boolean): Promise<number> {
    return (await this.streams()).filter(condition).length;
  }

  async untilAll(condition: (stream: Stream) => boolean, what: string, seconds?: number): Promise<void> {
    await until(async () => (await this.streams()).every(condition), what, seconds);
  }

  /** Says something over a WebSocket and waits for the answer of the type `pong`. */
  async webSocketPong(url: string): Promise<void> {
    await this.#page.evaluate(`new Promise((resolve, reject) => {
      const socket = new WebSocket(${JSON.stringify(url)});
      socket.onopen = () => socket.send('{"type":"ping"}');
      socket.onmessage = ({ data }) => {
        if (JSON.parse(data).type === 'pong') socket.close(1000);
      };
      socket.onclose = ({ code }) => (code === 1000 ? resolve() : reject(new Error('closed with ' + code)));
    })`);
  }

  /** What a script of the page learns from a request with credentials. */
  ask(url: string): Promise<{ status: number; retryAfter: string | null; code: string }> {
    return this.#page.evaluate(`fetch(${JSON.stringify(url)}, { credentials: 'include' }).then(async (response) => ({
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      code: (await response.json()).code,
    }))`);
  }
}

async function open(url: string): Promise<StreamsPage> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  stops.push(() => context.close());
  return StreamsPage.open(context, url);
}

interface LogLine {
  readonly path: string;
  readonly protocol: string;
  readonly connection: number;
}

/** The lines of NGINX's access log about a path. */
const requests = (edge: Edge, path: string): LogLine[] =>
  edge.lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => line.path === path);

test('over TLS a page has twenty streams on one HTTP/2 connection, and a WebSocket beside them', async () => {
  const gateway = await node();
  const edge = await edgeTo(gateway.port, true);
  const page = await open(edge.url);
  await page.openStreams('/v1/sse?channel=news', STREAMS);
  await page.untilAll(({ readyState }) => readyState === OPEN, 'all streams to be open');
  expect(await connections(gateway)).toBe(STREAMS);

  await page.webSocketPong(edge.url.replace('https', 'wss').concat('/v1/ws'));
  await publish(gateway.url, 'news', 'for all');
  await page.untilAll(({ messages }) => messages.includes('"for all"'), 'the message on every stream');

  for (let i = 0; i < STREAMS; i++) await page.closeStream();
  // NGINX writes the line about a stream when it has ended.
  await until(() => requests(edge, '/v1/sse').length === STREAMS, 'a line for each stream in the log');
  expect(new Set(requests(edge, '/v1/sse').map(({ protocol }) => protocol))).toEqual(new Set(['HTTP/2.0']));
  const used = new Set(requests(edge, '/v1/sse').map(({ connection }) => connection));
  expect(used.size).toBe(1);
  const [webSocket] = requests(edge, '/v1/ws');
  expect(webSocket?.protocol).toBe('HTTP/1.1');
  expect(used.has(webSocket?.connection ?? 0)).toBe(false);
});

test('over plain HTTP/1.1 six streams are open, and each further one waits for one of them to close', async () => {
  const gateway = await node();
  const edge = await edgeTo(gateway.port, false);
  const page = await open(edge.url);
  await page.openStreams('/v1/sse?channel=news', STREAMS);
  const isOpen = ({ readyState }: Stream) => readyState === OPEN;
  for (let closed = 0; closed < 5; closed++) {
    await until(async () => (await page.count(isOpen)) === 6, 'six streams to be open');
    await publish(gateway.url, 'news', closed);
    await until(async () => (await page.count((stream) => stream.messages.includes(`${closed}`))) === 6, 'the message');
    expect(await page.count(isOpen)).toBe(6);
    await until(async () => (await connections(gateway)) === 6, 'six connections at the node');
    await page.closeStream();
  }
  expect(await page.count(({ readyState }) => readyState === CONNECTING)).toBeGreaterThan(0);
});

test('all streams of an HTTP/2 connection come back when the node is killed', PATIENCE, async () => {
  const first = await node();
  const edge = await edgeTo(first.port, true);
  const page = await open(edge.url);
  await page.openStreams('/v1/sse?channel=news', STREAMS);
  await page.untilAll(({ readyState }) => readyState === OPEN, 'all streams to be open');
  await first.kill();
  await page.untilAll(({ readyState }) => readyState === CONNECTING, 'all streams to be on their way back');
  const second = await node({ PORT: String(first.port) });
  await until(async () => (await connections(second)) === STREAMS, 'all streams to be at the node again', 60);
  await publish(second.url, 'news', 'after');
  await page.untilAll(({ messages }) => messages.includes('"after"'), 'the message on every stream');
});

test(
  'with no node a page of another origin is told goodbye, keeps trying, and is served when there is one',
  PATIENCE,
  async () => {
    const port = await deadPort();
    const edge = await edgeTo(port, false);
    const elsewhere = await startStandIn((_request, response) => response.end());
    stops.push(() => elsewhere.stop());
    const page = await open(`http://127.0.0.1:${elsewhere.port}/`);
    expect(await page.ask(`${edge.url}/v1/channels/news/messages`)).toEqual({
      status: 503,
      retryAfter: '2',
      code: 'unavailable',
    });
    await page.openStreams(`${edge.url}/v1/sse?channel=news`, 1);
    await page.untilAll(({ byes }) => byes === 1, 'the goodbye');
    await page.untilAll(({ readyState }) => readyState !== OPEN, 'the end of the answer');
    expect(await page.streams()).toMatchObject([{ readyState: CONNECTING }]);

    const returned = await startStandIn((request, response) => {
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'access-control-allow-origin': request.headers.origin,
        'access-control-allow-credentials': 'true',
      });
      response.write('data: welcome\n\n');
    }, port);
    stops.push(() => returned.stop());
    await page.untilAll(({ messages }) => messages.includes('welcome'), 'the stream to be served', 60);
  },
);
