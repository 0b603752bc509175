import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { metric } from '../../support/gateway.ts';
import { watchNodes } from '../../support/secrets.ts';
import { nowSeconds } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { ask, bearer, post, publishAs } from './ask.ts';
import { CHANNEL, newSubject, secretIn, TicketScene } from './ticket-scene.ts';
import { TicketStream, ticketSocket } from './ticket-stream.ts';

/** Milliseconds. */
const CLAIM = 30_000;

const nodes = watchNodes();
let scene: TicketScene;
beforeAll(async () => {
  scene = await TicketScene.start(nodes);
});
afterAll(() => scene?.redis.stop());
afterEach(() => scene.closeStreams());

/** Redis forgets a ticket now, which it would do 30 s after it was made. */
async function letTimePass(ticket: string): Promise<void> {
  const at = await scene.keyOf(ticket);
  await scene.redis.client.pexpire(at, 1);
  await until(async () => (await scene.redis.client.exists(at)) === 0, 'Redis to forget the ticket');
}

describe('a ticket that was used', () => {
  test('opens nothing for others while its stream is open, on no node; the stream stays', async () => {
    const ticket = await scene.ticket();
    const stream = await scene.stream(scene.a, ticket);
    expect(stream.status).toBe(200);
    for (const gateway of [scene.a, scene.b, scene.a]) expect(await scene.status(gateway, ticket)).toBe(401);
    await publishAs(scene.a.url, scene.key, 'orders:1', 'still here');
    await until(() => stream.client.text.includes('still here'), 'the stream to go on');
  });

  test('opens nothing for others when its stream has ended, and opens it again for its holder', async () => {
    const ticket = await scene.ticket();
    const stream = await scene.stream(scene.a, ticket);
    stream.close();
    for (const gateway of [scene.a, scene.b]) expect(await scene.status(gateway, ticket)).toBe(401);
    for (const gateway of [scene.b, scene.a]) {
      const again = await scene.stream(gateway, ticket, stream.cookie);
      expect([again.status, again.cookie]).toEqual([200, undefined]);
      again.close();
    }
    expect(await scene.status(scene.b, ticket)).toBe(401);
  });

  test('is its holder’s until the token ends, and not only for 30 s', async () => {
    const ticket = await scene.ticket(await scene.token({ exp: nowSeconds() + 3600 }));
    await scene.stream(scene.a, ticket);
    const left = await scene.redis.client.pttl(await scene.keyOf(ticket));
    expect(left).toBeGreaterThan(3_500_000);
    expect(left).toBeLessThanOrEqual(3_600_000);
  });

  test('is of one client alone when several come with it at the same instant, on two nodes', async () => {
    for (let round = 0; round < 25; round++) {
      const ticket = await scene.ticket();
      const clients = await Promise.all(
        [scene.a, scene.b, scene.a, scene.b].map((gateway) => scene.stream(gateway, ticket)),
      );
      expect(clients.map(({ status }) => status).toSorted()).toEqual([200, 401, 401, 401]);
      expect(clients.filter(({ cookie }) => cookie !== undefined)).toHaveLength(1);
      const winner = clients.find(({ status }) => status === 200);
      expect(await scene.status(scene.b, ticket, winner?.cookie)).toBe(200);
      for (const client of clients) client.close();
    }
  });

  test('may be opened twice by its holder, also by two nodes at once: both are his', async () => {
    const ticket = await scene.ticket();
    const { cookie } = await scene.stream(scene.a, ticket);
    const both = await Promise.all([scene.a, scene.b].map((gateway) => scene.stream(gateway, ticket, cookie)));
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
  });
});

describe('a ticket that was not used', () => {
  test('opens a stream on another node than the one that made it', async () => {
    const ticket = await scene.ticket();
    expect(await scene.status(scene.b, ticket)).toBe(200);
  });

  test('is good for 30 s and no longer', async () => {
    const ticket = await scene.ticket();
    const left = await scene.redis.client.pttl(await scene.keyOf(ticket));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(CLAIM);
    await letTimePass(ticket);
    for (const gateway of [scene.a, scene.b]) expect(await scene.status(gateway, ticket)).toBe(401);
  });

  test('is good for no longer than its token, which its holder’s stream is neither', async () => {
    const token = await scene.token({ exp: nowSeconds() + 3 });
    const [used, unused] = [await scene.ticket(token), await scene.ticket(token)];
    const stream = await scene.stream(scene.a, used);
    await until(() => stream.client.of('fanfare:bye').length > 0, 'the end of the token');
    expect(stream.client.of('fanfare:bye')[0]?.data).toBe('{"reason":"token_expired"}');
    for (const gateway of [scene.a, scene.b]) {
      expect(await scene.status(gateway, unused)).toBe(401);
      expect(await scene.status(gateway, used, stream.cookie)).toBe(401);
    }
  });

  test('is good for nothing when the subject was disconnected meanwhile, and neither is its cookie', async () => {
    const subject = newSubject();
    const token = await scene.token({ sub: subject });
    const [used, unused] = [await scene.ticket(token), await scene.ticket(token)];
    const streams = [await scene.stream(scene.a, used)];
    const [{ cookie }] = streams as [TicketStream];
    streams.push(await scene.stream(scene.b, used, cookie));
    const answer = await post(scene.b.url, '/v1/disconnect', { subject }, bearer(scene.key));
    expect(answer.status).toBe(202);
    for (const { client } of streams) await until(() => client.of('fanfare:bye').length > 0, 'the end of the streams');
    for (const gateway of [scene.a, scene.b]) {
      expect(await scene.status(gateway, unused)).toBe(401);
      expect(await scene.status(gateway, used, cookie)).toBe(401);
    }
  });

  test('is not spent by looking (HEAD)', async () => {
    const ticket = await scene.ticket();
    const path = `/v1/sse?channel=${CHANNEL}&ticket=${ticket}`;
    const { headers } = await ask(scene.a.url, path, { method: 'HEAD' });
    expect(headers['set-cookie']).toBeUndefined();
    expect(await scene.status(scene.b, ticket)).toBe(200);
  });

  test('is spent by asking for what it does not allow (403): it cannot be tried on channel after channel', async () => {
    const ticket = await scene.ticket();
    const refused = await scene.stream(scene.a, ticket, '', 'invoices:1');
    expect(refused.status).toBe(403);
    expect(await scene.status(scene.a, ticket)).toBe(401);
    expect(await scene.status(scene.b, ticket, refused.cookie, 'invoices:1')).toBe(403);
    expect(await scene.status(scene.b, ticket, refused.cookie, 'orders:1')).toBe(200);
  });

  test('gives no more than the token that it was made with', async () => {
    const token = await scene.token({ subscribe: ['user:{sub}'], sub: 'eve' });
    const ticket = await scene.ticket(token);
    const { cookie, status } = await scene.stream(scene.a, ticket, '', 'user:eve');
    expect(status).toBe(200);
    for (const channel of ['user:ann', 'user:eve:x', 'orders:1', 'user:EVE', '$disconnect'])
      expect(await scene.status(scene.a, ticket, cookie, encodeURIComponent(channel)), channel).toBeGreaterThanOrEqual(
        400,
      );
  });
});

test.each(['SSE', 'WebSocket'])(
  'by %s, who is refused for a while gets the cookie to come back with, later than 30 s too',
  async (by) => {
    const full = await scene.startNode({ FANFARE_MAX_CONNECTIONS: '1' });
    const token = await scene.token();
    const guest = await TicketStream.open(full.url, `channel=${CHANNEL}&ticket=${await scene.ticket(token)}`);
    expect(guest.status).toBe(200);
    const ticket = await scene.ticket(token);
    const query = `channel=${CHANNEL}&ticket=${ticket}`;
    const openOne = async (cookie?: string) =>
      by === 'SSE' ? await TicketStream.open(full.url, query, cookie) : await ticketSocket(full.url, query, { cookie });
    const refused = await openOne();
    await until(() => refused.text.includes('"full"'), 'the refusal');
    expect(refused.text).not.toContain('subscribed');
    const cookie = scene.use(refused.cookie);
    expect(cookie).not.toBe('');
    expect(await scene.redis.client.pttl(await scene.keyOf(ticket))).toBeGreaterThan(CLAIM);
    guest.close();
    await until(async () => (await metric(full, 'fanfare_connections')) === 0, 'the place to be free');
    expect(await scene.status(full, ticket)).toBe(401);
    const back = await openOne(cookie);
    await until(() => /: fanfare|subscribed/.test(back.text), 'the stream');
    back.close();
    await full.kill();
  },
);

test('Redis holds no ticket, no cookie and no token, and forgets each ticket', async () => {
  const token = await scene.token();
  const tickets = [await scene.ticket(token), await scene.ticket(token)] as const;
  const { cookie = '' } = await scene.stream(scene.a, tickets[0]);
  const keys = await scene.redis.client.keys('*');
  const ofTickets = keys.filter((name) => name.includes(':ticket:'));
  for (const ticket of tickets) expect(ofTickets).toContain(await scene.keyOf(ticket));
  for (const name of ofTickets) expect(await scene.redis.client.pttl(name), name).toBeGreaterThan(0);
  const everything = (await Promise.all(keys.map((name) => contentOf(scene.redis.client, name)))).join('\n');
  expect(everything).toContain('"subscribe"');
  for (const secret of [...tickets.map((ticket) => ticket.slice('fft_'.length)), secretIn(cookie), token, scene.key])
    expect(everything).not.toContain(secret);
  nodes.expectNoneIn(everything, 'Redis');
});

/** A key and all that is in it. */
async function contentOf(client: Redis, name: string): Promise<string> {
  const type = await client.type(name);
  if (type === 'string') return `${name} ${await client.get(name)}`;
  const parts: unknown[] =
    type === 'hash' ? Object.entries(await client.hgetall(name)) : await client.xrange(name, '-', '+');
  return [name, ...parts.flat(3)].join(' ');
}
