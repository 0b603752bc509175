import { expect, onTestFinished, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { publish } from '../support/publish.ts';
import { SseClient } from '../support/sse-client.ts';
import { until } from '../support/until.ts';
import { WebSocketClient } from '../support/websocket-client.ts';

const CHANNEL = 'quiet';
/** The same at both edges. */
const STREAM_TIMEOUT_SECONDS = 3;
/** How many connections without heartbeats NGINX cuts, one after the other, while those with heartbeats must live. */
const CUTS = 2;

class IdlePair {
  readonly sse: SseClient;
  readonly webSocket: WebSocketClient;
  pings = 0;

  constructor(url: string) {
    this.sse = new SseClient(`${url}/v1/sse?channel=${CHANNEL}`);
    this.webSocket = new WebSocketClient(`${url}/v1/ws?channel=${CHANNEL}`);
    this.webSocket.socket.on('ping', () => {
      this.pings++;
    });
    onTestFinished(() => this.close());
  }

  async open(): Promise<this> {
    await Promise.all([this.sse.open(), this.webSocket.open()]);
    return this;
  }

  get heartbeats(): number {
    return this.sse.text.split('\n').filter((line) => line === ': heartbeat').length;
  }

  get ended(): { sse: boolean; webSocket: boolean } {
    return { sse: this.sse.ended, webSocket: this.webSocket.closeCode !== undefined };
  }

  close(): void {
    this.sse.close();
    this.webSocket.close();
  }
}

test('idle connections outlive the read timeout of NGINX on heartbeats alone; without, it cuts them', async () => {
  const edge = { nodes: 1, streamTimeoutSeconds: STREAM_TIMEOUT_SECONDS };
  // A time-out that a busy machine does not miss by itself.
  const [beating, silent] = await Promise.all([
    startTestCluster({ ...edge, env: { FANFARE_HEARTBEAT_INTERVAL: '1', FANFARE_HEARTBEAT_TIMEOUT: '0.9' } }),
    startTestCluster({ ...edge, env: { FANFARE_HEARTBEAT_INTERVAL: '600' } }),
  ]);
  const idle = await new IdlePair(beating.url).open();

  for (let cut = 1; cut <= CUTS; cut++) {
    const control = await new IdlePair(silent.url).open();
    await until(() => control.ended.sse && control.ended.webSocket, 'NGINX to cut what is silent');
    expect(control.sse.status).toBe(200);
    expect(control.sse.text).not.toContain('fanfare:bye');
    expect(control.webSocket.closeCode).toBe(1006);
    expect(control.heartbeats + control.pings).toBe(0);
  }

  expect(idle.ended).toEqual({ sse: false, webSocket: false });
  expect(idle.heartbeats).toBeGreaterThan(CUTS);
  expect(idle.pings).toBeGreaterThan(CUTS);
  expect(idle.sse.events).toEqual([]);
  const id = await publish(beating.url, CHANNEL, 'after the silence');
  await until(() => idle.sse.messages.length > 0 && idle.webSocket.of('message').length > 0, 'the message');
  expect(idle.sse.messages.map(({ lastEventId }) => lastEventId)).toEqual([id]);
  expect(idle.webSocket.of('message').map((message) => message.id)).toEqual([id]);
});
