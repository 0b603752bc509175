import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareIds } from '../../../src/message.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

let gateway: Gateway;
const clients: SseClient[] = [];
beforeAll(async () => {
  gateway = await startGateway({ FANFARE_HEARTBEAT_INTERVAL: '0.5', FANFARE_HEARTBEAT_TIMEOUT: '0.2' });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await gateway?.kill();
});

async function follow(query: string): Promise<SseClient> {
  const client = new SseClient(`${gateway.url}/v1/sse?${query}`);
  clients.push(client);
  return client.open();
}

const beats = (client: SseClient): number => client.text.split(': heartbeat\n').length - 1;
const untilBeats = (client: SseClient, count: number): Promise<void> =>
  until(() => beats(client) >= count, `${count} heartbeats`);

test.concurrent('a heartbeat is a comment and the cursor, and fires nothing', async () => {
  const client = await follow('channel=quiet');
  await untilBeats(client, 2);
  expect(client.text).toMatch(/^: fanfare\nretry: \d+\nid: \d+-\d+\n\n(: heartbeat\nid: \d+-\d+\n\n)+$/);
  expect(client.events).toEqual([]);
});

test.concurrent('a heartbeat moves the cursor on over what others got', async () => {
  const client = await follow('channel=idle');
  const id = await publish(gateway.url, 'busy', 1);
  await until(() => compareIds(client.lastEventId, id) >= 0, 'the cursor to move on');
  expect(client.events).toEqual([]);
  client.close();
  const back = new SseClient(`${gateway.url}/v1/sse?channel=idle&channel=busy`, {
    'last-event-id': client.lastEventId,
  });
  clients.push(back);
  await until(() => back.of('fanfare:caught-up').length === 1, 'the replay to end');
  expect(back.messages).toEqual([]);
});

test.concurrent('idle connections live on over many heartbeats, which are counted', async () => {
  const before = await metric(gateway, 'fanfare_heartbeats_sent_total', 'transport="sse"');
  const idle = await Promise.all(Array.from({ length: 30 }, () => follow('channel=idle-crowd')));
  await Promise.all(idle.map((client) => untilBeats(client, 5)));
  expect(idle.filter((client) => client.ended)).toEqual([]);
  await publish(gateway.url, 'idle-crowd', 'still there');
  await until(() => idle.every((client) => client.messages.length === 1), 'the message');
  const sent = await metric(gateway, 'fanfare_heartbeats_sent_total', 'transport="sse"');
  expect(sent - before).toBeGreaterThanOrEqual(30 * 5);
  expect(await metric(gateway, 'fanfare_heartbeat_failures_total')).toBe(0);
});

test.concurrent('heartbeats of those who came at once are spread over the interval', async () => {
  const crowd = await Promise.all(Array.from({ length: 20 }, () => follow('channel=spread')));
  const arrivals = new Map<SseClient, number>();
  await until(() => {
    for (const client of crowd)
      if (!arrivals.has(client) && beats(client) > 0) arrivals.set(client, Math.floor(performance.now() / 50));
    return arrivals.size === crowd.length;
  }, 'everyone to have one');
  expect(new Set(arrivals.values()).size).toBeGreaterThan(3);
});
