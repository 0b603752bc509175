import { beforeAll, describe, expect, test } from 'vitest';
import type { Gateway } from '../../support/gateway.ts';
import { watchNodes } from '../../support/secrets.ts';
import { nowSeconds, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { WebSocketClient } from '../../support/websocket-client.ts';
import { publishAs } from './ask.ts';

const nodes = watchNodes();
const signer = secretSigner();
const theirs = secretSigner();
const key = publishSecret();

let gateway: Gateway;
let root: string;
let ann: string;
beforeAll(async () => {
  gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_SECRET: signer.secret,
    FANFARE_PUBLIC_CHANNELS: 'news:*',
    // Between the answers nothing comes that nobody asked for.
    FANFARE_HEARTBEAT_INTERVAL: '3600',
    FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['orders:*'] }]),
  });
  root = await signer.sign({ sub: 'root' });
  ann = await signer.sign({ subscribe: ['orders:*', 'user:{sub}'], publish: ['orders:*'] });
});

const open = (query = ''): Promise<WebSocketClient> => new WebSocketClient(`${gateway.url}/v1/ws${query}`).open();
const auth = (token: string): object => ({ type: 'auth', token });

async function closed(client: WebSocketClient): Promise<[number | undefined, string]> {
  await until(() => client.closeCode !== undefined, 'the close');
  for (const text of client.texts) nodes.expectNoneIn(text, 'a message');
  return [client.closeCode, client.closeReason];
}

describe.concurrent('a renewal', () => {
  test('extends: the old end passes and the connection lives', async () => {
    const [renewed, forgotten] = await Promise.all([open('?channel=orders:1'), open('?channel=orders:1')]);
    const exp = nowSeconds() + 2;
    const short = await signer.sign({ exp });
    for (const client of [renewed, forgotten])
      expect(await client.ask(auth(short))).toMatchObject({ subject: 'ann', exp });
    expect((await renewed.ask(auth(ann))).type).toBe('authenticated');
    expect(await closed(forgotten)).toEqual([4401, 'token_expired']);
    await publishAs(gateway.url, root, 'orders:1', 'after the end');
    await until(() => renewed.of('message').some(({ data }) => data === 'after the end'), 'the message');
    expect(renewed.of('subscribed')).toHaveLength(1);
    renewed.close();
  });

  test('may shorten: the new end counts', async () => {
    const client = await open();
    await client.ask(auth(ann));
    await client.ask(auth(await signer.sign({ exp: nowSeconds() + 2 })));
    expect(await closed(client)).toEqual([4401, 'token_expired']);
  });

  test('with the token of somebody else is refused, and the old rights stay', async () => {
    const client = await open('?channel=orders:1');
    await client.ask(auth(ann));
    for (const token of [
      await signer.sign({ sub: 'eve' }),
      await signer.sign({ sub: 'Ann' }),
      await signer.sign({ sub: 'ann ' }),
      key.secret,
    ])
      expect(await client.ask(auth(token))).toMatchObject({ type: 'error', code: 'forbidden' });
    expect((await client.ask({ type: 'subscribe', channel: 'else' })).code).toBe('forbidden');
    expect((await client.ask({ type: 'subscribe', channel: 'user:eve' })).code).toBe('forbidden');
    expect((await client.ask({ type: 'publish', channel: 'orders:1', data: 'still here' })).type).toBe('published');
    await until(() => client.of('message').some(({ data }) => data === 'still here'), 'the message');
    client.close();
  });

  test('of a key with a token is refused, whatever its subject', async () => {
    const client = await open();
    await client.ask(auth(key.secret));
    for (const sub of ['shop', 'key:shop', 'ann'])
      expect(await client.ask(auth(await signer.sign({ sub })))).toMatchObject({ type: 'error', code: 'forbidden' });
    expect((await client.ask(auth(key.secret))).type).toBe('authenticated');
    client.close();
  });

  test('with fewer rights leaves the channels that it does not allow, and nothing more comes from them', async () => {
    const client = await open('?channel=orders:less&channel=user:ann&channel=news:1');
    await client.ask(auth(ann));
    await until(() => client.of('subscribed').length === 3, 'the channels');
    await client.ask(auth(await signer.sign({ subscribe: ['user:{sub}'], publish: [] })));
    await client.ask({ type: 'ping' });
    expect(client.of('unsubscribed')).toEqual([{ type: 'unsubscribed', channel: 'orders:less' }]);
    await publishAs(gateway.url, root, 'orders:less', 'not for him');
    await publishAs(gateway.url, root, 'user:ann', 'for him');
    await publishAs(gateway.url, root, 'news:1', 'for all');
    await until(() => client.of('message').some(({ data }) => data === 'for all'), 'the last message');
    expect(client.of('message').map(({ channel, data }) => [channel, data])).toEqual([
      ['user:ann', 'for him'],
      ['news:1', 'for all'],
    ]);
    expect((await client.ask({ type: 'subscribe', channel: 'orders:less', last: 5 })).code).toBe('forbidden');
    expect((await client.ask({ type: 'publish', channel: 'orders:less', data: 1 })).code).toBe('forbidden');
    client.close();
  });

  test('that is not good is an error, and the old rights go on to their end', async () => {
    const client = await open('?channel=orders:1');
    await client.ask(auth(await signer.sign({ exp: nowSeconds() + 3 })));
    for (const token of [
      await theirs.sign(),
      await signer.sign({ exp: nowSeconds() - 1, iat: 1 }),
      'what-is-no-token-at-all',
      'ffk_0',
    ])
      expect(await client.ask(auth(nodes.use(token)))).toMatchObject({ type: 'error', code: 'unauthenticated' });
    expect((await client.ask({ type: 'publish', channel: 'orders:1', data: 'still' })).type).toBe('published');
    expect(await closed(client)).toEqual([4401, 'token_expired']);
  });
});
