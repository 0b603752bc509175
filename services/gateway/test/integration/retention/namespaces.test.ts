import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

const RULES = { FANFARE_RETENTION: 'few=size:2; typing=none', FANFARE_HISTORY_SIZE: '50' };

describe('a namespace with a rule of its own', () => {
  let redis: TestRedis;
  let gateway: Gateway;
  beforeAll(async () => {
    redis = await startRedis();
    gateway = await startGateway({ REDIS_URL: redis.url, ...RULES });
  });
  afterAll(async () => {
    await gateway?.kill();
    await redis?.stop();
  });

  /** A node that has nothing in memory: what it can replay is what the histories hold. */
  async function forgetful(): Promise<Gateway> {
    const started = await startGateway({ REDIS_URL: redis.url, ...RULES, FANFARE_RECENT_BYTES: '1048576' });
    const filler = 'x'.repeat(60_000);
    for (let i = 0; i < 40; i++) await publish(started.url, 'filler', filler);
    return started;
  }

  async function replay(node: Gateway, channel: string, after: string): Promise<{ data: unknown[]; gaps: string[] }> {
    const client = new SseClient(`${node.url}/v1/sse?channel=${channel}`, { 'last-event-id': after });
    await until(() => client.of('fanfare:caught-up').length === 1, 'the end of the replay');
    client.close();
    return {
      data: client.messages.map(({ data }) => JSON.parse(data)),
      gaps: client.of('fanfare:gap').map(({ data }) => JSON.parse(data).reason),
    };
  }

  test('keeps as many messages as its rule says, and none where there is to be no history', async () => {
    const few = [];
    for (let i = 0; i < 5; i++) few.push(await publish(gateway.url, 'few:1', i));
    const usual = await publish(gateway.url, 'usual', 0);
    for (let i = 1; i < 5; i++) await publish(gateway.url, 'usual', i);
    const live = await new SseClient(`${gateway.url}/v1/sse?channel=typing:room`).open();
    const typing = [];
    for (let i = 0; i < 3; i++) typing.push(await publish(gateway.url, 'typing:room', i));
    await until(() => live.messages.length === 3, 'what is not kept to be delivered');
    live.close();

    // From memory everything is replayed, as long as it is there.
    expect(await replay(gateway, 'typing:room', typing[0] as string)).toEqual({ data: [1, 2], gaps: [] });

    const late = await forgetful();
    expect(await replay(late, 'few:1', few[0] as string)).toEqual({ data: [3, 4], gaps: ['trimmed'] });
    expect(await replay(late, 'few:1', few[2] as string)).toEqual({ data: [3, 4], gaps: [] });
    expect(await replay(late, 'usual', usual)).toEqual({ data: [1, 2, 3, 4], gaps: [] });
    expect(await replay(late, 'typing:room', typing[0] as string)).toEqual({ data: [], gaps: ['trimmed'] });
    expect(await replay(late, 'typing:room', typing[2] as string)).toEqual({ data: [], gaps: [] });
    await late.kill();
  });
});
