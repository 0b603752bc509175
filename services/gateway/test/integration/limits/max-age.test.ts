import { afterEach, expect, test } from 'vitest';
import { DeliveryLedger } from '../../support/delivery-ledger.ts';
import { Followers } from '../../support/followers.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { Publishers } from '../../support/publishers.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

let gateway: Gateway;
let followers: Followers | undefined;
afterEach(async () => {
  followers?.close();
  await gateway?.kill();
});

test('those who are sent to come back for their age miss nothing, while messages are published all the time', async () => {
  gateway = await startGateway({
    FANFARE_HEARTBEAT_INTERVAL: '2',
    FANFARE_HEARTBEAT_TIMEOUT: '1.8',
    FANFARE_MAX_CONNECTION_AGE: '2',
  });
  const channels = ['age:busy', 'age:other'];
  const ledger = new DeliveryLedger();
  followers = new Followers(gateway.url, channels, ledger, 6);
  const [sse, webSockets] = [followers.of('sse'), followers.of('websocket')];
  // Never all at once, perhaps: the first may be gone before the last has come.
  await until(
    () => sse.every(({ openings }) => openings > 0) && webSockets.every(({ live }) => live),
    'everyone to have a place to come back to',
  );
  const publishers = new Publishers(gateway.url, channels, ledger, { count: 2, perSecond: 50 });
  const { all } = followers;
  await until(() => all.every(({ openings }) => openings >= 2), 'everyone to have come back', 50);
  await publishers.stop();
  await ledger.settle();
  expect(ledger.faults()).toEqual([]);
  for (const { farewells } of all)
    expect([farewells.length > 0, new Set(farewells)]).toEqual([true, new Set(['max_age'])]);
  expect(await metric(gateway, 'fanfare_gaps_total')).toBe(0);
  for (const transport of ['sse', 'websocket'])
    expect(
      await metric(gateway, 'fanfare_connections_closed_total', `transport="${transport}",reason="max_age"`),
    ).toBeGreaterThanOrEqual(6);
});

const CROWD = 25;

/** How many different numbers of those who are gone were seen on the way from none to all. */
async function departures(gone: () => number): Promise<number> {
  const seen = new Set<number>();
  await until(() => {
    seen.add(gone());
    return gone() === CROWD;
  }, 'all to be sent away');
  return seen.size;
}

test('event streams that opened together do not end together, and each ends with its cursor', async () => {
  gateway = await startGateway({
    FANFARE_HEARTBEAT_INTERVAL: '0.3',
    FANFARE_HEARTBEAT_TIMEOUT: '0.2',
    FANFARE_MAX_CONNECTION_AGE: '3',
  });
  const streams = Array.from({ length: CROWD }, () => new SseClient(`${gateway.url}/v1/sse?channel=crowd`));
  expect(await departures(() => streams.filter(({ ended }) => ended).length)).toBeGreaterThan(5);
  for (const { text } of streams)
    expect(text).toMatch(/: heartbeat\nid: \d+-\d+\n\nevent: fanfare:bye\ndata: \{"reason":"max_age"\}\n\n$/);
  // Lifetimes of 9, 10 and 11 heartbeats.
  expect(new Set(streams.map(({ text }) => text.split(': heartbeat\n').length)).size).toBeGreaterThan(1);
});

test('WebSockets that opened together do not end together, and each ends with its cursor', async () => {
  gateway = await startGateway({
    FANFARE_HEARTBEAT_INTERVAL: '2',
    FANFARE_HEARTBEAT_TIMEOUT: '1.8',
    FANFARE_MAX_CONNECTION_AGE: '2',
  });
  const sockets = Array.from({ length: CROWD }, () => new WebSocketClient(`${gateway.url}/v1/ws?channel=crowd`));
  const gone = (): number => sockets.filter(({ closeCode }) => closeCode !== undefined).length;
  expect(await departures(gone)).toBeGreaterThan(5);
  for (const { closeCode, closeReason, received } of sockets) {
    expect([closeCode, closeReason]).toEqual([1001, 'max_age']);
    expect(received.at(-1)).toEqual({ type: 'cursor', id: expect.stringMatching(/^\d+-\d+$/) });
  }
});
