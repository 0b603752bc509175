import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, metric } from '../../support/gateway.ts';
import { watchNodes } from '../../support/secrets.ts';
import { SseClient } from '../../support/sse-client.ts';
import {
  type Claims,
  forgedToken,
  keyPairSigner,
  nowSeconds,
  secretSigner,
  unsignedToken,
} from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { ask, bearer, historyOf, post, publishAs } from './ask.ts';
import { AUTHORIZATION_DOORS, COOKIE, DOORS, wrongAbout } from './doors.ts';

/** What nobody without a good token may write to or read. */
const ROOM = 'secret:room';
const HIDDEN = 'what-is-hidden-there';
const PUBLIC = 'news:1';
const claims = {
  sub: 'ann',
  iss: 'https://issuer.example',
  aud: 'fanfare',
  subscribe: ['secret:*'],
  publish: ['secret:*'],
};

const nodes = watchNodes();
const ours = secretSigner();
const theirs = secretSigner();
const pair = keyPairSigner('RS256');
const stranger = keyPairSigner('RS256');
const elliptic = keyPairSigner('ES256');

const settings = {
  FANFARE_AUTH: 'jwt',
  FANFARE_JWT_ISSUER: claims.iss,
  FANFARE_JWT_AUDIENCE: claims.aud,
  FANFARE_COOKIE_NAME: COOKIE,
  FANFARE_PUBLIC_CHANNELS: 'news:*',
};

/** A node, somebody who listens there, and what must never come to him. */
interface Scene {
  readonly gateway: Gateway;
  readonly token: string;
  readonly witnesses: readonly [SseClient, WebSocketClient];
}

async function scene(env: Record<string, string>, token: string): Promise<Scene> {
  const gateway = await nodes.startGateway({ ...settings, ...env });
  const sse = await new SseClient(`${gateway.url}/v1/sse?channel=${ROOM}&channel=${PUBLIC}`, bearer(token)).open();
  const webSocket = await new WebSocketClient(`${gateway.url}/v1/ws?channel=${ROOM}`).open();
  webSocket.say({ type: 'auth', token });
  await until(() => webSocket.of('subscribed').length === 1, 'the witness to listen');
  expect((await publishAs(gateway.url, token, ROOM, HIDDEN)).status).toBe(201);
  return { gateway, token, witnesses: [sse, webSocket] };
}

let secretScene: Scene;
let publicKeyScene: Scene;
beforeAll(async () => {
  [secretScene, publicKeyScene] = await Promise.all([
    scene({ FANFARE_JWT_SECRET: ours.secret }, await ours.sign(claims)),
    scene({ FANFARE_JWT_PUBLIC_KEY: pair.publicPem + elliptic.publicPem }, await pair.sign(claims)),
  ]);
});

afterAll(async () => {
  for (const { gateway, token, witnesses } of [secretScene, publicKeyScene]) {
    const [sse, webSocket] = witnesses;
    expect((await publishAs(gateway.url, token, ROOM, 'the end')).status).toBe(201);
    await until(() => sse.text.includes('the end') && webSocket.of('message').length === 2, 'the last message');
    expect(sse.messages.map(({ data }) => JSON.parse(data))).toEqual([HIDDEN, 'the end']);
    expect(webSocket.of('message').map(({ data }) => data)).toEqual([HIDDEN, 'the end']);
    expect(await historyOf(gateway.url, token, ROOM)).toEqual([HIDDEN, 'the end']);
    sse.close();
    webSocket.close();
  }
});

/** Tries a token at every door, which must all stay shut. */
async function expectRefused({ gateway }: Scene, token: string, doors = DOORS): Promise<void> {
  nodes.use(token);
  const refused = await metric(gateway, 'fanfare_connections_refused_total', 'reason="unauthenticated"');
  const answers = await Promise.all(doors.map((door) => door.try(gateway, ROOM, token)));
  expect(answers.flatMap((answer, i) => wrongAbout(doors[i] as (typeof doors)[number], answer))).toEqual([]);
  for (const { text } of answers) {
    nodes.expectNoneIn(text, 'an answer');
    expect(text).not.toContain(HIDDEN);
  }
  expect(await metric(gateway, 'fanfare_connections_refused_total', 'reason="unauthenticated"')).toBeGreaterThan(
    refused,
  );
}

test.each([
  ['a secret', () => secretScene],
  ['a public key', () => publicKeyScene],
] as const)(
  'a good token opens every door, and a stranger none but that to public channels: %s',
  async (_, sceneOf) => {
    const { gateway, token } = sceneOf();
    for (const door of DOORS.filter(({ name }) => !name.includes('publish') && !name.includes('batch')))
      expect([door.name, Math.floor((await door.try(gateway, ROOM, token)).status / 100)]).toEqual([door.name, 2]);
    const forbidden = await post(
      gateway.url,
      '/v1/messages',
      { messages: [{ channel: 'else', data: 1 }] },
      bearer(token),
    );
    expect(forbidden.text).toContain('forbidden');
    for (const door of AUTHORIZATION_DOORS.filter(({ name }) => name.includes('stream') || name.includes('history')))
      expect((await door.try(gateway, PUBLIC, token)).status).toBe(200);
    expect((await ask(gateway.url, `/v1/channels/${PUBLIC}/messages`)).status).toBe(200);
    for (const path of [
      `/v1/channels/${ROOM}/messages`,
      `/v1/sse?channel=${ROOM}`,
      `/v1/sse?channel=${PUBLIC}&channel=${ROOM}`,
    ]) {
      const answer = await ask(gateway.url, path);
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    }
    const batch = await post(gateway.url, '/v1/messages', { messages: [{ channel: ROOM, data: 1 }] });
    expect(batch.text).toContain('unauthenticated');
    for (const channel of [ROOM, PUBLIC])
      expect((await post(gateway.url, `/v1/channels/${channel}/messages`, { data: 1 })).status).toBe(401);
    expect((await ask(gateway.url, '/v1/tickets', { method: 'POST' })).status).toBe(401);
  },
);

const now = nowSeconds();
/** Puts a piece of another token in place of one of these three. */
const spliced = (token: string, place: number, piece: string): string => token.split('.').with(place, piece).join('.');
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const hmac = (key: string | Buffer) => (signed: string) => createHmac('sha256', key).update(signed).digest();
const long = Array.from({ length: 90 }, (_, i) => `secret:${String(i).repeat(40)}:*`);

describe('a token is refused at every door, whatever its maker tries', () => {
  test.each<[string, () => string | Promise<string>]>([
    ['signed with another secret', () => theirs.sign(claims)],
    ['signed with nothing', () => forgedToken({ alg: 'HS256' }, claims, hmac(''))],
    ['signed with a zero byte', () => forgedToken({ alg: 'HS256' }, claims, hmac('\0'))],
    ['signed with what everybody tries first', () => forgedToken({ alg: 'HS256' }, claims, hmac('secret'))],
    ['expired', () => ours.sign({ ...claims, iat: now - 100, exp: now - 1 })],
    ['expired long ago', () => ours.sign({ ...claims, iat: 1, exp: 2 })],
    ['not good yet', () => ours.sign({ ...claims, nbf: now + 3600 })],
    ['made in the future', () => ours.sign({ ...claims, iat: now + 3600, exp: now + 7200 })],
    ['good for longer than a token may be', () => ours.sign({ ...claims, exp: now + 86_400 * 400 })],
    ['of another issuer', () => ours.sign({ ...claims, iss: 'https://issuer.example.evil.example' })],
    ['of another issuer that is written alike', () => ours.sign({ ...claims, iss: 'https://issuer.example/' })],
    ['of several issuers', () => ours.sign({ ...claims, iss: [claims.iss, 'evil'] })],
    ['of no issuer', () => ours.sign({ ...claims, iss: undefined })],
    ['for another audience', () => ours.sign({ ...claims, aud: 'billing' })],
    ['for others', () => ours.sign({ ...claims, aud: ['billing', 'Fanfare'] })],
    ['for nobody', () => ours.sign({ ...claims, aud: undefined })],
    ['without an end', () => ours.sign({ ...claims, exp: undefined })],
    ['with an end that is text', () => ours.sign({ ...claims, exp: String(now + 300) })],
    [
      'with an end without end',
      () => ours.sign(`{"sub":"ann","iat":1,"exp":1e999,"iss":"${claims.iss}","aud":"fanfare"}`),
    ],
    ['with an end in milliseconds', () => ours.sign({ ...claims, exp: Date.now() + 300_000 })],
    ['without a beginning', () => ours.sign({ ...claims, iat: undefined })],
    ['with an end before its beginning', () => ours.sign({ ...claims, iat: now + 20, exp: now + 10 })],
    ['without a subject', () => ours.sign({ ...claims, sub: undefined })],
    ['with an empty subject', () => ours.sign({ ...claims, sub: '' })],
    ['with a subject that is a number', () => ours.sign({ ...claims, sub: 42 })],
    ['with a subject that is too long', () => ours.sign({ ...claims, sub: 'x'.repeat(257) })],
    ['with half of a surrogate pair as a subject', () => ours.sign({ ...claims, sub: '\ud800' })],
    ['with a pattern that is none', () => ours.sign({ ...claims, subscribe: ['sec*'] })],
    ['with rights that are no patterns', () => ours.sign({ ...claims, publish: [{ '*': true }] })],
    ['with rights that are an object', () => ours.sign({ ...claims, subscribe: { 0: '*', length: 1 } })],
    ['whose payload is no object', () => ours.sign('["*"]')],
    ['whose payload is no JSON', () => ours.sign('sub=ann&subscribe=*')],
    ['whose payload is empty', () => ours.sign('')],
    ['longer than 8 KiB', () => ours.sign({ ...claims, more: 'm'.repeat(9000) })],
    ['longer than 8 KiB by its patterns', () => ours.sign({ ...claims, subscribe: [...long, 'secret:*'] })],
    ...['none', 'None', 'NONE', 'nOnE', '', 'null', 'none ', ' none', 'n\u043ene', 'HS256,none'].map(
      (alg): [string, () => string] => [`unsigned, as ${JSON.stringify(alg)}`, () => unsignedToken(claims, alg)],
    ),
    [
      'unsigned, its signature that of another',
      async () => spliced(await ours.sign(claims), 0, encoded({ alg: 'none' })),
    ],
    ['without an algorithm', () => forgedToken({ typ: 'JWT' }, claims, hmac(theirs.secret))],
    ['with an algorithm that is a list', () => forgedToken({ alg: ['none', 'HS256'] }, claims, () => Buffer.alloc(0))],
    [
      'with a header that says its algorithm twice',
      () => forgedToken('{"alg":"HS256","alg":"none"}', claims, () => Buffer.alloc(0)),
    ],
    ['with an algorithm of Object.prototype', () => unsignedToken(claims, 'constructor')],
    ['signed with a key pair', () => pair.sign(claims)],
    ['that brings its own key', () => stranger.sign(claims, { jwk: stranger.jwk })],
    [
      'that says where its key is',
      () => stranger.sign(claims, { jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/' }),
    ],
    [
      'whose key is a file of zeros',
      () => forgedToken({ alg: 'HS256', kid: '../../../../dev/null' }, claims, hmac('')),
    ],
    [
      'with an extension that must be understood',
      () => forgedToken({ alg: 'HS256', crit: ['exp'], exp: 1 }, claims, hmac(ours.secret)),
    ],
    [
      'changed in its payload',
      async () =>
        spliced(await ours.sign(claims), 1, encoded({ ...claims, iat: now, exp: now + 300, subscribe: ['*'] })),
    ],
    ['changed in its header', async () => spliced(await ours.sign(claims), 0, encoded({ alg: 'HS512', typ: 'JWT' }))],
    [
      'with the signature of another',
      async () => spliced(await ours.sign(claims), 2, (await ours.sign({ ...claims, sub: 'eve' })).split('.')[2] ?? ''),
    ],
    ['with half of its signature', async () => (await ours.sign(claims)).slice(0, -22)],
    ['without its signature', async () => spliced(await ours.sign(claims), 2, '')],
    ['with a fourth part', async () => `${await ours.sign(claims)}.${encoded({})}`],
    [
      'with five parts, as if it were encrypted',
      async () => `${encoded({ alg: 'dir', enc: 'A256GCM' })}..${'a'.repeat(16)}.${'b'.repeat(20)}.${'c'.repeat(22)}`,
    ],
    ['that is random', () => randomBytes(60).toString('base64url')],
    [
      'that is random, in three parts',
      () => [9, 60, 32].map((size) => randomBytes(size).toString('base64url')).join('.'),
    ],
    ['that is dots', () => '..'],
    ['that is one character', () => '='.padStart(2, 'x')],
    ['that is a key nobody has', () => `ffk_${randomBytes(24).toString('hex')}`],
    ['that is the beginning of a key', () => 'ffk_'],
    ['that is a ticket', () => `fft_${randomBytes(16).toString('base64url')}`],
    ['that is the secret itself', () => ours.secret],
  ])('%s', async (_, make) => {
    await expectRefused(secretScene, await make());
  });
});

const { publicKey, publicPem, jwk } = pair;
const pkcs1 = publicKey.export({ type: 'pkcs1', format: 'pem' }) as string;
describe('what is public is no secret to sign with', () => {
  test.each<[string, string | Buffer]>([
    ['the PEM', publicPem],
    ['the PEM without the end of its last line', publicPem.trimEnd()],
    ['the PEM with CR LF', publicPem.replaceAll('\n', '\r\n')],
    ['the PEM in one line', publicPem.replaceAll('\n', '')],
    ['both PEMs, as they were configured', publicPem + elliptic.publicPem],
    ['the older form of PEM', pkcs1],
    ['the base64 of the PEM', publicPem.replaceAll(/-----.*-----|\n/g, '')],
    ['DER', publicKey.export({ type: 'spki', format: 'der' })],
    ['the key as JSON', JSON.stringify(jwk)],
    ['the modulus', String(jwk.n)],
    ['the modulus as bytes', Buffer.from(String(jwk.n), 'base64url')],
  ])('%s', async (_, key) => {
    for (const [alg, digest] of [
      ['HS256', 'sha256'],
      ['HS512', 'sha512'],
      ['RS256', 'sha256'],
    ] as const) {
      const sign = (signed: string): Buffer => createHmac(digest, key).update(signed).digest();
      await expectRefused(publicKeyScene, forgedToken({ alg, typ: 'JWT', kid: pair.kid }, claims, sign));
    }
  });

  test.each<[string, () => string | Promise<string>]>([
    ['an unsigned token', () => unsignedToken(claims)],
    ['a token of another key pair', () => stranger.sign(claims)],
    ['a token of another key pair that takes our name for its own', () => stranger.sign(claims, { kid: pair.kid })],
    [
      'a token of another key pair that brings its public half',
      () => stranger.sign(claims, { kid: pair.kid, jwk: stranger.jwk }),
    ],
    [
      'a token of our key that says it is of another kind',
      async () => spliced(await pair.sign(claims), 0, encoded({ alg: 'ES256' })),
    ],
    ['a signature of zeros by elliptic curve', () => forgedToken({ alg: 'ES256' }, claims, () => Buffer.alloc(64))],
    ['a token with a shared secret', () => ours.sign(claims)],
  ])('%s', async (_, make) => {
    await expectRefused(publicKeyScene, await make());
  });
});

describe('an Authorization header is a scheme and one token', () => {
  const good = (): string => secretScene.token;
  test.each<[string, (token: string) => string]>([
    ['of another scheme', (token) => `Basic ${token}`],
    ['of user and password', (token) => `Basic ${Buffer.from(`ann:${token}`).toString('base64')}`],
    ['of a scheme that is like it', (token) => `Bearers ${token}`],
    ['without a scheme', (token) => token],
    ['without a token', () => 'Bearer'],
    ['with a scheme only', () => 'Bearer '],
    ['with two tokens', (token) => `Bearer ${token} ${token}`],
    ['with two tokens in a list', (token) => `Bearer ${token}, Bearer ${token}`],
    ['with a token in quotes', (token) => `Bearer "${token}"`],
    ['with a token that is named', (token) => `Bearer token=${token}`],
    ['with a tab', (token) => `Bearer\t${token}`],
    ['with the scheme twice', (token) => `Bearer Bearer ${token}`],
    ['of nothing', () => ''],
  ])('%s', async (_, write) => {
    const { gateway } = secretScene;
    const headers = { authorization: write(good()) };
    for (const path of [
      `/v1/channels/${PUBLIC}/messages`,
      `/v1/channels/${ROOM}/messages?wait=1`,
      `/v1/sse?channel=${PUBLIC}`,
    ]) {
      const answer = await ask(gateway.url, path, { headers });
      expect([path, answer.status, answer.headers['www-authenticate']]).toEqual([path, 401, 'Bearer']);
      nodes.expectNoneIn(answer.text, 'an answer');
    }
    for (const path of [`/v1/channels/${ROOM}/messages`, '/v1/messages', '/v1/tickets', '/v1/disconnect'])
      expect((await post(gateway.url, path, { data: 1 }, headers)).status).toBe(401);
  });

  test.each<[string, (good: string, bad: string) => readonly string[]]>([
    ['a good one and a bad one', (token, bad) => [`Bearer ${token}`, `Bearer ${bad}`]],
    ['a bad one and a good one', (token, bad) => [`Bearer ${bad}`, `Bearer ${token}`]],
    ['one and another scheme', (token) => [`Bearer ${token}`, 'Basic YTpi']],
    ['the same twice', (token) => [`Bearer ${token}`, `Bearer ${token}`]],
  ])('two Authorization headers are refused, since others may look at the other one: %s', async (_, both) => {
    const { gateway } = secretScene;
    const headers = { authorization: [...both(good(), await theirs.sign(claims))] };
    expect((await ask(gateway.url, `/v1/channels/${ROOM}/messages`, { headers })).status).toBe(401);
    expect((await ask(gateway.url, `/v1/sse?channel=${ROOM}`, { headers })).status).toBe(401);
    expect((await post(gateway.url, `/v1/channels/${ROOM}/messages`, { data: 1 }, headers)).status).toBe(401);
  });

  test('the scheme’s case does not matter, nor spaces', async () => {
    const { gateway } = secretScene;
    for (const authorization of [`bearer ${good()}`, `BEARER   ${good()}  `])
      expect((await ask(gateway.url, `/v1/channels/${ROOM}/messages`, { headers: { authorization } })).status).toBe(
        200,
      );
  });
});

test('a bad token is refused on public channels too, and with a good cookie beside it', async () => {
  const { gateway, token } = secretScene;
  const bad = await theirs.sign(claims);
  for (const path of [`/v1/channels/${PUBLIC}/messages`, `/v1/sse?channel=${PUBLIC}`])
    for (const headers of [
      bearer(bad),
      { cookie: `${COOKIE}=${bad}` },
      { ...bearer(bad), cookie: `${COOKIE}=${token}` },
    ])
      expect((await ask(gateway.url, path, { headers })).status).toBe(401);
});

test('two cookies with different tokens are refused, as another host of the site may have set one', async () => {
  const { gateway, token } = secretScene;
  const other = await ours.sign({ ...claims, sub: 'eve' });
  for (const cookie of [`${COOKIE}=${token}; ${COOKIE}=${other}`, `${COOKIE}=${other}; x=y; ${COOKIE}="${token}"`])
    for (const path of [`/v1/channels/${ROOM}/messages`, `/v1/sse?channel=${ROOM}`])
      expect((await ask(gateway.url, path, { headers: { cookie } })).status).toBe(401);
});

test('a token that was changed after it was good is refused, though the good one is remembered', async () => {
  const token = await ours.sign(claims as Claims);
  expect((await ask(secretScene.gateway.url, `/v1/channels/${ROOM}/messages`, { headers: bearer(token) })).status).toBe(
    200,
  );
  const [header = '', , signature = ''] = token.split('.');
  await expectRefused(secretScene, `${header}.${encoded({ ...claims, iat: now, exp: now + 300 })}.${signature}`);
});
