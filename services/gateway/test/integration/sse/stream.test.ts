import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

const ID = /^\d+-\d+$/;

let gateway: Gateway;
const clients: SseClient[] = [];
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await gateway?.kill();
});

function follow(query: string, headers?: Record<string, string>): Promise<SseClient> {
  const client = new SseClient(`${gateway.url}/v1/sse?${query}`, headers);
  clients.push(client);
  return client.open();
}

test('a stream is these bytes and no others', async () => {
  const socket = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=bytes')).hears('\n\n');
  const first = await publish(gateway.url, 'bytes', { orderId: 42, state: 'paid' }, 'order.updated');
  const second = await publish(gateway.url, 'bytes', 'plain');
  await socket.hears('"plain"\n\n');
  const [top = '', rest = ''] = socket.text.split('\r\n\r\n', 2);
  expect(top.split('\r\n')).toEqual([
    'HTTP/1.1 200 OK',
    'Content-Type: text/event-stream; charset=utf-8',
    'Cache-Control: no-cache, no-transform',
    'X-Accel-Buffering: no',
    'Connection: close',
    'vary: Origin, Accept-Encoding',
    expect.stringMatching(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/),
  ]);
  expect(rest.replace(/^(: fanfare\nretry: )\d+(\nid: )\d+-\d+\n/, '$1MS$2START\n')).toBe(
    ': fanfare\nretry: MS\nid: START\n\n' +
      `id: ${first}\nevent: order.updated\ndata: {"orderId":42,"state":"paid"}\n\n` +
      `id: ${second}\ndata: "plain"\n\n`,
  );
  socket.close();
});

test('retry is from 2 to 5 seconds, and not the same for all', async () => {
  const streams = await Promise.all(Array.from({ length: 8 }, () => follow('channel=retry')));
  const waits = streams.map(({ retryMilliseconds }) => retryMilliseconds ?? 0);
  for (const wait of waits) expect(wait >= 2000 && wait <= 5000).toBe(true);
  expect(new Set(waits).size).toBeGreaterThan(1);
});

test('the first id is where the stream starts: from there nothing is missed', async () => {
  const first = await follow('channel=first-id');
  expect(first.lastEventId).toMatch(ID);
  first.close();
  await publish(gateway.url, 'first-id', 'while away');
  const second = await follow('channel=first-id', { 'last-event-id': first.lastEventId });
  await until(() => second.of('fanfare:caught-up').length === 1, 'the replay to end');
  expect(second.messages.map(({ data }) => data)).toEqual(['"while away"']);
});

test('several channels are one stream, in the order in which they were published; others are not in it', async () => {
  const client = await follow('channel=s:a&channel=s:b&channel=s:c&channel=s:a');
  const sent: string[] = [];
  for (const channel of ['s:a', 's:b', 's:x', 's:c', 's:a', 's:b']) {
    const id = await publish(gateway.url, channel, channel);
    if (channel !== 's:x') sent.push(id);
  }
  await until(() => client.messages.length >= sent.length, 'all messages');
  expect(client.messages.map(({ lastEventId }) => lastEventId)).toEqual(sent);
  expect(client.messages.map(({ data }) => data)).toEqual(['"s:a"', '"s:b"', '"s:c"', '"s:a"', '"s:b"']);
});

test('a batch that was published at once comes to every client in one order', async () => {
  const clients = await Promise.all(Array.from({ length: 5 }, () => follow('channel=o:1&channel=o:2')));
  const messages = Array.from({ length: 200 }, (_, data) => ({ channel: data % 3 === 0 ? 'o:1' : 'o:2', data }));
  await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }));
  await until(() => clients.every((client) => client.messages.length >= 200), 'all messages');
  for (const client of clients)
    expect(client.messages.map(({ data }) => Number(data))).toEqual(messages.map(({ data }) => data));
});

test('envelope puts the whole message into data, and its name nowhere else', async () => {
  const client = await follow('channel=envelope&format=envelope');
  const body = '{"event":"order.updated","data":{\n"a": 1e400}}';
  const { id } = (await postJson(gateway.url, '/v1/channels/envelope/messages', body)).json;
  await until(() => client.messages.length === 1, 'the message');
  expect(client.messages[0]).toEqual({
    type: 'message',
    lastEventId: id,
    data: `{"id":"${id}","channel":"envelope","event":"order.updated","data":{\n"a": 1e400}}`,
  });
  expect(client.text).not.toContain('event: order.updated');
});

test('raw is the default format', async () => {
  const [named, unnamed] = await Promise.all([follow('channel=raw&format=raw'), follow('channel=raw')]);
  await publish(gateway.url, 'raw', 1);
  await until(() => [named, unnamed].every((client) => client.messages.length === 1), 'the message');
  expect(named.messages).toEqual(unnamed.messages);
});

/** The status line and the header fields of an answer, in order; fields that stand twice are one list. */
function headOf(text: string): { status: string; fields: Map<string, string> } {
  const [status = '', ...lines] = (text.split('\r\n\r\n', 1)[0] ?? '').split('\r\n');
  const fields = new Map<string, string>();
  for (const [, name = '', value = ''] of lines.map((line) => /^(.*?): (.*)$/.exec(line) ?? [])) {
    const key = name.toLowerCase();
    const before = fields.get(key);
    fields.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return { status, fields };
}

test('HEAD is answered with the head of the stream that GET would open', async () => {
  for (const headers of [{}, { 'Accept-Encoding': 'gzip' }, { Accept: 'text/*' }] as Record<string, string>[]) {
    const heads = await Promise.all(
      ['GET', 'HEAD'].map(async (method) => {
        const request = head(`${method} /v1/sse?channel=a`, headers);
        const socket = await new RawSocket(gateway.port).send(request).hears('\r\n\r\n');
        if (method === 'HEAD') expect((await socket.end()).text.endsWith('\r\n\r\n')).toBe(true);
        socket.close();
        const { status, fields } = headOf(socket.bytes.toString('latin1'));
        expect(fields.get('date')).toMatch(/ GMT$/);
        fields.delete('date');
        return { status, fields: [...fields].sort() };
      }),
    );
    expect(heads[1]).toEqual(heads[0]);
  }
});

test('a client of HTTP/1.0 gets a stream too, which is the same', async () => {
  for (const start of ['HTTP/1.0\r\n\r\n', 'HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n']) {
    const socket = await new RawSocket(gateway.port).send(`GET /v1/sse?channel=old ${start}`).hears('\n\n');
    const id = await publish(gateway.url, 'old', 'message');
    await socket.hears(`id: ${id}\ndata: "message"\n\n`);
    const { status, fields } = headOf(socket.text);
    expect([status, fields.get('connection'), fields.has('transfer-encoding')]).toEqual([
      'HTTP/1.1 200 OK',
      'close',
      false,
    ]);
    expect(socket.text.split('\r\n\r\n')[1]).toMatch(/^: fanfare\nretry: /);
    socket.close();
  }
  const socket = await new RawSocket(gateway.port).send('HEAD /v1/sse?channel=old HTTP/1.0\r\n\r\n').end();
  expect(headOf(socket.text).fields.get('content-type')).toBe('text/event-stream; charset=utf-8');
});

test('a stream may be asked for on a connection that was used before', async () => {
  const socket = new RawSocket(gateway.port);
  for (const [request, sign] of [
    ['GET /v1/channels/used/messages', '"gap":false}'],
    ['GET /v1/sse', '"invalid_request"'],
    ['GET /v1/sse?channel=used', ': fanfare\n'],
  ] as const)
    await socket.send(head(request)).hears(sign);
  await publish(gateway.url, 'used', 'message');
  await socket.hears('data: "message"\n\n');
  expect(socket.text.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['200', '400', '200']);
  socket.close();
});

test('a client that closes its half of the connection is gone', async () => {
  const socket = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=half')).hears('\n\n');
  socket.socket.end();
  await socket.end();
});

test('no other answer comes behind a stream: nothing is chunked, nothing has a length', async () => {
  const client = await follow('channel=plain');
  expect(client.headers['transfer-encoding']).toBeUndefined();
  expect(client.headers['content-length']).toBeUndefined();
});
