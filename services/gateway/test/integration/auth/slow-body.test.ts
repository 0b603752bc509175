import { beforeAll, expect, test } from 'vitest';
import type { Gateway } from '../../support/gateway.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { watchNodes } from '../../support/secrets.ts';
import { nowSeconds, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { ask, bearer, historyOf, post } from './ask.ts';

const nodes = watchNodes();
const signer = secretSigner();
const key = publishSecret();
const BODY = '{"data":"too late"}';
const PATHS: readonly [path: string, body: string][] = [
  ['/v1/channels/late/messages', BODY],
  ['/v1/messages', '{"messages":[{"channel":"late","data":"too late"}]}'],
];

let gateway: Gateway;
let root: string;
beforeAll(async () => {
  nodes.use(key.secret);
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'ops', sha256: key.sha256, channels: [], disconnect: true }]),
  });
  root = await signer.sign({ sub: 'root' });
});

/** A publish whose head has come, and whose body has not. */
async function begin(path: string, token: string, body: string): Promise<RawSocket> {
  const socket = new RawSocket(gateway.port);
  const fields = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    Expect: '100-continue',
  };
  return socket.send(head(`POST ${path}`, fields)).hears('100 Continue');
}

test.each(PATHS)(
  'a body for %s that comes when its subject has been disconnected is not published',
  async (path, body) => {
    const socket = await begin(path, await signer.sign({ sub: 'ann' }), body);
    expect((await post(gateway.url, '/v1/disconnect', { subject: 'ann' }, bearer(key.secret))).status).toBe(202);
    await socket.send(body).hears('"code":"unauthenticated"');
    expect(await historyOf(gateway.url, root, 'late')).toEqual([]);
    socket.close();
  },
);

test.each(PATHS)('a body for %s that comes when its token has ended is not published', async (path, body) => {
  const exp = nowSeconds() + 2;
  const token = await signer.sign({ sub: 'bob', exp });
  const socket = await begin(path, token, body);
  await until(() => Date.now() > exp * 1000, 'the token to end');
  await socket.send(body).hears('"code":"unauthenticated"');
  expect(await historyOf(gateway.url, root, 'late')).toEqual([]);
  socket.close();
});

test('a ticket may be asked for with a content type and no body', async () => {
  const headers = { 'content-type': 'application/json', ...bearer(root) };
  expect((await ask(gateway.url, '/v1/tickets', { method: 'POST', headers })).status).toBe(201);
  expect((await post(gateway.url, '/v1/tickets', '{}', bearer(root))).status).toBe(201);
  expect((await post(gateway.url, '/v1/tickets', '{"channel":"a"}', bearer(root))).status).toBe(400);
});
