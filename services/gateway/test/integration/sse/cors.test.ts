import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StandIn, startStandIn } from '../../../../../nginx/test/edge.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { BrowserPage, CLOSED } from '../../support/browser-page.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem, type HttpQuestion } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { head, RawSocket, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { SseClient } from '../../support/sse-client.ts';
import { launchChromium } from '../console/chromium.ts';

const APP = 'https://app.example';
const STRANGER = 'https://stranger.example';
const JSON_TYPE = { 'content-type': 'application/json' };
const EXPOSED = 'Idempotent-Replayed, Retry-After';

/** What a page of `APP` may do with the answer. */
const READABLE = {
  'access-control-allow-origin': APP,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': EXPOSED,
};

/** Where pages of another origin come from, in Chromium. */
let elsewhere: StandIn;
/** Takes pages of its own origin only. */
let closed: Gateway;
/** Takes those of `APP`, of the subdomains of sub.example, and of `elsewhere`; has room for three connections. */
let listed: Gateway;
/** Takes everybody's. */
let open: Gateway;
beforeAll(async () => {
  elsewhere = await startStandIn((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(),
  );
  const origins = `${APP}, https://*.sub.example, http://127.0.0.1:${elsewhere.port}`;
  [closed, listed, open] = await Promise.all([
    startGateway(),
    startGateway({ FANFARE_ALLOWED_ORIGINS: origins, FANFARE_MAX_CONNECTIONS: '3' }),
    startGateway({ FANFARE_ALLOWED_ORIGINS: '*' }),
  ]);
});
afterAll(async () => {
  for (const gateway of [closed, listed, open]) await gateway?.kill();
  await elsewhere?.stop();
});

const MESSAGES = '/v1/channels/a/messages';
const PREFLIGHT = {
  method: 'OPTIONS',
  headers: {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,idempotency-key',
  },
} satisfies HttpQuestion;

const from = (origin: string, question: HttpQuestion = {}): HttpQuestion => ({
  ...question,
  headers: { ...question.headers, origin },
});

/** The header fields of an answer that are about origins. */
const corsOf = (answer: { headers: NodeJS.Dict<string | string[]> }) =>
  Object.fromEntries(Object.entries(answer.headers).filter(([name]) => name.startsWith('access-control-')));

/** The same of a stream, whose answer does not end. */
async function streamCors(gateway: Gateway, origin: string, headers: Record<string, string> = {}) {
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=a`, { origin, ...headers }).open();
  client.close();
  expect(client.status).toBe(200);
  return { cors: corsOf(client), vary: client.headers.vary, text: client.text };
}

describe('pages of other origins, with no list', () => {
  test.for<[string, HttpQuestion]>([
    ['/v1/sse?channel=a', {}],
    ['/v1/sse?channel=a', { method: 'HEAD' }],
    ['/v1/sse', {}],
    [MESSAGES, {}],
    [MESSAGES, { method: 'POST', headers: JSON_TYPE, body: '{"data":1}' }],
    // What a page may send without a preflight.
    [MESSAGES, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"data":1}' }],
    [MESSAGES, PREFLIGHT],
    ['/v1/messages', { method: 'POST', headers: JSON_TYPE, body: '{"messages":[{"channel":"a","data":1}]}' }],
    ['/v1/openapi.json', {}],
    ['/v1/nothing', {}],
    ['/v1/ws', {}],
  ])('are refused, and may not even read that: %s %o', async ([path, question]) => {
    for (const origin of [
      STRANGER,
      'null',
      `http://127.0.0.1:${closed.port + 1}`,
      `https://x.127.0.0.1:${closed.port}`,
    ]) {
      const answer = await exchange(closed.url, path, from(origin, question));
      if (question.method === 'HEAD') expect(answer.status).toBe(403);
      else expect(expectProblem(answer, 'forbidden')).toContain(JSON.stringify(origin));
      expect(corsOf(answer)).toEqual({});
      expect(answer.headers.vary).toBe('Origin');
    }
  });

  test('have published nothing, and are counted', async () => {
    expect((await exchange(closed.url, MESSAGES)).json.messages).toEqual([]);
    const refused = () => metric(closed, 'fanfare_connections_refused_total', 'reason="forbidden"');
    const before = await refused();
    await exchange(closed.url, '/v1/sse?channel=a', from(STRANGER));
    const socket = new RawSocket(closed.port).send(head('GET /v1/ws', { ...WEBSOCKET_HEADERS, Origin: STRANGER }));
    expect((await socket.end()).text).toMatch(/^HTTP\/1\.1 403 /);
    await exchange(closed.url, MESSAGES, from(STRANGER));
    expect((await refused()) - before).toBe(2);
  });

  test('do not get around that by writing the path in another way', async () => {
    for (const path of ['/v%31/channels/a/messages', '/%76%31/channels/a/messages', 'http://x/v1/channels/a/messages'])
      for (const method of ['GET', 'POST']) {
        const body = method === 'POST' ? { body: '{"data":1}' } : {};
        const answer = await exchange(closed.url, path, {
          method,
          headers: { ...JSON_TYPE, origin: STRANGER },
          ...body,
        });
        expectProblem(answer, 'forbidden');
      }
  });

  test('may have the console, whose addresses are for everybody', async () => {
    expect((await exchange(closed.url, '/', from(STRANGER))).status).toBe(200);
  });

  test("the node's own pages, and all who are no pages, are served as ever", async () => {
    for (const headers of [{ origin: closed.url }, {}] as Record<string, string>[]) {
      const answer = await exchange(closed.url, MESSAGES, { headers });
      expect([answer.status, corsOf(answer), answer.headers.vary]).toEqual([200, {}, 'Origin']);
    }
    expect(await streamCors(closed, closed.url)).toMatchObject({ cors: {}, vary: 'Origin, Accept-Encoding' });
  });
});

describe('pages of an origin that is listed', () => {
  test('may read a stream, its head, and the goodbye of a node that is full', async () => {
    for (const headers of [{}, { 'accept-encoding': 'gzip' }])
      expect(await streamCors(listed, APP, headers)).toMatchObject({ cors: READABLE, vary: 'Origin, Accept-Encoding' });
    const answer = await exchange(listed.url, '/v1/sse?channel=a', from(APP, { method: 'HEAD' }));
    expect([answer.status, corsOf(answer)]).toEqual([200, READABLE]);

    const url = `${listed.url}/v1/sse?channel=a`;
    const others = await Promise.all([1, 2, 3].map(() => new SseClient(url).open()));
    const refused = await streamCors(listed, APP, { 'accept-encoding': 'gzip' });
    expect(refused).toMatchObject({ cors: READABLE, vary: 'Origin, Accept-Encoding' });
    expect(refused.text).toContain('fanfare:bye\ndata: {"reason":"full"}');
    for (const client of others) client.close();
  });

  test.for<[ErrorCode, string, HttpQuestion]>([
    ['invalid_channel', '/v1/sse?channel=a%2Fb', {}],
    ['invalid_request', '/v1/sse', {}],
    ['method_not_allowed', '/v1/sse', { method: 'POST' }],
    ['not_acceptable', '/v1/sse?channel=a', { headers: { accept: 'text/html' } }],
    ['invalid_request', '/v1/sse?channel=a', { body: 'body' }],
    ['invalid_json', MESSAGES, { method: 'POST', headers: JSON_TYPE, body: '{' }],
    ['not_found', '/v1/nothing', {}],
    ['method_not_allowed', MESSAGES, { method: 'DELETE' }],
    ['method_not_allowed', MESSAGES, { method: 'OPTIONS' }],
    ['too_large', MESSAGES, { method: 'POST', headers: JSON_TYPE, body: `{"data":"${'x'.repeat(70_000)}"}` }],
    ['too_large', MESSAGES, { method: 'POST', headers: JSON_TYPE, body: `{"data":"${'x'.repeat(200_000)}"}` }],
    ['unsupported_media_type', MESSAGES, { method: 'POST', body: '{"data":1}' }],
    ['upgrade_required', '/v1/ws', {}],
  ])('may read what is wrong: %s of %s', async ([code, path, question]) => {
    const answer = await exchange(listed.url, path, from(APP, question));
    expectProblem(answer, code);
    expect(corsOf(answer)).toEqual(READABLE);
    expect(answer.headers.vary).toMatch(/^Origin\b/);
  });

  test('may publish after a preflight, and learn that a message was a repetition', async () => {
    const preflight = await exchange(listed.url, MESSAGES, from(APP, PREFLIGHT));
    expect([preflight.status, preflight.text]).toEqual([204, '']);
    expect(corsOf(preflight)).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': EXPOSED,
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': 'authorization, content-type, idempotency-key, last-event-id, cache-control',
      'access-control-max-age': '7200',
    });
    expect(preflight.headers.vary).toBe('Origin');
    const post = from(APP, {
      method: 'POST',
      headers: { ...JSON_TYPE, 'idempotency-key': 'once' },
      body: '{"data":1}',
    });
    const [first, second] = [await exchange(listed.url, MESSAGES, post), await exchange(listed.url, MESSAGES, post)];
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.headers['idempotent-replayed']).toBe('true');
    for (const answer of [first, second]) expect(corsOf(answer)).toEqual(READABLE);
  });

  test('may be those of all subdomains, but not of the host itself, nor of one that only looks like it', async () => {
    for (const origin of ['https://a.sub.example', 'https://a.b.sub.example']) {
      const { headers } = await exchange(listed.url, MESSAGES, from(origin));
      expect(headers['access-control-allow-origin']).toBe(origin);
    }
    for (const origin of [
      'https://sub.example',
      'https://asub.example',
      'http://a.sub.example',
      'https://a.sub.example:444',
      'https://a.sub.example.org',
      'https://app.example.org',
      `${APP}:8443`,
      APP.replace('https', 'http'),
      'null',
    ]) {
      const answer = await exchange(listed.url, MESSAGES, from(origin));
      expectProblem(answer, 'forbidden');
      expect(corsOf(answer)).toEqual({});
    }
  });
});

describe('pages of any origin, where all may', () => {
  const OPEN = { 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED };

  test.each([STRANGER, 'null', 'chrome-extension://abc', 'nonsense'])(
    'are served without credentials: %s',
    async (origin) => {
      expect(await streamCors(open, origin)).toMatchObject({ cors: OPEN, vary: 'Origin, Accept-Encoding' });
      expect(corsOf(await exchange(open.url, '/v1/sse', from(origin)))).toEqual(OPEN);
      const preflight = await exchange(open.url, MESSAGES, from(origin, PREFLIGHT));
      expect([preflight.status, corsOf(preflight)]).toEqual([
        204,
        {
          ...OPEN,
          'access-control-allow-methods': 'GET, HEAD, POST',
          'access-control-allow-headers': 'authorization, content-type, idempotency-key, last-event-id, cache-control',
          'access-control-max-age': '7200',
        },
      ]);
    },
  );
});

describe('in Chromium, a page of another origin', () => {
  let browser: Browser;
  let page: BrowserPage;
  beforeAll(async () => {
    browser = await launchChromium();
    page = await BrowserPage.open(browser, `http://127.0.0.1:${elsewhere.port}/`);
  });
  afterAll(() => browser?.close());

  const post = (extra: object = {}) => ({
    method: 'POST',
    headers: { ...JSON_TYPE, 'idempotency-key': 'page' },
    body: '{"data":"from a page"}',
    ...extra,
  });

  test('that is listed has streams and sockets, publishes, and reads what went wrong, with credentials', async () => {
    const source = await page.source(`${listed.url}/v1/sse?channel=a`, { withCredentials: true });
    await source.untilOpen();
    const socket = await page.socket(`${listed.url.replace('http', 'ws')}/v1/ws?channel=a`);
    await socket.untilTexts(2);
    const credentials = { credentials: 'include' };
    const first = await page.ask(`${listed.url}${MESSAGES}`, post(credentials));
    const second = await page.ask(`${listed.url}${MESSAGES}`, post(credentials));
    expect([first?.status, second?.status]).toEqual([201, 200]);
    expect([first?.headers['idempotent-replayed'], second?.headers['idempotent-replayed']]).toEqual([
      undefined,
      'true',
    ]);
    expect((await source.untilEvents(1)).map(({ data }) => data)).toEqual(['"from a page"']);
    expect((await socket.untilTexts(3)).at(-1)).toContain('"data":"from a page"');
    for (const [path, init, code] of [
      ['/v1/sse', {}, 'invalid_request'],
      ['/v1/nothing', {}, 'not_found'],
      [MESSAGES, post({ body: '{' }), 'invalid_json'],
      [MESSAGES, post({ body: `{"data":"${'x'.repeat(70_000)}"}` }), 'too_large'],
    ] as const) {
      const answer = await page.ask(`${listed.url}${path}`, { ...init, ...credentials });
      expect(JSON.parse(answer?.text ?? '{}').code).toBe(code);
    }
    // What replacements for EventSource send that are made of fetch.
    const headers = { 'last-event-id': '1-0', authorization: 'Bearer a', 'cache-control': 'no-cache' };
    const stream = await page.ask(`${listed.url}/v1/sse?channel=a`, { method: 'HEAD', headers, ...credentials });
    expect(stream?.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await source.close();
    await socket.close();
  });

  test('that is not listed has nothing, and learns nothing', async () => {
    for (const withCredentials of [false, true]) {
      const source = await page.source(`${closed.url}/v1/sse?channel=a`, { withCredentials });
      expect(await source.untilFailure()).toBe(CLOSED);
    }
    const before = (await exchange(closed.url, MESSAGES)).text;
    expect(await page.ask(`${closed.url}${MESSAGES}`)).toBe(null);
    expect(await page.ask(`${closed.url}${MESSAGES}`, post())).toBe(null);
    // This one goes out without a preflight; the node itself must not take it.
    expect(
      await page.ask(`${closed.url}${MESSAGES}`, { method: 'POST', mode: 'no-cors', body: '{"data":1}' }),
    ).toMatchObject({
      status: 0,
      text: '',
    });
    expect((await exchange(closed.url, MESSAGES)).text).toBe(before);
    const socket = await page.socket(`${closed.url.replace('http', 'ws')}/v1/ws?channel=a`);
    expect(await socket.untilClosed()).toEqual({ code: 1006, reason: '', wasClean: false });
  });

  test('has all but credentials where everybody may', async () => {
    const source = await (await page.source(`${open.url}/v1/sse?channel=a`)).untilOpen();
    const socket = await page.socket(`${open.url.replace('http', 'ws')}/v1/ws?channel=a`);
    await socket.untilTexts(2);
    expect((await page.ask(`${open.url}${MESSAGES}`, post()))?.status).toBe(201);
    await publish(open.url, 'a', 'second');
    expect((await source.untilEvents(2)).map(({ data }) => data)).toEqual(['"from a page"', '"second"']);
    await socket.untilTexts(4);
    const refused = await page.source(`${open.url}/v1/sse?channel=a`, { withCredentials: true });
    expect(await refused.untilFailure()).toBe(CLOSED);
    expect(await page.ask(`${open.url}${MESSAGES}`, post({ credentials: 'include' }))).toBe(null);
    await source.close();
    await socket.close();
  });
});
