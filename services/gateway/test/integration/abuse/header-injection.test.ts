import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem, postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { head, RawSocket, readAnswer, WEBSOCKET_HEADERS } from '../../support/raw-socket.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

/** What would end a line, and begin one or an event of somebody else's making. */
const BREAKS = ['\r\n', '\r', '\n', '\n\n', '\0', '\u0085', '\u2028'];
const INJECTED = ['X-Injected: yes', 'event: fanfare:bye'];
const ATTACKS = BREAKS.flatMap((lineBreak) => INJECTED.map((line) => `a${lineBreak}${line}${lineBreak}${lineBreak}`));

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

/** What comes until the node closes, or for streams until their first empty line. */
async function answerTo(path: string, headers: Record<string, string> = {}): Promise<string> {
  const socket = new RawSocket(gateway.port).send(head(`GET ${path}`, { Connection: 'close', ...headers }));
  await until(
    () => socket.ended || /\r\n\r\n[\s\S]*\n\n/.test(socket.text) || socket.text.includes('"welcome"'),
    'an answer',
  );
  socket.close();
  return socket.text;
}

function expectNothingInjected(text: string): void {
  const { headers } = readAnswer(text);
  expect([...headers.keys()].filter((name) => name.includes('injected'))).toEqual([]);
  expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  for (const line of INJECTED) expect(text.split(/[\r\n]/)).not.toContain(line);
}

test.for(['/v1/sse', '/v1/ws'])('no parameter of %s gets into a header or a line of its own', async (path) => {
  const upgrade = path === '/v1/ws' ? WEBSOCKET_HEADERS : {};
  for (const attack of ATTACKS)
    for (const query of [
      `channel=${encodeURIComponent(attack)}`,
      `channel=a&after=${encodeURIComponent(attack)}`,
      `channel=a&last=${encodeURIComponent(attack)}`,
      `channel=a&format=${encodeURIComponent(attack)}`,
      `channel=a&${encodeURIComponent(attack)}=1`,
    ])
      expectNothingInjected(await answerTo(`${path}?${query}`, upgrade));
});

test('no part of a path gets into a header or a line of its own', async () => {
  for (const attack of ATTACKS) {
    expectNothingInjected(await answerTo(`/v1/${encodeURIComponent(attack)}`));
    const channel = `/v1/channels/${encodeURIComponent(attack)}/messages`;
    expectNothingInjected(await answerTo(channel));
    expectProblem(await postJson(gateway.url, channel, '{"data":1}'), 'invalid_channel');
  }
});

test('no header of a request gets into the answer: Last-Event-ID, Origin, Sec-WebSocket-Protocol, Idempotency-Key', async () => {
  for (const value of [
    'a\tX-Injected: yes',
    'a; X-Injected: yes',
    'a%0d%0aX-Injected: yes',
    'a\\r\\nX-Injected: yes',
    '\u0085X-Injected: yes',
  ]) {
    expectNothingInjected(await answerTo('/v1/sse?channel=a', { 'Last-Event-ID': value }));
    expectNothingInjected(await answerTo('/v1/openapi.json', { Origin: value }));
    expectNothingInjected(await answerTo('/v1/ws', { ...WEBSOCKET_HEADERS, Origin: value }));
    expectNothingInjected(await answerTo('/v1/ws', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Protocol': value }));
    expectNothingInjected(await answerTo('/v1/ws', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Extensions': value }));
  }
});

test('no event name or channel of a publish gets into an event stream as a line of its own', async () => {
  const stream = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=injected')).hears('\n\n');
  const publisher = await new WebSocketClient(`${gateway.url}/v1/ws`).open();
  for (const attack of ATTACKS.filter((text) => /[\r\n\0]/.test(text))) {
    const message = { event: attack, data: 1 };
    const one = await postJson(gateway.url, '/v1/channels/injected/messages', JSON.stringify(message));
    expectProblem(one, 'invalid_request');
    const many = JSON.stringify({
      messages: [
        { channel: 'injected', ...message },
        { channel: attack, data: 1 },
      ],
    });
    const { results } = (await postJson(gateway.url, '/v1/messages', many)).json;
    expect(results).toMatchObject([{ error: { code: 'invalid_request' } }, { error: { code: 'invalid_channel' } }]);
    const told = await publisher.ask({ type: 'publish', channel: 'injected', ...message });
    expect(told).toMatchObject({ type: 'error', code: 'invalid_request' });
    expect(await publisher.ask({ type: 'subscribe', channel: attack })).toMatchObject({ code: 'invalid_channel' });
  }
  // What ends no line there is carried.
  for (const event of ['a\u0085b', 'a\u2028b', 'a: b', ' data: b']) await publish(gateway.url, 'injected', 1, event);
  // And in the data everything is.
  for (const attack of ATTACKS) await publish(gateway.url, 'injected', attack);
  await publish(gateway.url, 'injected', 'the end');
  await stream.hears('data: "the end"\n\n');
  const lines = stream.text.slice(stream.text.indexOf('\r\n\r\n') + 4).split(/[\r\n]/);
  expect(lines.filter((line) => line.startsWith('event: ')).length).toBe(4);
  expect(lines.filter((line) => !/^(id|event|data|retry)?: |^$/.test(line))).toEqual([]);
  expect((await exchange(gateway.url, '/v1/channels/injected/messages')).json.messages).toHaveLength(
    5 + ATTACKS.length,
  );
  stream.close();
  publisher.close();
});
