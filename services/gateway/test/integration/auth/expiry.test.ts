import { beforeAll, expect, test } from 'vitest';
import { type Gateway, metric } from '../../support/gateway.ts';
import { watchNodes } from '../../support/secrets.ts';
import { SseClient } from '../../support/sse-client.ts';
import { nowSeconds, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { ask, bearer, publishAs } from './ask.ts';
import { COOKIE, DOORS, wrongAbout } from './doors.ts';

const nodes = watchNodes();
const signer = secretSigner();

let gateway: Gateway;
let root: string;
beforeAll(async () => {
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_COOKIE_NAME: COOKIE,
  });
  root = await signer.sign({ sub: 'root' });
});

test('at its exp a token’s streams, WebSockets and long polls end, however many, and it opens no door any more', async () => {
  const { url } = gateway;
  const exp = nowSeconds() + 4;
  const token = await signer.sign({ exp });
  const ticketed = async (): Promise<string> => {
    const { text } = await ask(url, '/v1/tickets', { method: 'POST', headers: bearer(token) });
    return (JSON.parse(text) as { ticket: string }).ticket;
  };
  const [redeemed, kept] = await Promise.all([ticketed(), ticketed()]);
  const streams = [
    ...Array.from({ length: 150 }, () => new SseClient(`${url}/v1/sse?channel=end`, bearer(token))),
    new SseClient(`${url}/v1/sse?channel=end`, { cookie: `${COOKIE}=${token}` }),
    new SseClient(`${url}/v1/sse?channel=end`, { ...bearer(token), 'accept-encoding': 'gzip' }),
    new SseClient(`${url}/v1/sse?channel=end&ticket=${redeemed}`),
  ];
  const webSockets = Array.from({ length: 150 }, () => new WebSocketClient(`${url}/v1/ws?channel=end`));
  const polls = Array.from({ length: 20 }, () =>
    ask(url, '/v1/channels/end/messages?wait=60', { headers: bearer(token) }),
  );
  await Promise.all(streams.map((stream) => stream.open()));
  await Promise.all(webSockets.map((webSocket) => webSocket.open()));
  for (const webSocket of webSockets) webSocket.say({ type: 'auth', token });
  const lasting = [
    new SseClient(`${url}/v1/sse?channel=end`, bearer(root)),
    new SseClient(`${url}/v1/sse?channel=end`, bearer(root)),
  ];
  await until(() => webSockets.every((webSocket) => webSocket.of('subscribed').length === 1), 'all to be there');
  for (const stream of streams) expect([stream.status, stream.ended]).toEqual([200, false]);

  await until(
    () => streams.every(({ ended }) => ended) && webSockets.every(({ closeCode }) => closeCode !== undefined),
    'all to end',
  );
  // None of them before its time.
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  for (const stream of streams)
    expect(stream.of('fanfare:bye').map(({ data }) => data)).toEqual(['{"reason":"token_expired"}']);
  for (const { closeCode, closeReason } of webSockets)
    expect([closeCode, closeReason]).toEqual([4401, 'token_expired']);
  for (const { status, text } of await Promise.all(polls))
    expect([status, JSON.parse(text)]).toMatchObject([200, { messages: [] }]);
  expect(await metric(gateway, 'fanfare_connections_closed_total', 'reason="token_expired"')).toBe(
    streams.length + webSockets.length,
  );

  await publishAs(url, root, 'end', 'after the end');
  await until(() => lasting.every(({ messages }) => messages.length === 1), 'those whose token goes on');
  expect(streams.flatMap(({ messages }) => messages)).toEqual([]);
  for (const door of DOORS) expect(wrongAbout(door, await door.try(gateway, 'end', token))).toEqual([]);
  const cookie = String(streams.at(-1)?.headers['set-cookie']?.[0]?.split(';')[0]);
  for (const [ticket, headers] of [
    [redeemed, { cookie }],
    [kept, {}],
  ] as const)
    expect((await ask(url, `/v1/sse?channel=end&ticket=${ticket}`, { headers })).status).toBe(401);
  for (const stream of lasting) stream.close();
  await until(async () => (await metric(gateway, 'fanfare_connections')) === 0, 'all to be gone');
});

test('a token that ends in the far future ends nothing now', async () => {
  // Timers of Node have 31 bits: a longer wait would be none.
  const node = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_MAX_TOKEN_LIFETIME: '31536000',
  });
  const token = await signer.sign({ exp: nowSeconds() + 31_000_000 });
  const stream = await new SseClient(`${node.url}/v1/sse?channel=far`, bearer(token)).open();
  const webSocket = await new WebSocketClient(`${node.url}/v1/ws`).open();
  await webSocket.ask({ type: 'auth', token });
  const poll = ask(node.url, '/v1/channels/far/messages?wait=60', { headers: bearer(token) });
  await webSocket.ask({ type: 'subscribe', channel: 'far' });
  await publishAs(node.url, token, 'far', 1);
  await until(() => stream.messages.length === 1 && webSocket.of('message').length === 1, 'the message');
  expect((await poll).status).toBe(200);
  expect([stream.ended, webSocket.closeCode]).toEqual([false, undefined]);
  stream.close();
  webSocket.close();
});
