import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem, postJson } from '../../support/http-exchange.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

const KiB = 1024;

let gateway: Gateway;
let sse: SseClient;
let websocket: WebSocketClient;
beforeAll(async () => {
  gateway = await startGateway();
  sse = await new SseClient(`${gateway.url}/v1/sse?channel=data`).open();
  websocket = await new WebSocketClient(`${gateway.url}/v1/ws?channel=data`).open();
});
afterAll(async () => {
  sse?.close();
  websocket?.close();
  await gateway?.kill();
});

/** Publishes and returns the message as every transport brought it, as text. */
async function carried(data: string): Promise<{ sse: string; http: string; websocket: string }> {
  const answer = await postJson(gateway.url, '/v1/channels/data/messages', `{"data":${data}}`);
  expect(answer.status).toBe(201);
  const id = String(answer.json.id);
  const ofSse = () => sse.messages.find((message) => message.lastEventId === id);
  const ofWebSocket = () => websocket.texts.find((text) => text.includes(`"id":"${id}"`));
  await until(() => ofSse() !== undefined && ofWebSocket() !== undefined, 'the message on both transports');
  const http = await exchange(gateway.url, '/v1/channels/data/messages?limit=1000');
  const start = http.text.indexOf(`{"id":"${id}"`);
  return { sse: ofSse()?.data ?? '', websocket: ofWebSocket() ?? '', http: http.text.slice(start) };
}

test.for([
  ['a number past the range of doubles', '1e400'],
  ['a whole number past 2^53', '9007199254740993'],
  ['many digits', '0.1234567890123456789012345678901234567890'],
  ['the sign of zero and the form of a number', '[-0,1.0,1E3,1e+3,0.10]'],
  ['the order of keys, and keys that look like numbers', '{"b":1,"a":2,"10":3,"9":4}'],
  ['keys that stand twice inside of data', '{"a":1,"a":2}'],
  ['keys that are special in JavaScript', '{"__proto__":{"x":1},"constructor":null}'],
  ['spaces and tabs', '{ "a" :\t1 ,  "b":[ 1 , 2 ] }'],
  ['escapes as they were written', '"\\u0041\\/\\n\\"\\\\"'],
  ['escaped halves of surrogate pairs', '"\\ud83d \\ude00 \\ud83d"'],
  ['emoji and other scripts', '"🎺 ファンファーレ \u2028\u2029 é"'],
  ['brackets and quotes inside of strings', '["}]{[\\"","\\\\",","]'],
  ['an empty string', '""'],
  ['null', 'null'],
  ['false', 'false'],
  ['deep nesting', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
])('data is carried as it was written: %s', async ([, data]) => {
  const seen = await carried(data as string);
  expect(seen.sse).toBe(data);
  expect(seen.websocket.endsWith(`,"data":${data}}`)).toBe(true);
  expect(seen.http.includes(`,"data":${data}}`)).toBe(true);
});

test('data that spans lines comes as one data line each, and is joined again by the client', async () => {
  const data = '{\n  "a": [\r\n1,\r2]\n}';
  const seen = await carried(data);
  expect(seen.sse).toBe('{\n  "a": [\n1,\n2]\n}');
  expect(sse.text).toContain('data: {\ndata:   "a": [\ndata: 1,\ndata: 2]\ndata: }\n\n');
  expect(seen.websocket).toContain(data);
  expect(seen.http).toContain(data);
});

test('space around data is not part of it', async () => {
  expect((await carried(' \n 1 \t')).sse).toBe('1');
});

test('data of exactly the limit passes, one byte more does not, counted in bytes of UTF-8', async () => {
  const ofBytes = (bytes: number): string => `"é${'x'.repeat(bytes - 4)}"`;
  expect((await carried(ofBytes(64 * KiB))).sse).toHaveLength(64 * KiB - 1);
  const over = await postJson(gateway.url, '/v1/channels/data/messages', `{"data":${ofBytes(64 * KiB + 1)}}`);
  expect(expectProblem(over, 'too_large')).toContain('65537');
});

test('an event name may have any character but line breaks, and is carried as it is', async () => {
  const event = 'büro: 🎺 "x" \\ ';
  await postJson(gateway.url, '/v1/channels/data/messages', JSON.stringify({ event, data: 'named' }));
  await until(() => sse.messages.some(({ data }) => data === '"named"'), 'the message');
  expect(sse.messages.find(({ data }) => data === '"named"')?.type).toBe(event);
  await until(() => websocket.of('message').some(({ data }) => data === 'named'), 'the message');
  expect(websocket.of('message').find(({ data }) => data === 'named')?.event).toBe(event);
});
