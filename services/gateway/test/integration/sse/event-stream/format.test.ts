import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../../support/gateway.ts';
import { exchange, postJson } from '../../../support/http-exchange.ts';
import { head, RawSocket } from '../../../support/raw-socket.ts';
import { SseClient } from '../../../support/sse-client.ts';
import { until } from '../../../support/until.ts';
import { EVENT_STREAM, parse, Readings } from './readings.ts';

let gateway: Gateway;
let readings: Readings;
beforeAll(async () => {
  [gateway, readings] = await Promise.all([startGateway(), Readings.start()]);
});
afterAll(async () => {
  await readings?.stop();
  await gateway?.kill();
});

let channels = 0;

/** A message as a publisher writes it: `data` is its source. */
interface Source {
  readonly event?: string;
  readonly data: string;
}

/** What the node writes for messages that are published one after the other: bytes, and their ids. */
async function written(...messages: readonly Source[]): Promise<{ bytes: Buffer; text: string; ids: string[] }> {
  const channel = `format:${channels++}`;
  const socket = await new RawSocket(gateway.port).send(head(`GET /v1/sse?channel=${channel}`)).hears('\n\n');
  const start = socket.bytes.length;
  const ids: string[] = [];
  for (const { event, data } of messages) {
    const name = event === undefined ? '' : `"event":${JSON.stringify(event)},`;
    const answer = await postJson(gateway.url, `/v1/channels/${channel}/messages`, `{${name}"data":${data}}`);
    expect(answer.status).toBe(201);
    ids.push(String(answer.json.id));
  }
  const written = () => socket.bytes.subarray(start);
  await until(() => parse([written()]).events.length === messages.length, 'all messages');
  socket.close();
  return { bytes: written(), text: written().toString(), ids };
}

test('9.2.5: the type of a stream is text/event-stream, and the only charset that it may name is utf-8', async () => {
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=type`).open();
  client.close();
  expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  const typed = async (type: string) => {
    const url = readings.address((_request, response) =>
      response.writeHead(200, { ...EVENT_STREAM, 'content-type': type }).end('data: ü\n\n'),
    );
    const source = await readings.page.source(url);
    await source.untilFailure();
    await source.close();
    return (await source.events()).map(({ data }) => data);
  };
  expect(await typed('text/event-stream; charset=utf-8')).toEqual(['ü']);
  expect(await typed('Text/Event-Stream;charset="UTF-8"')).toEqual(['ü']);
  expect(await typed('text/plain')).toEqual([]);
});

test('9.2.5: a stream is UTF-8, and its characters may be cut anywhere', async () => {
  expect(await readings.dataOf('data: é€𝄞🎺\n\n')).toEqual(['é€𝄞🎺']);
  const { bytes, ids } = await written({ event: 'grüße', data: '"é€𝄞🎺"' });
  expect(bytes).toEqual(Buffer.from(`id: ${ids[0]}\nevent: grüße\ndata: "é€𝄞🎺"\n\n`, 'utf8'));
});

test('9.2.5: one byte order mark at the very beginning is dropped, any other is text', async () => {
  expect(await readings.dataOf('\ufeffdata: a\n\ndata: \ufeffb\n\n\ufeffdata: c\n\n')).toEqual(['a', '\ufeffb']);
  expect(await readings.dataOf('\ufeff\ufeffdata: a\n\n')).toEqual([]);
  const socket = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=bom')).hears('\n\n');
  socket.close();
  expect(socket.text).toContain('\r\n\r\n: fanfare\n');
  const { text, ids } = await written({ event: '\ufeffa', data: '"\ufeff"' });
  expect(text).toBe(`id: ${ids[0]}\nevent: \ufeffa\ndata: "\ufeff"\n\n`);
});

test('9.2.5: a line ends with CR LF, with CR or with LF; the node writes LF only', async () => {
  expect(await readings.dataOf('data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\rdata: e\n\n')).toEqual([
    'a\nb\nc',
    'd',
    'e',
  ]);
  expect(await readings.dataOf('data: a\r\n\ndata: b\n\r\ndata: c\r\n\r\n')).toEqual(['a', 'b', 'c']);
  const { bytes } = await written({ data: '{\r\n"a":\r1,\n"b":\n\r2}' });
  expect(bytes.includes('\r')).toBe(false);
});

test('9.2.5: no other character ends a line', async () => {
  const others = '\0\t\v\f\x1c\x1d\x1e\x7f\u0085\u2028\u2029\uffff';
  expect(await readings.dataOf(`data: a${others}b\n\n`)).toEqual([`a${others}b`]);
  const { text, ids } = await written({
    event: 'a\t\v\f\x1c\x1d\x1e\x7f\u0085\u2028b',
    data: '"\u0085\u2028\u2029\uffff"',
  });
  expect(text).toBe(`id: ${ids[0]}\nevent: a\t\v\f\x1c\x1d\x1e\x7f\u0085\u2028b\ndata: "\u0085\u2028\u2029\uffff"\n\n`);
});

test('9.2.5: all that a node writes are comments, fields that the standard knows, and empty lines', async () => {
  const other = await startGateway({ FANFARE_HEARTBEAT_INTERVAL: '0.2' });
  const client = new SseClient(`${other.url}/v1/sse?channel=all`, { 'last-event-id': 'nonsense' });
  const gone = new SseClient(`${other.url}/v1/sse?channel=all`);
  try {
    await until(
      () => client.text.includes(': heartbeat\n') && client.of('fanfare:caught-up').length > 0,
      'a heartbeat',
    );
    await postJson(other.url, '/v1/channels/all/messages', '{"event":"a","data":{\n"b":\n\n1}}');
    await until(() => client.messages.length === 1, 'the message');
  } finally {
    await other.stop();
  }
  await until(() => client.ended && gone.ended, 'the end of the streams');
  expect(client.events.map(({ type }) => type)).toEqual(['fanfare:gap', 'fanfare:caught-up', 'a', 'fanfare:bye']);
  for (const { text } of [client, gone]) {
    expect(text).toMatch(/^(?:(?::.*|(?:id|event|data|retry): .*)?\n)+$/);
    expect(text.endsWith('\n\n')).toBe(true);
  }
});

test('9.2.6: an empty line dispatches what stands before it, once', async () => {
  expect(await readings.dataOf('\n\ndata: a\n\n\n\ndata: b\n\n')).toEqual(['a', 'b']);
  const { text, ids } = await written({ data: '1' }, { data: '2' });
  expect(text).toBe(`id: ${ids[0]}\ndata: 1\n\nid: ${ids[1]}\ndata: 2\n\n`);
});

test('9.2.6: a line that begins with a colon is a comment', async () => {
  expect(await readings.dataOf(':\n: data: a\n:data: b\ndata: c\n::\n:\n\n: d\n\n')).toEqual(['c']);
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=comment`).open();
  client.close();
  expect(client.text).toMatch(/^: fanfare\n/);
  expect(client.events).toEqual([]);
});

test("9.2.6: a field's name ends at the first colon of its line", async () => {
  const stream = 'event:a:b\ndata:c: d:\n\n';
  expect(await readings.read(stream)).toEqual([{ type: 'a:b', data: 'c: d:', lastEventId: '' }]);
  const { bytes, ids } = await written({ event: 'a:b: c', data: '": :"' });
  expect(await readings.read(bytes)).toEqual([{ type: 'a:b: c', data: '": :"', lastEventId: ids[0] }]);
});

test('9.2.6: one space behind the colon is dropped, and no more', async () => {
  expect(await readings.dataOf('data:a\ndata: a\ndata:  a\ndata:\ta\ndata: \n\n')).toEqual(['a\na\n a\n\ta\n']);
  const data = '[\n 1,\n  2,\n\t3]';
  const { bytes, ids } = await written({ event: ' a', data }, { event: '  ', data }, { event: '\ta ', data });
  expect(await readings.read(bytes)).toEqual([
    { type: ' a', data, lastEventId: ids[0] },
    { type: '  ', data, lastEventId: ids[1] },
    { type: '\ta ', data, lastEventId: ids[2] },
  ]);
});

test('9.2.6: a line without a colon is a field whose value is empty', async () => {
  expect(await readings.dataOf('data\n\ndata\ndata\n\ndata:\n\n')).toEqual(['', '\n', '']);
  const { bytes, ids } = await written({ data: '""' });
  expect(await readings.read(bytes)).toEqual([{ type: 'message', data: '""', lastEventId: ids[0] }]);
});

test('9.2.6: data fields are joined with LF', async () => {
  expect(await readings.dataOf('data: a\n: between\ndata\ndata: b\n\n')).toEqual(['a\n\nb']);
  const { text, bytes, ids } = await written({ data: '[\n1,\r2,\r\n\r\n3\n]' });
  expect(text).toBe(`id: ${ids[0]}\ndata: [\ndata: 1,\ndata: 2,\ndata: \ndata: 3\ndata: ]\n\n`);
  expect(await readings.read(bytes)).toEqual([{ type: 'message', data: '[\n1,\n2,\n\n3\n]', lastEventId: ids[0] }]);
});

test('9.2.6: what has no data field fires nothing, and its name is forgotten', async () => {
  expect(await readings.dataOf('event: a\n\ndata: b\n\nevent: c\nretry: 5000\n\n')).toEqual(['b']);
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=empty`).open();
  client.close();
  expect(client.text).toMatch(/^: fanfare\nretry: \d+\nid: .+\n\n$/);
  expect(client.events).toEqual([]);
});

test('9.2.6: the last event field of a block is its name; an empty one, or none, means message', async () => {
  expect(await readings.read('event: a\nevent: b\ndata: 1\n\nevent: c\nevent:\ndata: 2\n\nevent\ndata: 3\n\n')).toEqual(
    [
      { type: 'b', data: '1', lastEventId: '' },
      { type: 'message', data: '2', lastEventId: '' },
      { type: 'message', data: '3', lastEventId: '' },
    ],
  );
  const { bytes, text } = await written({ event: 'a', data: '1' }, { data: '2' }, { event: 'message', data: '3' });
  expect((await readings.read(bytes)).map(({ type }) => type)).toEqual(['a', 'message', 'message']);
  expect(text.match(/^event: .*/gm)).toEqual(['event: a', 'event: message']);
});

test('9.2.6: an id holds until another one comes, which may be empty', async () => {
  const stream = 'data: 1\n\nid: a\ndata: 2\n\ndata: 3\n\nid: x\nid: b\ndata: 4\n\nid\ndata: 5\n\n';
  expect((await readings.read(stream)).map(({ lastEventId }) => lastEventId)).toEqual(['', 'a', 'a', 'b', '']);
  const { bytes, ids } = await written({ data: '1' }, { data: '2' });
  expect((await readings.read(bytes)).map(({ lastEventId }) => lastEventId)).toEqual(ids);
});

test('9.2.6: an id counts without data too: it is what a client comes back with', async () => {
  expect(await readings.lastEventIdAfter('id: a\ndata: 1\n\nid: b\n\n')).toBe('b');
  expect(await readings.lastEventIdAfter('id: a\ndata: 1\n\nid:\n\n')).toBe(undefined);
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=cursor`).open();
  client.close();
  expect(client.text).toContain(`\nid: ${client.lastEventId}\n\n`);
  expect(await readings.lastEventIdAfter(client.text.replace(/^retry: .*\n/m, ''))).toBe(client.lastEventId);
});

test('9.2.6: an id with NUL is ignored; those of the node are printable ASCII', async () => {
  const stream = 'id: a\ndata: 1\n\nid: b\0\ndata: 2\n\n';
  expect((await readings.read(stream)).map(({ lastEventId }) => lastEventId)).toEqual(['a', 'a']);
  for (const id of (await written({ data: '1' }, { data: '2' })).ids) expect(id).toMatch(/^[!-~]+$/);
});

test('9.2.6: a retry of ASCII digits is when the client comes back, any other is ignored', async () => {
  // What would be a minute if it were taken.
  const ignored = ['60000x', '+60000', '60000.0', ' 60000', '0xea60', '６００００', '60000 '];
  const stream = `retry: 60000\nretry: 1\n${ignored.map((value) => `retry: ${value}\n`).join('')}data: 1\n\n`;
  const url = readings.address((_request, response) => response.writeHead(200, EVENT_STREAM).end(stream));
  const source = await readings.page.source(url);
  await source.untilEvents(2);
  await source.close();
  expect(parse([Buffer.from(stream)]).reconnectionMilliseconds).toBe(1);
  const client = await new SseClient(`${gateway.url}/v1/sse?channel=retry`).open();
  client.close();
  expect(client.text.match(/^retry: [0-9]+$/gm)).toHaveLength(1);
});

test('9.2.6: fields of any other name are ignored, also in other case or with a space', async () => {
  const stream = 'Data: a\nDATA: b\n data: c\ndata : d\nfoo: e\ndata\t: f\nde: g\ndata: h\n\n';
  expect(await readings.dataOf(stream)).toEqual(['h']);
});

test('9.2.6: what no empty line ends is dropped when the stream does', async () => {
  expect(await readings.dataOf('data: a\n\ndata: b')).toEqual(['a']);
  expect(await readings.dataOf('data: a\n\ndata: b\n')).toEqual(['a']);
  expect(await readings.lastEventIdAfter('id: a\ndata: 1\n\nid: b\ndata: 2\n')).toBe('a');
});

test('9.2.6: bytes that are not UTF-8 are U+FFFD to the reader, so the node takes none', async () => {
  const bytes = Buffer.from('data: a\xffb\xc3\n\ndata: \xed\xa0\x80\n\n', 'latin1');
  expect(await readings.dataOf(bytes)).toEqual(['a\ufffdb\ufffd', '\ufffd\ufffd\ufffd']);
  for (const bad of ['\xff', '\xed\xa0\x80', '\xc0\x80']) {
    const body = Buffer.from(`{"data":"${bad}"}`, 'latin1');
    const answer = await postJson(gateway.url, '/v1/channels/bytes/messages', body);
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid_json']);
  }
  const kept = await exchange(gateway.url, '/v1/channels/bytes/messages');
  expect(kept.json.messages).toEqual([]);
});
