import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { cookieNameOf } from '../../../src/auth/tickets/ticket-cookie.ts';
import { watchNodes } from '../../support/secrets.ts';
import { until } from '../../support/until.ts';
import { ask, bearer, historyOf, post } from './ask.ts';
import { randomSecret, secretIn, sha256, TicketScene } from './ticket-scene.ts';
import { ticketSocket } from './ticket-stream.ts';

const nodes = watchNodes();
let scene: TicketScene;
beforeAll(async () => {
  scene = await TicketScene.start(nodes);
});
afterAll(() => scene?.redis.stop());
afterEach(() => scene.closeStreams());

/** A ticket that was used, and what a thief may know of it. */
interface Known {
  readonly ticket: string;
  /** The name of its cookie. */
  readonly name: string;
  readonly secret: string;
  /** The cookie of another ticket, which is the thief's own. */
  readonly foreign: string;
}

describe('whoever does not have the cookie of a ticket is refused', () => {
  const CASES: Readonly<Record<string, (known: Known) => string | Promise<string>>> = {
    'no cookie': () => '',
    'an empty one': ({ name }) => `${name}=`,
    'a guessed one': ({ name }) => `${name}=${randomSecret()}`,
    'the hash of the ticket, of which the name is made': ({ name, ticket }) => `${name}=${sha256(ticket).slice(0, 22)}`,
    'the ticket itself': ({ name, ticket }) => `${name}=${ticket.slice(4)}`,
    'the right secret under another name': ({ name, secret }) => `x${name}=${secret}`,
    'what Redis holds of it': async ({ name, ticket }) =>
      `${name}=${await scene.redis.client.hget(await scene.keyOf(ticket), 'h')}`,
    'one of another ticket, under its own name': ({ foreign }) => foreign,
    'one of another ticket, under this one’s name': ({ name, foreign }) => `${name}=${secretIn(foreign)}`,
    'a part of the right one': ({ name, secret }) => `${name}=${secret.slice(0, 21)}`,
    'the right one and more': ({ name, secret }) => `${name}=${secret}A`,
    'the right one with other capitals': ({ name, secret }) => `${name}=${flipCase(secret)}`,
  };

  test.each(Object.entries(CASES))('%s', async (_case, cookieOf) => {
    const [ticket, other] = [await scene.ticket(), await scene.ticket()];
    const { cookie = '' } = await scene.stream(scene.a, ticket);
    const { cookie: foreign = '' } = await scene.stream(scene.a, other);
    const made = await cookieOf({ ticket, name: cookieNameOf(ticket), secret: secretIn(cookie), foreign });
    for (const gateway of [scene.a, scene.b]) {
      const refused = await scene.stream(gateway, ticket, made);
      expect([refused.status, refused.cookie]).toEqual([401, undefined]);
    }
    expect(await scene.status(scene.b, ticket, cookie)).toBe(200);
  });

  test('a cookie without its ticket opens nothing', async () => {
    const { cookie = '' } = await scene.stream(scene.a, await scene.ticket());
    const headers = { cookie: `${cookie}; session=${secretIn(cookie)}` };
    for (const asked of [{ cookie }, headers])
      expect((await ask(scene.b.url, '/v1/sse?channel=orders:1', { headers: asked })).status).toBe(401);
    expect((await ask(scene.b.url, '/v1/channels/orders:1/messages', { headers: { cookie } })).status).toBe(401);
  });

  test('a ticket that was never made is none, whatever its look', async () => {
    const ticket = await scene.ticket();
    const made = [
      `fft_${randomSecret()}`,
      `fft_${sha256(ticket).slice(0, 22)}`,
      sha256(ticket),
      flipCase(ticket),
      `${ticket}A`,
      ticket.slice(0, -1),
      `${ticket}%20`,
      `%20${ticket}`,
      `${ticket}%00`,
      `${ticket}%0D%0A`,
      '*',
      '',
    ];
    for (const other of made) expect(await scene.status(scene.a, other), other).toBe(401);
    expect(await scene.status(scene.a, ticket)).toBe(200);
  });
});

function flipCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}

describe('a ticket is taken for a stream and nowhere else, and is not spent there', () => {
  const PUBLISH = '/v1/channels/orders:1/messages';
  const forbidden = { data: 'by a ticket' };
  const PLACES: Readonly<Record<string, (ticket: string) => Promise<number>>> = {
    'the URL of a publish': async (ticket) =>
      (await post(scene.a.url, `${PUBLISH}?ticket=${ticket}`, forbidden)).status,
    'the header of a publish': async (ticket) => (await post(scene.a.url, PUBLISH, forbidden, bearer(ticket))).status,
    'the token’s cookie': async (ticket) =>
      (await post(scene.a.url, PUBLISH, forbidden, { cookie: `session=${ticket}` })).status,
    'the URL of a history': async (ticket) => (await ask(scene.a.url, `${PUBLISH}?ticket=${ticket}`)).status,
    'the header of a history': async (ticket) => (await ask(scene.a.url, PUBLISH, { headers: bearer(ticket) })).status,
    'the header of a stream': async (ticket) =>
      (await ask(scene.a.url, '/v1/sse?channel=orders:1', { headers: bearer(ticket) })).status,
    'a URL by another name': async (ticket) =>
      (await ask(scene.a.url, `/v1/sse?channel=orders:1&token=${ticket}`)).status,
    'a URL that has two': async (ticket) =>
      (await ask(scene.a.url, `/v1/sse?channel=orders:1&ticket=${ticket}&ticket=${ticket}`)).status,
    'another ticket’s making': async (ticket) =>
      (await ask(scene.a.url, '/v1/tickets', { method: 'POST', headers: bearer(ticket) })).status,
    'the URL of that': async (ticket) => (await post(scene.a.url, `/v1/tickets?ticket=${ticket}`, {})).status,
    'a disconnect': async (ticket) =>
      (await post(scene.a.url, '/v1/disconnect', { subject: 'ann' }, bearer(ticket))).status,
    'a WebSocket’s auth message': async (ticket) => {
      const socket = await ticketSocket(scene.a.url, 'channel=orders:1', { say: { type: 'auth', token: ticket } });
      await until(() => socket.closeCode !== undefined, 'the WebSocket to be closed');
      expect(socket.text).not.toContain('subscribed');
      return socket.closeCode as number;
    },
  };

  test.each(Object.entries(PLACES))('%s', async (_place, statusOf) => {
    const ticket = await scene.ticket();
    expect([400, 401, 4401]).toContain(await statusOf(ticket));
    expect(await scene.status(scene.b, ticket)).toBe(200);
  });

  test('nothing was published by one', async () => {
    expect(await historyOf(scene.a.url, await scene.token(), 'orders:1')).not.toContain(forbidden.data);
  });
});

test('a WebSocket by ticket: for one client alone, who comes back on any node with its cookie', async () => {
  const ticket = await scene.ticket();
  const query = `channel=orders:1&ticket=${ticket}`;
  const first = await ticketSocket(scene.a.url, query);
  await until(() => first.text.includes('subscribed'), 'the channel');
  const cookie = scene.use(first.cookie);
  expect(cookie).not.toBe('');
  for (const [gateway, brought] of [
    [scene.a, ''],
    [scene.b, ''],
    [scene.b, `${cookieNameOf(ticket)}=${randomSecret()}`],
  ] as const) {
    const thief = await ticketSocket(gateway.url, query, { cookie: brought });
    await until(() => thief.closeCode !== undefined, 'the thief to be refused');
    expect(thief.closeCode).toBe(4401);
    expect(thief.cookie).toBeUndefined();
    expect(thief.text).not.toContain('subscribed');
  }
  expect(await scene.status(scene.b, ticket)).toBe(401);
  first.close();
  const again = await ticketSocket(scene.b.url, query, { cookie });
  await until(() => again.text.includes('subscribed'), 'the channel again');
  again.close();
});
