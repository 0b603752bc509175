import { expect, test } from 'vitest';
import { head, readAnswer, WEBSOCKET_HEADERS } from '../../../support/raw-socket.ts';
import { BINARY, clientFrame, RSV1, TEXT } from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const NO_TAKEOVER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const LONG = 'compress me '.repeat(1000);

const echo = new Echo();
const plainEcho = new Echo({ compression: false });

/** What a server answers to offers, each in a line of its own. */
async function answered(server: Echo, ...offers: readonly string[]): Promise<readonly string[] | undefined> {
  const socket = await server.open({ 'Sec-WebSocket-Extensions': offers });
  socket.close();
  return readAnswer(socket.text).headers.get('sec-websocket-extensions');
}

test('5.8: an extension is used by a server only when it was agreed on in the handshake', async () => {
  for (const [server, offers] of [
    [echo, []],
    [echo, ['x-unknown']],
    [plainEcho, ['permessage-deflate']],
  ] as const) {
    const socket = await server.open({ 'Sec-WebSocket-Extensions': offers });
    socket.send(clientFrame(TEXT, LONG)).send(clientFrame(BINARY, LONG));
    await socket.hear(BINARY);
    for (const { reserved, payload } of socket.frames) expect([reserved, String(payload)]).toEqual([0, LONG]);
    socket.close();
  }
});

test('5.8: an extension that was not agreed on is not understood', async () => {
  const compressed = clientFrame(TEXT, Buffer.from('f248cdc9c90700', 'hex'), { reserved: RSV1 });
  await echo.fails(1002, 'not offered', compressed);
  await plainEcho.fails(1002, 'declined', compressed, { 'Sec-WebSocket-Extensions': 'permessage-deflate' });
});

test('9: a server answers no extension that was not asked for', async () => {
  for (const server of [echo, plainEcho]) {
    expect(await answered(server)).toBe(undefined);
    expect(await answered(server, 'deflate-stream', 'mux; max-channels=4; flow-control')).toBe(undefined);
    expect(await answered(server, 'permessage-deflates', 'permessage')).toBe(undefined);
  }
  expect(await answered(plainEcho, 'permessage-deflate')).toBe(undefined);
  expect(await answered(echo, 'permessage-deflate')).toEqual([NO_TAKEOVER]);
});

test('9: the parameters in an answer are those that the extension defines, as it defines them', async () => {
  for (const offer of [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; server_max_window_bits=15; client_max_window_bits=8',
    'permessage-deflate; client_no_context_takeover; server_no_context_takeover',
  ]) {
    const [answer = ''] = (await answered(echo, offer)) ?? [];
    const [name, ...parameters] = answer.split('; ');
    expect(name).toBe('permessage-deflate');
    expect(new Set(parameters).size).toBe(parameters.length);
    for (const parameter of parameters)
      expect(parameter).toMatch(/^(?:(?:server|client)_no_context_takeover|server_max_window_bits=(?:[89]|1[0-5]))$/);
  }
});

test('9.1: a list of extensions that breaks its grammar fails the handshake', async () => {
  const lists = [
    '',
    ' ',
    ',',
    ', ,',
    'a b',
    'a;',
    ';a',
    'a; ;b',
    'a; b=',
    'a; =b',
    'a; b=c d',
    'a; b=c=d',
    'a=b',
    '"a"',
  ];
  const quoted = ['a; b="', 'a; b="c', 'a; b="c d"', 'a; b=""', 'a; b="c,d"', 'a; "b"=c', 'a; b="c"d', 'a; b="\\"'];
  for (const value of [...lists, ...quoted, 'a/b', 'a, (b)', 'a; b="ü"', 'ü'])
    for (const server of [echo, plainEcho]) {
      const request = head('GET /', { ...WEBSOCKET_HEADERS, 'Sec-WebSocket-Extensions': value });
      const { status, socket } = await server.ask(request);
      expect(status, JSON.stringify(value)).toBe(400);
      await socket.end();
    }
});

test('9.1: the value of a parameter may be a token or a quoted token', async () => {
  const answer = [`${NO_TAKEOVER}; server_max_window_bits=12`];
  for (const value of ['12', '"12"', '"1\\2"', ' = 12', '= "12"'].map((text) =>
    text.includes('=') ? text : `=${text}`,
  ))
    expect(await answered(echo, `permessage-deflate; server_max_window_bits${value}`), value).toEqual(answer);
});

test('9.1: a list of extensions may have space, empty elements and several lines', async () => {
  for (const lines of [
    ['x-unknown', 'permessage-deflate'],
    ['permessage-deflate', 'x-unknown; a=1; b="c"'],
    ['x-unknown, , permessage-deflate,'],
    [' ,\tx-unknown ;a = 1\t,\t permessage-deflate ; server_no_context_takeover'],
    ['x-unknown; permessage-deflate=1', 'permessage-deflate'],
  ])
    expect(await answered(echo, ...lines), lines.join(' | ')).toEqual([NO_TAKEOVER]);
  expect(await answered(echo, 'x-unknown; permessage-deflate')).toBe(undefined);
});

test('9.1: of several offers the first that can be met is taken', async () => {
  const offers = ['permessage-deflate; server_max_window_bits=13', 'permessage-deflate'];
  expect(await answered(echo, offers.join(', '))).toEqual([`${NO_TAKEOVER}; server_max_window_bits=12`]);
  expect(await answered(echo, ...offers.toReversed())).toEqual([NO_TAKEOVER]);
  expect(await answered(echo, 'permessage-deflate; server_max_window_bits=8', ...offers.toReversed())).toEqual([
    NO_TAKEOVER,
  ]);
});
