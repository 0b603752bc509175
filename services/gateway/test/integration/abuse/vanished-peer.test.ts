import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { postJson } from '../../support/http-exchange.ts';
import { until } from '../../support/until.ts';
import { startVanishingPeer, type VanishingPeer } from '../../support/vanishing-peer.ts';

/** Generous: the node takes a heartbeat and its time-out, 5 seconds; a kernel that nobody told anything, a quarter of an hour. */
const FOUND_SECONDS = 45;

describe.runIf(process.platform === 'linux')('a peer that vanishes without a word', () => {
  let peer: VanishingPeer;
  let gateway: Gateway;
  beforeAll(async () => {
    peer = await startVanishingPeer();
    const node = await startGateway({
      HOST: peer.address,
      FANFARE_AUTH: 'off',
      FANFARE_HEARTBEAT_INTERVAL: '3',
      FANFARE_HEARTBEAT_TIMEOUT: '2',
    });
    gateway = { ...node, adminUrl: `http://${peer.address}:${node.adminPort}` };
  });
  afterAll(async () => {
    await gateway?.kill();
    await peer?.remove();
  });

  const count = (name: string, labels: string): Promise<number> => metric(gateway, name, labels);

  test('is found on both transports, idle or with data under way, and counted', async () => {
    const bystanders = await Bystanders.watch(gateway);
    const webSocketUrl = gateway.url.replace('http', 'ws');
    for (const channel of ['idle', 'busy']) {
      peer.open(`${gateway.url}/v1/sse?channel=${channel}`);
      peer.open(`${webSocketUrl}/v1/ws?channel=${channel}`);
    }
    await until(async () => (await count('fanfare_connections', '')) === 6, 'everyone to be connected');
    const sent = await count('fanfare_heartbeats_sent_total', '');
    await until(async () => (await count('fanfare_heartbeats_sent_total', '')) >= sent + 12, 'two heartbeats for each');
    expect(await count('fanfare_heartbeat_failures_total', '')).toBe(0);

    await peer.vanish();
    const messages = Array.from({ length: 10 }, () => ({ channel: 'busy', data: 'x'.repeat(60_000) }));
    expect((await postJson(gateway.url, '/v1/messages', JSON.stringify({ messages }))).status).toBe(200);
    await until(async () => (await count('fanfare_connections', '')) === 2, 'all four to be found', FOUND_SECONDS);

    for (const transport of ['sse', 'websocket']) {
      const of = `transport="${transport}"`;
      expect(await count('fanfare_connections', of)).toBe(1);
      expect(await count('fanfare_heartbeat_failures_total', of)).toBe(2);
      for (const reason of ['missed_pong', 'write_stalled', 'socket_error']) {
        const labels = `${of},reason="${reason}"`;
        expect(await count('fanfare_connections_closed_total', labels)).toBe(
          await count('fanfare_heartbeat_failures_total', labels),
        );
      }
    }
    // More waited than the kernel takes.
    expect(await count('fanfare_heartbeat_failures_total', 'transport="sse",reason="write_stalled"')).toBe(1);
    await bystanders.leave();
  });
});
