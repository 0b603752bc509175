import { expect, test } from 'vitest';
import { readAnswer } from '../../../support/raw-socket.ts';
import { clientFrame, RSV1, TEXT } from '../../../support/raw-websocket.ts';
import { Echo } from '../echo.ts';

const NO_TAKEOVER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const LONG = 'compress me '.repeat(1000);

const echo = new Echo();
const plainEcho = new Echo({ compression: false });

/** What is answered to offers, each in a line of its own; the connection was opened in any case. */
async function answered(...offers: readonly string[]): Promise<string | undefined> {
  const socket = await echo.open({ 'Sec-WebSocket-Extensions': offers });
  socket.close();
  const lines = readAnswer(socket.text).headers.get('sec-websocket-extensions');
  expect(lines?.length ?? 1).toBe(1);
  return lines?.[0];
}

test('5: the extension is used when an offer of it was accepted in the answer, and else not', async () => {
  for (const [server, offers, reserved] of [
    [echo, ['permessage-deflate'], RSV1],
    [echo, [], 0],
    [echo, ['permessage-deflate; unknown'], 0],
    [plainEcho, ['permessage-deflate'], 0],
  ] as const) {
    const socket = await server.open({ 'Sec-WebSocket-Extensions': offers });
    const accepted = readAnswer(socket.text).headers.has('sec-websocket-extensions');
    expect(accepted).toBe(reserved === RSV1);
    socket.send(clientFrame(TEXT, LONG));
    expect((await socket.hear(TEXT))[0]?.reserved).toBe(reserved);
    socket.close();
  }
});

test('5: an offer that is declined leaves a connection without the extension', async () => {
  const socket = await echo.open({ 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=8' });
  expect(readAnswer(socket.text).headers.has('sec-websocket-extensions')).toBe(false);
  socket.send(clientFrame(TEXT, 'plain'));
  expect(String((await socket.hear(TEXT))[0]?.payload)).toBe('plain');
  socket.close();
});

test('5: of several offers one is accepted, the first that can be', async () => {
  expect(await answered('permessage-deflate', 'permessage-deflate; server_max_window_bits=12')).toBe(NO_TAKEOVER);
  expect(await answered('permessage-deflate; server_max_window_bits=8, permessage-deflate')).toBe(NO_TAKEOVER);
  expect(await answered('permessage-deflate; x', 'permessage-deflate; server_max_window_bits=15')).toBe(
    `${NO_TAKEOVER}; server_max_window_bits=12`,
  );
  expect(await answered('permessage-deflate; x, permessage-deflate; y')).toBe(undefined);
});

test('5: the extension is accepted beside no other that could use RSV1', async () => {
  for (const other of ['x-webkit-deflate-frame', 'permessage-bzip2', 'permessage-snappy', 'mux'])
    expect(await answered(`${other}, permessage-deflate`, other)).toBe(NO_TAKEOVER);
});

test('7: an offer with a parameter that is not defined is declined', async () => {
  for (const parameter of ['x', 'x=1', 'no_context_takeover', 'max_window_bits=15', 'Server_No_Context_Takeover'])
    expect(await answered(`permessage-deflate; ${parameter}`), parameter).toBe(undefined);
  expect(await answered('permessage-deflate; client_max_window_bits; x')).toBe(undefined);
});

test('7: an offer with a parameter of a value that is not valid is declined', async () => {
  const bad = ['0', '7', '16', '100', '08', '012', '+12', '12.0', '-8', 'x', '1e1', '0xc'];
  for (const name of ['server_max_window_bits', 'client_max_window_bits'])
    for (const value of bad)
      for (const written of [value, `"${value}"`])
        expect(await answered(`permessage-deflate; ${name}=${written}`), `${name}=${written}`).toBe(undefined);
  expect(await answered('permessage-deflate; server_max_window_bits')).toBe(undefined);
  for (const name of ['server_no_context_takeover', 'client_no_context_takeover'])
    for (const value of ['1', 'true', '"15"'])
      expect(await answered(`permessage-deflate; ${name}=${value}`), `${name}=${value}`).toBe(undefined);
});

test('7: an offer with a parameter that stands in it twice is declined', async () => {
  for (const parameter of [
    'server_no_context_takeover',
    'client_no_context_takeover',
    'server_max_window_bits=12',
    'client_max_window_bits',
  ])
    expect(await answered(`permessage-deflate; ${parameter}; ${parameter}`), parameter).toBe(undefined);
  expect(await answered('permessage-deflate; client_max_window_bits; client_max_window_bits=10')).toBe(undefined);
});

test('7: an offer of what is not supported is declined: a window that is smaller than that of the shared bytes', async () => {
  for (const bits of [8, 9, 10, 11])
    expect(await answered(`permessage-deflate; server_max_window_bits=${bits}`), `${bits}`).toBe(undefined);
});

test('7.1.1.1: an offer with server_no_context_takeover is accepted with it', async () => {
  const answer = await answered('permessage-deflate; server_no_context_takeover');
  expect(answer?.split('; ')).toContain('server_no_context_takeover');
});

test('7.1.1.2: an offer with client_no_context_takeover is accepted, and so is one without', async () => {
  expect(await answered('permessage-deflate; client_no_context_takeover')).toBe(NO_TAKEOVER);
  expect(await answered('permessage-deflate')).toBe(NO_TAKEOVER);
});

test('7.1.2.1: an offer with server_max_window_bits is accepted with the same value or a smaller one', async () => {
  for (const bits of [12, 13, 14, 15])
    for (const written of [`${bits}`, `"${bits}"`]) {
      const answer = await answered(`permessage-deflate; server_max_window_bits=${written}`);
      const [, value] = /^permessage-deflate;.*; server_max_window_bits=(\d+)$/.exec(answer ?? '') ?? [];
      expect(Number(value), answer).toBeGreaterThanOrEqual(8);
      expect(Number(value), answer).toBeLessThanOrEqual(bits);
    }
});

test('7.1.2.2: client_max_window_bits stands in no answer to an offer without it', async () => {
  for (const offer of ['permessage-deflate', 'permessage-deflate; server_max_window_bits=15', 'permessage-deflate; x'])
    expect((await answered(offer, 'permessage-deflate')) ?? '').not.toContain('client_max_window_bits');
});

test('7.1.2.2: an offer with client_max_window_bits is accepted, with a value or without', async () => {
  expect(await answered('permessage-deflate; client_max_window_bits')).toBe(NO_TAKEOVER);
  for (let bits = 8; bits <= 15; bits++)
    for (const written of [`${bits}`, `"${bits}"`])
      expect(await answered(`permessage-deflate; client_max_window_bits=${written}`), written).toBe(NO_TAKEOVER);
});
