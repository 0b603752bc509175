import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { postJson } from '../../support/http-exchange.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

/** More than the kernel's buffers of a connection on one machine take. */
const MESSAGES = 300;
const FILLER = 'x'.repeat(60_000);

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ FANFARE_MAX_BACKLOG_BYTES: String(2 * 1024 * 1024) });
});
afterAll(() => gateway?.kill());

async function publishAll(channel: string): Promise<void> {
  for (let next = 0; next < MESSAGES; next += 20) {
    const messages = Array.from({ length: 20 }, (_, i) => ({ channel, data: `${next + i} ${FILLER}` }));
    expect((await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }))).status).toBe(200);
  }
}

const numbersIn = (text: string): number[] =>
  [...text.matchAll(/^data: "(\d+) x+"\n\n/gm)].map(([, number]) => Number(number));

test('a reader that falls behind is told that it is too slow, comes back, and has lost nothing; nobody else is disturbed', async () => {
  const url = `${gateway.url}/v1/sse?channel=slow`;
  const others = await Promise.all([0, 1].map(() => new SseClient(url).open()));
  const slow = await new RawSocket(gateway.port).send(head('GET /v1/sse?channel=slow')).hears('\n\n');
  slow.socket.pause();
  await publishAll('slow');
  await until(() => others.every((client) => client.messages.length === MESSAGES), 'the others to have all');
  expect(others.map((client) => client.ended)).toEqual([false, false]);
  await until(
    async () => (await metric(gateway, 'fanfare_slow_consumers_total', 'transport="sse"')) === 1,
    'the count',
  );
  expect(await metric(gateway, 'fanfare_connections_closed_total', 'transport="sse",reason="too_slow"')).toBe(1);
  expect(await metric(gateway, 'fanfare_connections', 'transport="sse"')).toBe(2);

  slow.socket.resume();
  await slow.end();
  const first = slow.text;
  expect(first.endsWith('event: fanfare:bye\ndata: {"reason":"too_slow"}\n\n')).toBe(true);
  const seen = numbersIn(first);
  expect(seen.length).toBeLessThan(MESSAGES);
  const cursor = [...first.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';

  const back = new SseClient(url, { 'last-event-id': cursor });
  await until(() => back.of('fanfare:caught-up').length === 1, 'the replay to end');
  expect(back.of('fanfare:gap')).toEqual([]);
  seen.push(...back.messages.map(({ data }) => Number.parseInt(data.slice(1), 10)));
  expect(seen).toEqual(Array.from({ length: MESSAGES }, (_, i) => i));
  for (const client of [...others, back]) client.close();
});

test('a replay goes at the pace of its reader: however far it is behind, it is not too slow', async () => {
  const start = (await new SseClient(`${gateway.url}/v1/sse?channel=replay`).open()).lastEventId;
  await publishAll('replay');
  const before = await metric(gateway, 'fanfare_slow_consumers_total');
  const reader = new RawSocket(gateway.port).send(head(`GET /v1/sse?channel=replay&after=${start}`));
  reader.socket.pause();
  const count = () => metric(gateway, 'fanfare_deliveries_total', 'transport="sse"');
  let stood = -1;
  // Until the node hands over no more, since the reader takes nothing.
  await until(async () => {
    const [last, now] = [stood, await count()];
    stood = now;
    return last === now && now > 0;
  }, 'the replay to wait');
  reader.socket.resume();
  await reader.hears('fanfare:caught-up');
  expect(numbersIn(reader.text)).toEqual(Array.from({ length: MESSAGES }, (_, i) => i));
  expect(await metric(gateway, 'fanfare_slow_consumers_total')).toBe(before);
  reader.close();
});

test('a peer that takes nothing at all is found dead at a heartbeat', async () => {
  const dying = await startGateway({ FANFARE_HEARTBEAT_INTERVAL: '0.5', FANFARE_HEARTBEAT_TIMEOUT: '0.2' });
  try {
    const socket = await new RawSocket(dying.port).send(head('GET /v1/sse?channel=stalled')).hears('\n\n');
    socket.socket.pause();
    const messages = Array.from({ length: 20 }, () => ({ channel: 'stalled', data: FILLER }));
    const failures = () => metric(dying, 'fanfare_heartbeat_failures_total', 'transport="sse",reason="write_stalled"');
    // Less at once than would make it too slow.
    await until(
      async () => {
        await postJson(dying.url, '/v1/messages', JSON.stringify({ messages: messages.slice(0, 10) }));
        return (await failures()) + (await metric(dying, 'fanfare_slow_consumers_total')) > 0;
      },
      'the connection to be found dead',
      50,
    );
    expect(await metric(dying, 'fanfare_connections', 'transport="sse"')).toBe(0);
    socket.close();
  } finally {
    await dying.kill();
  }
});
