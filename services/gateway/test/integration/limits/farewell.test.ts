import { afterEach, expect, test } from 'vitest';
import { parseCursor } from '../../../src/cursor.ts';
import { partitionOf } from '../../../src/message.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';

let gateway: Gateway;
afterEach(() => gateway?.kill());

test.for([1, 3])(
  'whoever followed what was quiet is sent away with the place to which its node has come, over %i partitions',
  async (partitions) => {
    // No heartbeat comes in between to move the cursor on.
    gateway = await startGateway({
      FANFARE_PARTITIONS: String(partitions),
      FANFARE_HEARTBEAT_INTERVAL: '3600',
      FANFARE_HEARTBEAT_TIMEOUT: '10',
    });
    const namespaces = Array.from({ length: 20 }, (_, i) => `n${i}`);
    const numbers = Array.from({ length: partitions }, (_, i) => i);
    /** A namespace of each partition. */
    const chosen = numbers.map(
      (partition) => namespaces.find((name) => partitionOf(name, partitions) === partition) ?? '',
    );
    const query = chosen.map((namespace) => `channel=${namespace}:quiet`).join('&');
    const sse = await new SseClient(`${gateway.url}/v1/sse?${query}`).open();
    const gzip = await new SseClient(`${gateway.url}/v1/sse?${query}`, { 'accept-encoding': 'gzip' }).open();
    const websocket = await new WebSocketClient(`${gateway.url}/v1/ws?${query}`).open();
    await until(() => websocket.of('subscribed').length === partitions, 'the subscriptions');
    const start = sse.lastEventId;

    const ids = new Map<number, string>();
    for (const partition of numbers) ids.set(partition, await publish(gateway.url, `${chosen[partition]}:busy`, 1));
    const seen = await new SseClient(`${gateway.url}/v1/sse?channel=${chosen.at(-1)}:busy&last=1`).open();
    await until(() => seen.messages.length === 1, 'the node to have seen the last one');
    expect([sse.lastEventId, websocket.of('cursor')]).toEqual([start, []]);

    expect(await gateway.stop()).toBe(0);
    await until(() => sse.ended && gzip.ended && websocket.closeCode !== undefined, 'the farewells');
    expect([websocket.closeCode, websocket.closeReason]).toEqual([1012, 'draining']);
    expect(websocket.received.at(-1)).toMatchObject({ type: 'cursor' });
    for (const { text } of [sse, gzip])
      expect(text).toMatch(/: heartbeat\nid: \S+\n\nevent: fanfare:bye\ndata: \{"reason":"draining"\}\n\n$/);
    for (const cursor of [sse.lastEventId, gzip.lastEventId, String(websocket.of('cursor')[0]?.id)])
      expect(parseCursor(cursor, numbers)).toEqual(ids);
  },
);
