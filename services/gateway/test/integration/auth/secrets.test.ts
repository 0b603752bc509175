import { expect, test } from 'vitest';
import { CLOSES, ERRORS } from '../../../src/errors.ts';
import { runGateway } from '../../support/gateway.ts';
import { startRedis } from '../../support/redis.ts';
import { Secrets, WatchedNodes, watchNodes } from '../../support/secrets.ts';
import { SseClient } from '../../support/sse-client.ts';
import { nowSeconds, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { ask, bearer, post, publishAs } from './ask.ts';
import { COOKIE, DOORS } from './doors.ts';

// Every file of this folder searches what its nodes have said. Here it is shown that the search finds something, and what it searches is
// made to say as much as it can.

const nodes = watchNodes();
const signer = secretSigner();
const key = publishSecret();
const keys = JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['orders:*'], disconnect: true }]);

test('the search finds secrets by their look, and those that are named by any piece of them', async () => {
  const token = await signer.sign();
  const secrets = new Secrets();
  for (const secret of [token, key.secret, 'fft_AAAAAAAAAAAAAAAAAAAAAA', 'ff_0123abcd=AAAAAAAAAAAAAAAAAAAAAA'])
    for (const text of [secret, `{"url":"/v1/sse?x=${secret}&y=1"}`, secret.slice(0, 30)])
      expect(secrets.find(text)).not.toEqual([]);
  const odd = secrets.use('hunter2-hunter3-hunter4');
  for (const text of [odd, odd.slice(0, 12), `x${odd.slice(-12)}x`, `…${odd.slice(5, 18)}…`])
    expect(secrets.find(text)).not.toEqual([]);
  for (const text of ['', 'hunter2-hun', 'token key ticket', 'ffk_…', 'fft', '"kid":"eyJ"', 'authentication is on'])
    expect(secrets.find(text)).toEqual([]);
});

test('a node that told a secret would be found, in its log and in its metrics', async () => {
  for (const [FANFARE_NODE_NAME, hasLook] of [
    [key.secret.slice(0, 40), true],
    ['hunter2-hunter3', false],
  ] as const) {
    const watched = new WatchedNodes();
    watched.use('hunter2-hunter3');
    const node = await watched.startGateway({ FANFARE_NODE_NAME });
    expect(() => watched.expectNoneIn(node.output, 'its log')).toThrow('its log holds secrets');
    const metrics = await (await fetch(`${node.adminUrl}/metrics`)).text();
    expect(() => watched.expectNoneIn(metrics, 'its metrics')).toThrow('its metrics holds secrets');
    // What looks like a secret is found in every test's node.
    if (hasLook) await expect(node.stop()).rejects.toThrow('has written a secret');
    else await node.stop();
    await expect(watched.end()).rejects.toThrow('holds secrets');
  }
});

test('a node tells no secret when its Redis fails in the middle of everything', async () => {
  const redis = await startRedis();
  const node = await nodes.startGateway({
    REDIS_URL: redis.url,
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_COOKIE_NAME: COOKIE,
    FANFARE_PUBLISH_KEYS: keys,
    FANFARE_MAX_PUBLISH_RATE: '100',
  });
  const token = await signer.sign();
  const { ticket } = JSON.parse(
    (await ask(node.url, '/v1/tickets', { method: 'POST', headers: bearer(token) })).text,
  ) as { ticket: string };
  const stream = await new SseClient(`${node.url}/v1/sse?channel=orders:1&ticket=${ticket}`).open();
  const cookie = nodes.use(String(stream.headers['set-cookie']?.[0]?.split(';')[0]));
  const webSocket = await new WebSocketClient(`${node.url}/v1/ws`).open();
  await webSocket.ask({ type: 'auth', token });
  await redis.kill();
  await until(async () => (await publishAs(node.url, token, 'orders:1', 1)).status === 503, 'the outage');
  const answers = [
    await publishAs(node.url, key.secret, 'orders:1', 1),
    await ask(node.url, `/v1/sse?channel=orders:1&ticket=${ticket}`, { headers: { cookie } }),
    await ask(node.url, '/v1/tickets', { method: 'POST', headers: bearer(token) }),
    await post(node.url, '/v1/disconnect', { subject: 'ann' }, bearer(key.secret)),
  ];
  for (const { text } of answers) nodes.expectNoneIn(text, 'an answer');
  expect(answers.map(({ status }) => status)).toEqual([503, 200, 503, 503]);
  expect((await webSocket.ask({ type: 'publish', channel: 'orders:1', data: 1 })).type).toBe('error');
  expect((await webSocket.ask({ type: 'auth', token })).type).toBe('authenticated');
  stream.close();
  webSocket.close();
  await node.stop();
  expect(node.output).toContain('"level":');
  await redis.stop();
});

test.each([
  ['a secret that is too short', { FANFARE_JWT_SECRET: 'hunter2-hunter3' }],
  ['a secret where the key belongs', { FANFARE_JWT_PUBLIC_KEY: signer.secret }],
  ['a secret where the address belongs', { FANFARE_JWT_JWKS_URL: `https://ann:${signer.secret}@issuer.example/keys` }],
  ['two kinds of keys', { FANFARE_JWT_SECRET: signer.secret, FANFARE_JWT_PUBLIC_KEY: key.secret }],
  [
    'a secret where its SHA-256 belongs',
    { FANFARE_JWT_SECRET: signer.secret, FANFARE_PUBLISH_KEYS: keys.replace(key.sha256, key.secret) },
  ],
  ['a secret as the list of keys', { FANFARE_JWT_SECRET: signer.secret, FANFARE_PUBLISH_KEYS: key.secret }],
  ['a secret as a cookie’s name', { FANFARE_JWT_SECRET: signer.secret, FANFARE_COOKIE_NAME: `${key.secret};` }],
  ['a secret as the kind of authentication', { FANFARE_AUTH: key.secret }],
])('a node that refuses its start tells no secret: %s', async (_, env) => {
  const secrets = new Secrets();
  for (const secret of [signer.secret, key.secret, 'hunter2-hunter3']) secrets.use(secret);
  const { code, stderr } = await runGateway({ LOG_LEVEL: 'trace', FANFARE_AUTH: 'jwt', ...env } as Record<
    string,
    string
  >);
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining('mistake')]);
  expect(secrets.find(stderr)).toEqual([]);
});

test('whatever clients send, the labels of metrics come from a short list', async () => {
  const node = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_COOKIE_NAME: COOKIE,
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    FANFARE_PUBLISH_KEYS: keys,
  });
  const attacks = [
    await signer.sign({ sub: `subject-${'x'.repeat(50)}`, subscribe: ['orders:*'], publish: ['orders:*'] }),
    await signer.sign({ sub: 'reason="x"} 1\nfanfare_evil 1' }),
    await signer.sign({ iat: 1, exp: nowSeconds() - 1 }),
    await secretSigner().sign(),
    publishSecret().secret,
    key.secret,
    'nonsense',
  ];
  for (const token of attacks)
    for (const channel of ['orders:1', 'else', 'news:1', '%00'])
      await Promise.all(DOORS.map((door) => door.try(node, channel, token).catch(() => undefined)));
  const metrics = await (await fetch(`${node.adminUrl}/metrics`)).text();
  const labels = [...metrics.matchAll(/^(fanfare_\w+)\{([^}]*)\}/gm)].flatMap(([, name = '', inside = '']) =>
    [...inside.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => ({ name, label, value })),
  );
  const known = [
    ...Object.keys(ERRORS),
    ...Object.keys(CLOSES),
    'client_gone',
    'client_closed',
    'write_stalled',
    'socket_error',
    'missed_pong',
  ];
  const reasons = labels.filter(({ label, name }) => label === 'reason' && !name.includes('gaps'));
  expect(reasons.map(({ value }) => value).filter((value) => !known.includes(value ?? ''))).toEqual([]);
  for (const reason of ['unauthenticated', 'forbidden'])
    expect(
      reasons.filter(({ name, value }) => name === 'fanfare_connections_refused_total' && value === reason),
    ).toHaveLength(1);
  const results = labels.filter(({ label }) => label === 'result').map(({ value }) => value ?? '');
  expect(results.filter((value) => ![...Object.keys(ERRORS), 'accepted', 'replayed'].includes(value))).toEqual([]);
  expect(metrics).not.toContain('evil');
  expect(metrics).not.toContain('subject-');
});
