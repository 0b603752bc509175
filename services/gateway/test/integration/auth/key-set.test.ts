import { describe, expect, type TestContext, test } from 'vitest';
import type { Gateway } from '../../support/gateway.ts';
import { JwksServer } from '../../support/jwks-server.ts';
import { watchNodes } from '../../support/secrets.ts';
import { SseClient } from '../../support/sse-client.ts';
import { keyPairSigner, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { ask, bearer, historyOf, publishAs } from './ask.ts';

const nodes = watchNodes();
const key = publishSecret();
const [first, second, foreign] = [keyPairSigner('ES256'), keyPairSigner('EdDSA'), keyPairSigner('ES256')];

/** The tests run side by side, so that each has its own context. */
async function scene(
  context: TestContext,
  keys: readonly object[],
  { down = false } = {},
): Promise<{ node: Gateway; server: JwksServer }> {
  const server = await JwksServer.start(keys, { down });
  context.onTestFinished(() => server.stop());
  const node = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_JWKS_URL: server.url,
    FANFARE_JWT_AUDIENCE: 'fanfare',
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['*'] }]),
  });
  return { node, server };
}
const claims = { aud: 'fanfare' };

describe.concurrent('a key set', () => {
  test('that was never read lets nobody in by token, says so, hinders nobody else, and heals', async (context) => {
    const { node, server } = await scene(context, [first.jwk], { down: true });
    const token = await first.sign(claims);
    const { url } = node;
    const history = await ask(url, '/v1/channels/a/messages', { headers: bearer(token) });
    expect([history.status, Number(history.headers['retry-after']) >= 1]).toEqual([503, true]);
    expect(history.text).toContain('auth_unavailable');
    for (const answer of [
      await publishAs(url, token, 'a', 1),
      await ask(url, '/v1/tickets', { method: 'POST', headers: bearer(token) }),
      await ask(url, '/v1/channels/a/messages?wait=1', { headers: bearer(token) }),
    ])
      expect(answer.status).toBe(503);
    const stream = await new SseClient(`${url}/v1/sse?channel=a`, bearer(token)).open();
    await until(() => stream.ended, 'the end');
    expect([stream.status, stream.of('fanfare:bye').map(({ data }) => data)]).toEqual([
      200,
      ['{"reason":"auth_unavailable"}'],
    ]);
    expect(stream.retryMilliseconds).toBeGreaterThanOrEqual(5000);
    const webSocket = await new WebSocketClient(`${url}/v1/ws?channel=a`).open();
    webSocket.say({ type: 'auth', token });
    await until(() => webSocket.closeCode !== undefined, 'the close');
    expect([webSocket.closeCode, webSocket.closeReason]).toEqual([1013, 'auth_unavailable']);
    expect(webSocket.of('error')).toMatchObject([{ code: 'auth_unavailable' }]);

    expect((await publishAs(url, key.secret, 'news:1', 'by key')).status).toBe(201);
    const visitor = await new SseClient(`${url}/v1/sse?channel=news:1&last=1`).open();
    await until(() => visitor.messages.length === 1, 'the message of the public channel');
    visitor.close();

    server.bringUp();
    await until(
      async () => (await publishAs(url, token, 'a', 'healed')).status === 201,
      'the node to read the key set',
      40,
    );
    expect(await historyOf(url, token, 'a')).toEqual(['healed']);
    const words = node.logs.filter(({ msg }) => msg.includes('keys that tokens are signed with'));
    // Once for the outage and once for its end.
    expect(words).toHaveLength(2);
  });

  test('that goes away later does not matter, neither to those who are there nor to new ones', async (context) => {
    const { node, server } = await scene(context, [first.jwk]);
    const token = await first.sign(claims);
    const stream = await new SseClient(`${node.url}/v1/sse?channel=a`, bearer(token)).open();
    server.takeDown();
    expect((await publishAs(node.url, token, 'a', 1)).status).toBe(201);
    expect((await publishAs(node.url, await first.sign({ ...claims, sub: 'new' }), 'a', 2)).status).toBe(201);
    await until(() => stream.messages.length === 2, 'the messages');
    // A key that is not known may be a new one, which nobody can ask for now.
    for (const stranger of [second, foreign]) {
      const answer = await publishAs(node.url, await stranger.sign(claims), 'a', 3);
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    }
    server.answer((_request, response) => response.writeHead(200).end('<html>a portal</html>'));
    server.bringUp();
    expect((await publishAs(node.url, await first.sign({ ...claims, sub: 'newer' }), 'a', 4)).status).toBe(201);
    stream.close();
  });

  test('may change under load: no good token is refused', async (context) => {
    const { node, server } = await scene(context, [first.jwk]);
    const statuses: number[] = [];
    let signer = first;
    let count = 0;
    let isOver = false;
    const publisher = async (name: string): Promise<void> => {
      while (!isOver) {
        const token = await signer.sign({ ...claims, sub: `${name}-${count++}` });
        statuses.push((await publishAs(node.url, token, 'load', 1)).status);
      }
    };
    const old = await first.sign({ ...claims, sub: 'old' });
    const loyal = async (): Promise<void> => {
      while (!isOver) statuses.push((await publishAs(node.url, old, 'load', 1)).status);
    };
    const publishers = [publisher('a'), publisher('b'), loyal()];
    await until(() => statuses.length > 50, 'publishes with the first key');
    server.publish([first.jwk, second.jwk]);
    signer = second;
    const before = statuses.length;
    await until(() => statuses.length > before + 100, 'publishes with the second key');
    isOver = true;
    await Promise.all(publishers);
    expect(new Set(statuses)).toEqual(new Set([201]));
    // At the start, and when the new key was seen.
    expect(server.reads).toBe(2);
  });

  test('that no longer has a key lets in no new token of it', async (context) => {
    const { node, server } = await scene(context, [first.jwk]);
    expect((await publishAs(node.url, await first.sign(claims), 'a', 1)).status).toBe(201);
    server.publish([second.jwk]);
    // An unknown key makes the node read again.
    expect((await publishAs(node.url, await second.sign(claims), 'a', 2)).status).toBe(201);
    const withdrawn = await publishAs(node.url, await first.sign({ ...claims, sub: 'late' }), 'a', 3);
    expect([withdrawn.status, withdrawn.text.includes('a key that is not known')]).toEqual([401, true]);
    expect(await historyOf(node.url, await second.sign(claims), 'a')).toEqual([1, 2]);
  });

  test('is not asked for again and again by tokens of keys that nobody has', async (context) => {
    const { node, server } = await scene(context, [first.jwk]);
    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, i) => foreign.sign(claims, { kid: `unknown-${i}` })),
    );
    const answers = await Promise.all(tokens.map((token) => publishAs(node.url, token, 'a', 1)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expect(server.reads).toBeLessThanOrEqual(3);
    expect((await publishAs(node.url, await first.sign(claims), 'a', 1)).status).toBe(201);
  });

  test('gives rights by its keys only, whatever a token says', async (context) => {
    const { node } = await scene(context, [first.jwk, second.jwk]);
    for (const [signer, header] of [
      [foreign, { kid: first.kid }],
      [foreign, { kid: first.kid, jwk: foreign.jwk }],
      [foreign, { kid: second.kid }],
      [first, { kid: second.kid }],
      [first, { kid: { toString: first.kid } }],
      [first, { kid: '__proto__' }],
      [foreign, { kid: undefined }],
    ] as const)
      expect((await publishAs(node.url, await signer.sign(claims, header), 'a', 1)).status).toBe(401);
    for (const signer of [first, second]) {
      expect((await publishAs(node.url, await signer.sign({ aud: 'billing' }), 'a', 1)).status).toBe(401);
      expect((await publishAs(node.url, await signer.sign({}), 'a', 1)).status).toBe(401);
      expect((await publishAs(node.url, await signer.sign(claims), 'a', 1)).status).toBe(201);
    }
  });

  test.for<[string, () => readonly object[]]>([
    ['a shared secret', () => [{ kty: 'oct', k: Buffer.from('secret').toString('base64url'), kid: 'x', alg: 'HS256' }]],
    ['a key for encryption', () => [{ ...first.jwk, use: 'enc' }]],
    ['a key of another algorithm', () => [{ ...first.jwk, alg: 'ES384' }]],
    ['nothing', () => []],
  ])('signs nothing with %s in it', async ([, keys], context) => {
    const { node } = await scene(context, keys());
    for (const token of [
      await first.sign(claims),
      await first.sign(claims, { kid: undefined }),
      await secretSigner('secret').sign(claims, { kid: 'x' }),
    ])
      expect((await publishAs(node.url, token, 'a', 1)).status).toBe(401);
  });
});
