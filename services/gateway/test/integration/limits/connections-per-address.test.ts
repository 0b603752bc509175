import { networkInterfaces } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { RawWebSocket } from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';

const LIMIT = 2;
const PROXIED = { FANFARE_MAX_CONNECTIONS_PER_IP: String(LIMIT), FANFARE_TRUSTED_PROXIES: '127.0.0.1 10.0.0.0/8' };

let gateway: Gateway;
const open: RawSocket[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) socket.close();
  await gateway?.kill();
});

const from = (...addresses: string[]): Record<string, string | string[]> =>
  addresses.length === 0 ? {} : { 'X-Forwarded-For': addresses };

/** Opens a stream with these `X-Forwarded-For`; 'open', or the reason of the refusal. */
async function openSse(...addresses: string[]): Promise<string> {
  const socket = new RawSocket(gateway.port).send(head('GET /v1/sse?channel=a', from(...addresses)));
  open.push(socket);
  await until(() => socket.ended || socket.text.includes(': fanfare\n'), 'the stream, or its end');
  if (!socket.ended) return 'open';
  expect(socket.text).toMatch(/^HTTP\/1\.1 200 [\s\S]*\nretry: \d{4,5}\n\nevent: fanfare:bye\ndata: \{"reason":/);
  return /"reason":"(\w+)"/.exec(socket.text)?.[1] ?? '';
}

/** The same of a WebSocket. */
async function openWebSocket(...addresses: string[]): Promise<string> {
  const socket = new RawWebSocket(gateway.port, '/v1/ws', undefined, from(...addresses));
  open.push(socket);
  await until(() => socket.frames.length > 0, 'the first frame');
  if (socket.text.includes('"welcome"')) return 'open';
  expect(socket.text).toMatch(/^HTTP\/1\.1 101 [\s\S]*"type":"error","code":"\w+","detail":"[^"]*come back after/);
  const { code, reason } = await socket.closeFrame();
  expect(code).toBe(1013);
  await socket.end();
  return reason;
}

const refused = (): Promise<number> =>
  metric(gateway, 'fanfare_connections_refused_total', 'reason="too_many_connections"');

test('an address has its share, over both transports, and no more; the refusals say why and when to come back', async () => {
  gateway = await startGateway({ ...PROXIED, FANFARE_TRUSTED_PROXIES: '' });
  expect([await openSse(), await openWebSocket()]).toEqual(['open', 'open']);
  expect([await openSse(), await openWebSocket()]).toEqual(['too_many_connections', 'too_many_connections']);
  expect(await refused()).toBe(2);
  expect(await metric(gateway, 'fanfare_connections')).toBe(LIMIT);
  // What is no connection is not counted: publishes, reads, the heads of streams.
  for (const path of ['/v1/openapi.json', '/v1/channels/a/messages'])
    expect((await fetch(gateway.url + path)).status).toBe(200);
});

test('behind trusted proxies each client has a share of its own, and one that is used up harms nobody else', async () => {
  gateway = await startGateway(PROXIED);
  for (const address of ['203.0.113.1', '203.0.113.2']) {
    expect([await openSse(address), await openWebSocket(address)]).toEqual(['open', 'open']);
    expect([await openSse(address), await openWebSocket(address)]).toEqual([
      'too_many_connections',
      'too_many_connections',
    ]);
  }
  // Whoever names no client is one itself.
  const bystanders = await Bystanders.watch(gateway);
  expect(await openSse('203.0.113.1')).toBe('too_many_connections');
  expect(await openSse()).toBe('too_many_connections');
  await bystanders.leave();
  expect(await refused()).toBe(6);
});

test('only what trusted proxies wrote is believed', async () => {
  gateway = await startGateway(PROXIED);
  // What the client itself claimed stands on the left of what the proxy saw.
  expect([await openSse('198.51.100.1, 203.0.113.1'), await openWebSocket('198.51.100.2,203.0.113.1')]).toEqual([
    'open',
    'open',
  ]);
  const spoofed = ['198.51.100.3, 203.0.113.1', '203.0.113.1, 10.1.2.3', 'nonsense, 203.0.113.1', '::ffff:203.0.113.1'];
  for (const value of [...spoofed, '203.0.113.1:4711'])
    expect([value, await openSse(value), await openWebSocket(value)]).toEqual([
      value,
      'too_many_connections',
      'too_many_connections',
    ]);
  expect(await openWebSocket('198.51.100.3', '203.0.113.1')).toBe('too_many_connections');
});

test('a peer that is not trusted is counted itself, whatever it claims', async () => {
  gateway = await startGateway({ ...PROXIED, FANFARE_TRUSTED_PROXIES: '10.0.0.0/8' });
  const outcomes: string[] = [];
  for (let i = 0; i < 4; i++) outcomes.push(await openSse(`203.0.113.${i}`));
  expect(outcomes).toEqual(['open', 'open', 'too_many_connections', 'too_many_connections']);
  expect(await openWebSocket('10.0.0.1')).toBe('too_many_connections');
});

test('of IPv6 a network of 64 bits is one client', async () => {
  gateway = await startGateway(PROXIED);
  expect([await openSse('2001:db8:0:1::1'), await openWebSocket('[2001:DB8:0:1:ffff::2]:443')]).toEqual([
    'open',
    'open',
  ]);
  expect(await openSse('2001:0db8:0000:0001:a:b:c:d')).toBe('too_many_connections');
  expect(await openSse('2001:db8:0:2::1')).toBe('open');
});

const hasIpv6 = (networkInterfaces().lo ?? networkInterfaces().lo0 ?? []).some(({ address }) => address === '::1');

test.runIf(hasIpv6)('clients that come by IPv6 are counted too', async () => {
  const node = await startGateway({ HOST: '::1', FANFARE_MAX_CONNECTIONS_PER_IP: '1' });
  gateway = { ...node, adminUrl: `http://[::1]:${node.adminPort}` };
  const first = await fetch(`${gateway.url}/v1/sse?channel=a`);
  const second = await (await fetch(`${gateway.url}/v1/sse?channel=a`)).text();
  expect(second).toContain('data: {"reason":"too_many_connections"}');
  await first.body?.cancel();
});
