import { beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../support/gateway.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { watchNodes } from '../../support/secrets.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';
import { type Asked, ask, bearer, historyOf, post } from './ask.ts';

const nodes = watchNodes();
const signer = secretSigner();
const key = publishSecret();
const WHERE = ['Authorization header', 'cookie', 'first WebSocket message', '/v1/tickets'];

let gateway: Gateway;
let token: string;
beforeAll(async () => {
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', ...key, channels: ['*'], secret: undefined }]),
  });
  token = await signer.sign();
});

/** A WebSocket's handshake as a page makes it, which can set no headers. */
async function handshake(path: string): Promise<Asked> {
  const socket = await new RawWebSocket(gateway.port, path).end();
  return { status: Number(socket.text.slice(9, 12)), headers: {}, text: socket.text };
}

type Way = readonly [name: string, ask: (query: string) => Promise<Asked>];
const WAYS: readonly Way[] = [
  ['a publish', (query) => post(gateway.url, `/v1/channels/room/messages?${query}`, { data: 1 })],
  ['a batch', (query) => post(gateway.url, `/v1/messages?${query}`, { messages: [{ channel: 'room', data: 1 }] })],
  ['the history', (query) => ask(gateway.url, `/v1/channels/news:1/messages?limit=1&${query}`)],
  ['a long poll', (query) => ask(gateway.url, `/v1/channels/news:1/messages?wait=1&${query}`)],
  ['an event stream', (query) => ask(gateway.url, `/v1/sse?channel=news:1&${query}`)],
  ['a WebSocket', (query) => handshake(`/v1/ws?channel=news:1&${query}`)],
  ['a ticket', (query) => ask(gateway.url, `/v1/tickets?${query}`, { method: 'POST' })],
  ['a disconnect', (query) => post(gateway.url, `/v1/disconnect?${query}`, { subject: 'ann' })],
];

describe.each(WAYS)('a token in the URL is refused, and it is said where it belongs: %s', (_, way) => {
  test.each([
    ...['token', 'access_token', 'accessToken', 'ACCESS-TOKEN', 'id_token', 'auth_token', 'bearer', 'jwt', 'auth'],
    ...[
      'authorization',
      'Authorization',
      'api_key',
      'apikey',
      'key',
      'secret',
      'client_secret',
      'password',
      'credentials',
    ],
    ...['to%6Ben', '%74oken', 'session', 'sid', 'x-api-key'],
  ])('as ?%s=', async (name) => {
    for (const value of [token, key.secret, 'opensesame-opensesame', encodeURIComponent(`Bearer ${token}`), '']) {
      const answer = await way(`${name}=${value}`);
      expect([name, answer.status]).toEqual([name, 400]);
      for (const place of WHERE) expect(answer.text).toContain(place);
      expect(answer.text).not.toContain('opensesame');
      nodes.expectNoneIn(answer.text, 'an answer');
    }
  });

  test('under any other name, by its look, also as a name and twice', async () => {
    for (const query of [
      `x=${token}`,
      `x=${key.secret}`,
      `after=${token}`,
      `channel=${key.secret}`,
      `last=Bearer%20${token}`,
      `ticket=${token}`,
      `ticket=${key.secret}`,
      token,
      key.secret,
      `${token}=`,
      `token=a&token=${token}`,
      `x=a&x=${token}`,
      `%65yJ${token.slice(3)}=1`,
    ]) {
      const answer = await way(query);
      expect([query.slice(0, 12), answer.status]).toEqual([query.slice(0, 12), 400]);
      nodes.expectNoneIn(answer.text, query.slice(0, 12));
    }
  });

  test('with a good token in the header beside it', async () => {
    const answer = await ask(gateway.url, `/v1/channels/news:1/messages?token=${token}`, { headers: bearer(token) });
    expect(answer.status).toBe(400);
    const stream = await ask(gateway.url, `/v1/sse?channel=news:1&access_token=${token}`, { headers: bearer(token) });
    expect(stream.status).toBe(400);
  });
});

test('what knows no token repeats none either', async () => {
  for (const path of ['/', '/console/', '/console/main.js', '/v1/openapi.json', '/v1/nowhere', '/nowhere', '/v1/ws'])
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
      const answer = await ask(gateway.url, `${path}?token=${token}&key=${key.secret}`, { method });
      nodes.expectNoneIn(answer.text + JSON.stringify(answer.headers), `${method} ${path}`);
    }
});

test('nothing came of any of it', async () => {
  for (const channel of ['room', 'news:1']) expect(await historyOf(gateway.url, token, channel)).toEqual([]);
});

test('what is only like such a name is an unknown parameter, and what is only like a token is a value', async () => {
  const headers = bearer(token);
  const unknown = await ask(gateway.url, '/v1/channels/a/messages?tokens=1', { headers });
  expect([unknown.status, unknown.text.includes('unknown query parameter')]).toEqual([400, true]);
  expect((await ask(gateway.url, '/v1/sse?channel=token&channel=eyJ&channel=ffk_1', { headers })).status).toBe(200);
});
