import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { nowSeconds, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { BOTH } from '../console/chromium.ts';
import { ConsoleScene, untilSaid } from './console-scene.ts';

const scene = new ConsoleScene();
beforeAll(() => scene.start());
afterAll(() => scene.stop());
afterEach(() => scene.closePages());

test('a token that ends closes both transports, and a new one brings what was published meanwhile', async () => {
  const page = await scene.open();
  await page.give('token', await scene.brief(12));
  await page.untilState('live');
  const before = await scene.publish('before');
  for (const transport of BOTH) await page.message(transport, before).waitFor();
  await page.untilState('closed');
  for (const transport of BOTH) await untilSaid(page, transport, 'expired');
  await page.rows('sse', 'bye').filter({ hasText: 'token_expired' }).first().waitFor();
  const missed = await scene.publish('meanwhile');
  await page.give('token', await scene.signer.sign());
  await page.untilState('live');
  for (const transport of BOTH) {
    await page.message(transport, missed).waitFor();
    expect(await page.rows(transport, 'message').count()).toBe(2);
    expect(await page.count(transport, 'gaps')).toBe(0);
  }
});

test('whoever is disconnected is told so, and comes back with a newer token only', async () => {
  const page = await scene.listening({ sub: 'eve' });
  expect((await scene.ask('/v1/disconnect', { subject: 'eve' })).status).toBe(202);
  await page.untilState('closed');
  for (const transport of BOTH) await untilSaid(page, transport, 'disconnected');
  await page.page.getByRole('button', { name: 'Try Server-Sent Events again now' }).click();
  await untilSaid(page, 'sse', 'This subject was disconnected');
  await page.give('token', await scene.signer.sign({ sub: 'eve', iat: nowSeconds() + 2 }));
  await page.untilState('live');
});

test('a token that is entered while the node still refuses whoever has none counts all the same', async () => {
  const page = await scene.open({ hash: '' });
  const held: string[] = [];
  await page.page.routeWebSocket(/\/v1\/ws$/, (client) => {
    const node = client.connectToServer();
    let holding = true;
    node.onMessage((text) => {
      if (holding && String(text).includes('"error"')) held.push(String(text));
      else client.send(text);
    });
    client.onMessage((text) => {
      node.send(text);
      if (!String(text).includes('"auth"')) return;
      holding = false;
      for (const each of held.splice(0)) client.send(each);
    });
  });
  await page.page.evaluate(`location.hash = 'channel=orders&transport=websocket'`);
  await page.page.reload();
  await until(() => held.length > 0, 'a refusal on its way');
  await page.give('token', await scene.signer.sign());
  await until(async () => (await page.text('websocket-state')) === 'live', 'the WebSocket to be live');
  await page.message('websocket', await scene.publish('heard')).waitFor();
  expect(await page.rows('websocket', 'state').filter({ hasText: 'closed' }).count()).toBe(0);
});

describe('a new token while connected', () => {
  test('goes on without a loss beyond the end of the first', async () => {
    const [page, other] = [await scene.open(), await scene.open()];
    // Longer than two pages take to connect on a machine that does other things too.
    const endMs = Date.now() + 20_000;
    const ending = await scene.brief(20);
    for (const each of [page, other]) await each.give('token', ending);
    for (const each of [page, other]) await each.untilState('live');
    const before = await scene.publish('before');
    for (const transport of BOTH) await page.message(transport, before).waitFor();
    const first = await page.text('websocket-identity');
    await page.give('token', await scene.signer.sign());
    await until(async () => (await page.text('websocket-identity')) !== first, 'the new end to be shown');
    const between = await scene.publish('between');
    await until(async () => Date.now() > endMs, 'the end of the first', 30);
    await other.untilState('closed');
    const after = await scene.publish('after');
    for (const transport of BOTH) {
      for (const id of [before, between, after]) await page.message(transport, id).waitFor();
      expect(await page.text(`${transport}-state`)).toBe('live');
      expect(await page.count(transport, 'duplicates')).toBe(0);
    }
    expect(await page.rows('websocket', 'state').filter({ hasText: 'reconnecting' }).count()).toBe(0);
    expect(await page.rows('websocket', 'authenticated').count()).toBe(2);
  });

  test('that is refused leaves both as they were, and says why', async () => {
    const page = await scene.listening();
    await page.give('token', await secretSigner().sign());
    for (const transport of BOTH) await page.rows(transport, 'trouble').filter({ hasText: 'still counts' }).waitFor();
    expect(await page.text('token-problem')).toContain('The token is refused');
    const id = await scene.publish('still');
    for (const transport of BOTH) {
      await page.message(transport, id).waitFor();
      expect(await page.text(`${transport}-state`)).toBe('live');
    }
  });

  test('of somebody else opens other connections for him', async () => {
    const page = await scene.listening({ sub: 'ann' });
    await page.give('token', await scene.signer.sign({ sub: 'bob' }));
    await until(async () => /^bob/.test((await page.text('websocket-identity')) ?? ''), 'the other to be shown');
    await page.untilState('live');
    const id = await scene.publish('for bob');
    for (const transport of BOTH) await page.message(transport, id).waitFor();
  });

  test('with fewer rights loses channels, and with more gets them back', async () => {
    const page = await scene.open({ hash: '#channel=orders&channel=news&transport=websocket' });
    await page.give('token', await scene.signer.sign());
    const isLive = async () => (await page.text('websocket-state')) === 'live';
    await until(isLive, 'the WebSocket to be live');
    await page.give('token', await scene.signer.sign({ subscribe: ['news'] }));
    await page.rows('websocket', 'trouble').filter({ hasText: 'orders: the token gives no right' }).waitFor();
    const unheard = await scene.publish('unheard');
    const heard = await scene.publish('heard', 'news');
    await page.message('websocket', heard).waitFor();
    expect(await page.message('websocket', unheard).count()).toBe(0);
    await page.give('token', await scene.signer.sign());
    await page.message('websocket', unheard).waitFor();
    expect(await isLive()).toBe(true);
  });

  test('that is taken back ends what it gave', async () => {
    const page = await scene.listening();
    await page.give('token', '');
    await page.untilState('closed');
    expect(await page.text('credentials-standing')).toBe('none');
  });
});

test('a node that has forgotten its tickets is asked for a new one, without anybody’s help', async () => {
  const own = await startGateway(scene.env);
  let again: Gateway | undefined;
  try {
    const page = await scene.open({ url: own.url });
    await page.give('token', await scene.signer.sign());
    await page.untilState('live');
    await own.kill();
    await page.untilState('reconnecting');
    again = await startGateway({ ...scene.env, PORT: String(own.port) });
    await page.untilState('live');
  } finally {
    await own.kill();
    await again?.kill();
  }
});
