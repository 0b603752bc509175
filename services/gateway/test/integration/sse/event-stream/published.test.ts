import fc from 'fast-check';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventProblem } from '../../../../src/message.ts';
import { BrowserPage } from '../../../support/browser-page.ts';
import type { SseEvent } from '../../../support/event-stream-parser.ts';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import { expectProblem, postJson } from '../../../support/http-exchange.ts';
import { SseClient } from '../../../support/sse-client.ts';
import { until } from '../../../support/until.ts';
import { WebSocketClient } from '../../../support/websocket-client.ts';
import { launchChromium } from '../../console/chromium.ts';

const KiB = 1024;

let gateway: Gateway;
let browser: Browser;
let page: BrowserPage;
beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), launchChromium()]);
  page = await BrowserPage.open(browser, `${gateway.url}/v1/openapi.json`);
});
afterAll(async () => {
  await browser?.close();
  await gateway?.kill();
});

/** A message as a publisher writes it: `data` is its source. */
interface Source {
  readonly event?: string;
  readonly data: string;
}

let channels = 0;

/**
 * Publishes at once, and returns what comes out, which must be the same of a plain stream, a compressed one, and
 * Chromium's EventSource, which asks for compression too.
 */
async function comesOut(messages: readonly Source[], format = 'raw'): Promise<SseEvent[]> {
  const channel = `published:${channels++}`;
  const path = `/v1/sse?channel=${channel}&format=${format}`;
  const url = `${gateway.url}${path}`;
  const [plain, gzip, source] = await Promise.all([
    new SseClient(url).open(),
    new SseClient(url, { 'accept-encoding': 'gzip' }).open(),
    page.source(path, { names: messages.flatMap(({ event }) => event ?? []) }).then((each) => each.untilOpen()),
  ]);
  try {
    const ids = await publishAll(channel, messages);
    await until(() => [plain, gzip].every((client) => client.messages.length >= messages.length), 'all messages');
    const events = await source.untilEvents(messages.length);
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(events.map(({ lastEventId }) => lastEventId)).toEqual(ids);
    expect(plain.messages).toEqual(events);
    expect(gzip.messages).toEqual(events);
    return events;
  } finally {
    plain.close();
    gzip.close();
    await source.close();
  }
}

async function publishAll(channel: string, messages: readonly Source[]): Promise<string[]> {
  const sources = messages.map(({ event, data }) => {
    const name = event === undefined ? '' : `"event":${JSON.stringify(event)},`;
    return `{"channel":"${channel}",${name}"data":${data}}`;
  });
  const answer = await postJson(gateway.url, '/v1/messages', `{"messages":[${sources.join(',')}]}`);
  expect(answer.status).toBe(200);
  return (answer.json.results as { id: string }[]).map(({ id }) => id);
}

const dataOf = async (sources: readonly string[]): Promise<string[]> =>
  (await comesOut(sources.map((data) => ({ data })))).map(({ data }) => data);

const withLineFeeds = (text: string): string => text.replaceAll(/\r\n|\r/g, '\n');

test('9.2.6: JSON comes out as the text that went in', async () => {
  const sources = [
    '""',
    'null',
    'true',
    '0',
    '-0',
    '1e400',
    '[1.0,1E3,1e+3,0.10,-0.0]',
    '9007199254740993',
    '0.1234567890123456789012345678901234567890',
    '{"b":1,"a":2,"10":3,"9":4}',
    '{"a":1,"a":2,"__proto__":{}}',
    '{ "a" :\t1 ,  "b":[ 1 , 2 ] }',
    '"\\u0041\\/\\n\\r\\"\\\\\\b\\f\\t"',
    '"\\u0000"',
    '{"\\u0000":"\\u0000\\u0000"}',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"',
    '"\u2028\u2029\u0085\u007f"',
    '"\ufeff"',
    '["\ufeff","a\ufeff"]',
    '{"\ufeffa":1}',
    '"\ufffd\ufffe\uffff"',
    '"🎺 👩‍👩‍👧‍👦 ファンファーレ e\u0301 \u{10ffff}"',
    '" data: a"',
    '"id: 9-9\\n\\nevent: fanfare:bye\\ndata: x"',
    '{"data:":": ","id: 1":[]}',
    `"${'x'.repeat(60 * KiB)}"`,
    `"${'é'.repeat(32 * KiB - 1)}"`,
    `"${'😀'.repeat(15 * KiB)}"`,
    `${'['.repeat(30 * KiB)}${']'.repeat(30 * KiB)}`,
    `[${' '.repeat(60 * KiB)}]`,
  ];
  const seen = await dataOf(sources);
  for (const [i, source] of sources.entries()) expect(seen[i] === source, source.slice(0, 80)).toBe(true);
});

test('9.2.6: JSON that spans lines comes out with LF for each line end, which means the same', async () => {
  const sources = [
    '{\n  "a": [\n    1,\n    2\n  ]\n}',
    '{\r\n"a":\r\n1\r\n}',
    '[\r1,\r\r2]',
    '[\n\r1,\r\n\r2,\n\n3]',
    '[\r\n]',
    '{\n}',
    '["a\\nb",\n" c"]',
    `[${'\n'.repeat(60 * KiB)}]`,
    `[${'\r\n'.repeat(30 * KiB)}"é"]`,
  ];
  const seen = await dataOf(sources);
  for (const [i, source] of sources.entries()) {
    expect(seen[i] === withLineFeeds(source), source.slice(0, 80)).toBe(true);
    expect(JSON.parse(seen[i] ?? '')).toEqual(JSON.parse(source));
  }
});

test('9.2.6: a message comes out whole of an envelope, which fires as a plain message', async () => {
  const messages: Source[] = [
    { event: 'order.updated', data: '{"b":1e400,\r\n"a":"\ufeff"}' },
    { event: ' "quoted" 🎺\\', data: '""' },
    { data: '"\\ud800"' },
  ];
  const events = await comesOut(messages, 'envelope');
  const channel = `published:${channels - 1}`;
  expect(events.map(({ type, data }) => ({ type, data }))).toEqual(
    messages.map(({ event, data }, i) => ({
      type: 'message',
      data: withLineFeeds(
        `{"id":"${events[i]?.lastEventId}","channel":"${channel}"${event === undefined ? '' : `,"event":${JSON.stringify(event)}`},"data":${data}}`,
      ),
    })),
  );
});

test('9.2.6: an event name comes out as it went in', async () => {
  const names = [
    'order.updated',
    'a:b',
    ':',
    ' ',
    ' a',
    '  a ',
    '\ta',
    '\ufeff',
    '\ufeffa',
    'a\ufeff',
    'é',
    '🎺',
    'message',
    'open',
    'error',
    'data: x',
    'fanfare',
    'Fanfare:bye',
    'a\u2028b\u2029c\u0085d',
    'a\u000bb\u000cc\u001bd\u007f',
    '"quoted"\\',
    '__proto__',
    'constructor',
    'x'.repeat(200),
    '😀'.repeat(100),
  ];
  const events = await comesOut(names.map((event, i) => ({ event, data: String(i) })));
  expect(events.map(({ type, data }) => [type, data])).toEqual(names.map((name, i) => [name, String(i)]));
});

test('9.2.6: an event name that could not come out is refused, and the publisher is told why', async () => {
  const reasons: readonly [string, RegExp][] = [
    ['"a\\rb"', /line break/],
    ['"a\\n"', /line break/],
    ['"\\r\\n"', /line break/],
    ['"a\\u000ab"', /line break/],
    ['"a\\u0000"', /NUL/],
    ['"\\u0000"', /NUL/],
    ['"\\ud800"', /surrogate/],
    ['"a\\udc00b"', /surrogate/],
    ['"\\ude00\\ud83d"', /surrogate/],
    ['""', /empty/],
    ['"fanfare:bye"', /reserved/],
    [`"${'x'.repeat(201)}"`, /201/],
    ['1', /string/],
    ['null', /string/],
  ];
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=refused`).open();
  const socket = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
  for (const [name, why] of reasons) {
    const answer = await postJson(gateway.url, '/v1/channels/refused/messages', `{"event":${name},"data":1}`);
    expect(expectProblem(answer, 'invalid_request')).toMatch(why);
    const batch = `{"messages":[{"channel":"refused","event":${name},"data":1}]}`;
    const { results } = (await postJson(gateway.url, '/v1/messages', batch)).json;
    const [result] = results as { error: { code: string; detail: string } }[];
    expect(result?.error.code).toBe('invalid_request');
    expect(result?.error.detail).toMatch(why);
    socket.socket.send(`{"type":"publish","channel":"refused","event":${name},"data":1}`);
  }
  await until(() => socket.of('error').length === reasons.length, 'an error for each');
  for (const [i, { code, detail }] of socket.of('error').entries()) {
    expect(code).toBe('invalid_request');
    expect(detail).toMatch(reasons[i]?.[1] as RegExp);
  }
  await postJson(gateway.url, '/v1/channels/refused/messages', '{"data":"last"}');
  await until(() => client.messages.length > 0, 'the last message');
  expect(client.messages.map(({ data }) => data)).toEqual(['"last"']);
  client.close();
  socket.close();
});

const space = fc.array(fc.constantFrom(' ', '\t', '\n', '\r', '\r\n'), { maxLength: 3 }).map((each) => each.join(''));
/** JSON as somebody might write it by hand: any text in its strings, any space between its tokens. */
const json: fc.Arbitrary<string> = fc.letrec<{ value: string; text: string }>((tie) => ({
  text: fc
    .array(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 5 }).map((each) => JSON.stringify(each).slice(1, -1)),
        fc.constantFrom('\ufeff', '\u2028', '\\u0000', '\\ud800', 'data: ', 'id:', ': ', '\\n\\n'),
      ),
      { maxLength: 4 },
    )
    .map((parts) => `"${parts.join('')}"`),
  value: fc.oneof(
    { maxDepth: 3 },
    tie('text'),
    fc.constantFrom('null', '1e400', '-0', '""'),
    fc
      .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
      .map((items) => `[${items.map((item) => item.join('')).join(',') || ' '}]`),
    fc
      .uniqueArray(fc.tuple(tie('text'), space, tie('value')), { maxLength: 4, selector: ([name]) => name })
      .map((members) => `{${members.map(([name, gap, value]) => `${gap}${name}${gap}:${value}`).join(',')}\r\n}`),
  ),
})).value;
const name = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 20 })
  .filter((each) => eventProblem(each) === undefined);
const source: fc.Arbitrary<Source> = fc.record({ event: name, data: json }, { requiredKeys: ['data'] });

test('9.2.6: any messages come out as they went in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(source, { minLength: 1, maxLength: 50 }), async (messages) => {
      const events = await comesOut(messages);
      expect(events.map(({ type, data }) => ({ type, data }))).toEqual(
        messages.map(({ event = 'message', data }) => ({ type: event, data: withLineFeeds(data) })),
      );
    }),
    { numRuns: 25 },
  );
});
