import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ErrorCode } from '../../../src/errors.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem, type HttpQuestion, postJson } from '../../support/http-exchange.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';

const KiB = 1024;
const ONE = '/v1/channels/refused/messages';
const MANY = '/v1/messages';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterEach(async () => {
  expect(gateway.process.exitCode).toBe(null);
  const { json } = await exchange(gateway.url, '/v1/channels/refused/messages');
  expect(json.messages).toEqual([]);
});
afterAll(() => gateway?.kill());

test.for<[string, string, string, RegExp]>([
  ['an object that is not closed', ONE, '{"data":1', /position 9|line 1 column 10/],
  ['a comma too many', ONE, '{"data":1,}', /position 10/],
  ['a word that is no JSON', ONE, '{"data":undefined}', /position 8|undefined/],
  ['a comment', ONE, '{"data":1}// one', /position 10/],
  ['two values', ONE, '{"data":1}{"data":2}', /position 10/],
  ['a line break inside of a string', ONE, '{"data":"a\nb"}', /position 10/],
  ['a number with a leading zero', ONE, '{"data":01}', /position 9/],
  ['NaN', MANY, '{"messages":[NaN]}', /\[NaN\]/],
  ['nothing but space', ONE, ' \n', /./],
])('malformed JSON is invalid_json and names the place: %s', async ([, path, body, place]) => {
  expect(expectProblem(await postJson(gateway.url, path, body), 'invalid_json')).toMatch(place);
});

test.for<[string, Buffer]>([
  ['a byte that never stands in UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['half of a surrogate pair', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ['an overlong form', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  ['a character cut off', Buffer.from([0x22, 0xe2, 0x82, 0x22])],
])('a body that is not UTF-8 is invalid_json: %s', async ([, data]) => {
  const body = Buffer.concat([Buffer.from('{"data":'), data, Buffer.from('}')]);
  expect(expectProblem(await postJson(gateway.url, ONE, body), 'invalid_json')).toContain('UTF-8');
});

test.for<[string, HttpQuestion]>([
  ['with the content type', { headers: { 'content-type': 'application/json' }, body: '' }],
  ['without one', { body: '' }],
  ['with no length at all', {}],
  ['chunked', { headers: { 'content-type': 'application/json' }, body: '', chunked: true }],
])('an empty body is invalid_json: %s', async ([, question]) => {
  for (const path of [ONE, MANY])
    expectProblem(await exchange(gateway.url, path, { method: 'POST', ...question }), 'invalid_json');
});

test.for([
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json5',
  'application/problem+json',
  'nonsense',
])('a body of the type %s is unsupported_media_type', async (type) => {
  const answer = await postJson(gateway.url, ONE, '{"data":1}', { 'content-type': type });
  expectProblem(answer, 'unsupported_media_type');
});

test('a body without a content type is unsupported_media_type', async () => {
  const answer = await exchange(gateway.url, ONE, { method: 'POST', body: '{"data":1}' });
  expectProblem(answer, 'unsupported_media_type');
});

test('the content type may be written in any case and with a charset', async () => {
  for (const type of ['APPLICATION/JSON', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"'])
    expect(
      (await postJson(gateway.url, '/v1/channels/type/messages', '{"data":1}', { 'content-type': type })).status,
    ).toBe(201);
});

test.for<[string, string, string, string]>([
  ['no data', ONE, '{}', '"data"'],
  ['data in another case', ONE, '{"Data":1}', '"Data"'],
  ['an unknown member', ONE, '{"data":1,"chanel":"x"}', '"chanel"'],
  ['the channel in the body too', ONE, '{"data":1,"channel":"refused"}', '"channel"'],
  ['the key in the body', ONE, '{"data":1,"idempotencyKey":"k"}', '"idempotencyKey"'],
  ['__proto__ as a member', ONE, '{"data":1,"__proto__":{}}', '"__proto__"'],
  ['a member that stands twice', ONE, '{"data":1,"data":2}', '"data"'],
  ['a member that stands twice, once escaped', ONE, '{"data":1,"d\\u0061ta":2}', '"data"'],
  ['an array', ONE, '[]', 'object'],
  ['null', ONE, 'null', 'object'],
  ['a string', ONE, '"data"', 'object'],
  ['an event that is a number', ONE, '{"data":1,"event":1}', '"event"'],
  ['an event that is null', ONE, '{"data":1,"event":null}', '"event"'],
  ['an empty event', ONE, '{"data":1,"event":""}', '"event"'],
  ['an event of 201 characters', ONE, `{"data":1,"event":"${'e'.repeat(201)}"}`, '201'],
  ['an event with a line feed', ONE, '{"data":1,"event":"a\\nb"}', '"event"'],
  ['an event with a carriage return', ONE, '{"data":1,"event":"a\\rb"}', '"event"'],
  ['an event with half a surrogate pair', ONE, '{"data":1,"event":"\\ud83d"}', '"event"'],
  ['a reserved event', ONE, '{"data":1,"event":"fanfare:bye"}', 'fanfare:'],
  ['a batch without messages', MANY, '{}', 'messages'],
  ['a batch that is an array', MANY, '[]', 'object'],
  ['messages that are an object', MANY, '{"messages":{}}', 'messages'],
  ['messages that are null', MANY, '{"messages":null}', 'messages'],
  ['messages that stand twice', MANY, '{"messages":[],"messages":[{"channel":"refused","data":1}]}', '"messages"'],
  [
    'an unknown member beside messages',
    MANY,
    '{"messages":[{"channel":"refused","data":1}],"atomic":true}',
    '"atomic"',
  ],
])(
  'a request that is not as described is invalid_request and names what is wrong: %s',
  async ([, path, body, named]) => {
    expect(expectProblem(await postJson(gateway.url, path, body), 'invalid_request')).toContain(named);
  },
);

test.for<[string, string]>([
  ['an encoded slash', 'a%2Fb'],
  ['an encoded space', 'a%20b'],
  ['a plus sign', 'a+b'],
  ['an encoded NUL', 'a%00b'],
  ['an encoded line break', 'a%0Ab'],
  ['a letter outside of ASCII', '%C3%A9'],
  ['201 characters', 'x'.repeat(201)],
  ['3000 characters', 'x'.repeat(3000)],
  ['9000 characters', 'x'.repeat(9000)],
  ['nothing', ''],
])('a bad channel name is invalid_channel: %s', async ([, name]) => {
  const path = `/v1/channels/${name}/messages`;
  expectProblem(await postJson(gateway.url, path, '{"data":1}'), 'invalid_channel');
  expectProblem(await exchange(gateway.url, path), 'invalid_channel');
});

test.for(['%ff', '%', '%zz', 'a%C3'])('a channel name that is no percent-encoded UTF-8 is a 400: %s', async (name) => {
  const path = `/v1/channels/${name}/messages`;
  for (const answer of [await postJson(gateway.url, path, '{"data":1}'), await exchange(gateway.url, path)]) {
    expect(['invalid_channel', 'invalid_request']).toContain(answer.json.code);
    expectProblem(answer, answer.json.code as ErrorCode);
  }
});

test('an unknown query parameter of a publish is refused like any other typo', async () => {
  for (const path of [`${ONE}?event=x`, `${MANY}?wait=1`]) {
    const body = path.startsWith(ONE) ? '{"data":1}' : '{"messages":[{"channel":"refused-query","data":1}]}';
    const answer = await postJson(gateway.url, path.replace('refused', 'refused-query'), body);
    expectProblem(answer, 'invalid_request');
  }
});

const OVER: [string, string, string][] = [
  ['one message', ONE, `{"data":"${'x'.repeat(64 * KiB + 20 * KiB)}"}`],
  ['a batch', MANY, `{"messages":[{"channel":"refused","data":"${'x'.repeat(64 * 64 * KiB)}"}]}`],
];

test.for(OVER)('a body over the limit is too_large, with a length or chunked: %s', async ([, path, body]) => {
  const type = { 'Content-Type': 'application/json' };
  const whole = head(`POST ${path}`, { ...type, 'Content-Length': String(body.length) }) + body;
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  for (const request of [whole, head(`POST ${path}`, { ...type, 'Transfer-Encoding': 'chunked' }) + chunk]) {
    const socket = await new RawSocket(gateway.port).send(request).hears('"detail"');
    expect(socket.text).toMatch(/^HTTP\/1\.1 413 [\s\S]*"code":"too_large"/);
    socket.close();
  }
});

test("Node's fetch gets to read why its body was refused, however much too large it was", async () => {
  for (const [, path, body] of OVER)
    for (let i = 0; i < 10; i++) {
      const response = await fetch(gateway.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: body + ' '.repeat(4 * 1024 * KiB),
      });
      expect((await response.json()) as object).toMatchObject({ code: 'too_large' });
    }
});

test('a batch just within its limit is read, and each message judged by its own', async () => {
  const over = `{"channel":"refused","data":"${'x'.repeat(64 * KiB)}"}`;
  const good = `{"channel":"within","data":"${'x'.repeat(64 * KiB - 2)}"}`;
  const answer = await postJson(gateway.url, MANY, `{"messages":[${over},${good}]}`);
  const results = answer.json.results as { error?: { code: string } }[];
  expect(results.map(({ error }) => error?.code)).toEqual(['too_large', undefined]);
});

test('a string of four megabytes in a batch is told to be too large, and harms nothing', async () => {
  const most = 64 * 64 * KiB;
  const start = '{"messages":[{"channel":"refused","data":"';
  for (const filling of ['x', '\\n', '🎺']) {
    const room = most - start.length - 4;
    const data = filling.repeat(Math.floor(room / Buffer.byteLength(filling)));
    const answer = await postJson(gateway.url, MANY, `${start}${data}"}]}`);
    expect(answer.status).toBe(200);
    expect((answer.json.results as { error: { code: string } }[])[0]?.error.code).toBe('too_large');
  }
});

test('nesting as deep as the limit allows is carried or refused, and harms nothing', async () => {
  const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  expect((await postJson(gateway.url, '/v1/channels/deep/messages', `{"data":${deep(32 * KiB)}}`)).status).toBe(201);
  const batch = await postJson(gateway.url, MANY, `{"messages":[{"channel":"refused","data":${deep(2000 * KiB)}}]}`);
  expect((batch.json.results as { error: { code: string } }[])[0]?.error.code).toBe('too_large');
});

test.for([
  '/v1',
  '/v1/',
  '/v1/channels',
  '/v1/channels/a',
  '/v1/nothing',
  '/v2/messages',
  '/v1/messages/',
  '/v1/SSE',
  '/x',
])('there is no %s', async (path) => {
  expect(expectProblem(await exchange(gateway.url, path), 'not_found')).toContain(path);
  expectProblem(await postJson(gateway.url, path, '{"data":1}'), 'not_found');
  expectProblem(await exchange(gateway.url, path, { method: 'POST', body: 'x' }), 'not_found');
});

test.for<[string, readonly string[]]>([
  [ONE, ['GET', 'HEAD', 'POST']],
  [MANY, ['POST']],
  ['/v1/sse?channel=a', ['GET', 'HEAD']],
  ['/v1/ws', ['GET', 'HEAD']],
  ['/v1/openapi.json', ['GET', 'HEAD']],
])('every other method on %s is method_not_allowed, and Allow names those that are', async ([path, allowed]) => {
  const others = [
    'PUT',
    'DELETE',
    'PATCH',
    'OPTIONS',
    'PROPFIND',
    'TRACE',
    ...(allowed.includes('POST') ? [] : ['POST']),
  ];
  for (const method of others) {
    const answer = await exchange(gateway.url, path, { method });
    expectProblem(answer, 'method_not_allowed');
    expect(answer.headers.allow?.split(', ').sort()).toEqual([...allowed].sort());
  }
});

test('a method that is not allowed is told before anything about the body', async () => {
  for (const [type, body] of [
    ['text/plain', 'x'],
    ['application/json', '{'],
  ] as const) {
    const answer = await exchange(gateway.url, MANY, { method: 'PUT', headers: { 'content-type': type }, body });
    expectProblem(answer, 'method_not_allowed');
  }
});
