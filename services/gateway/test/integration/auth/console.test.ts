import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startGateway } from '../../support/gateway.ts';
import { nowSeconds, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { BOTH } from '../console/chromium.ts';
import { ConsoleScene, untilSaid } from './console-scene.ts';

const scene = new ConsoleScene();
beforeAll(() => scene.start());
afterAll(() => scene.stop());
afterEach(() => scene.closePages());

test('without a token the page says that one is needed, and connects when it is entered', async () => {
  const page = await scene.open();
  await page.untilState('closed');
  for (const transport of BOTH) {
    await untilSaid(page, transport, 'A token is needed to subscribe to orders');
    await untilSaid(page, transport, 'Enter a token above');
  }
  expect(await page.hook('token').isVisible()).toBe(true);
  expect(await page.text('token-problem')).toContain('is needed to subscribe to orders');
  await page.give('token', await scene.signer.sign());
  await page.untilState('live');
  await until(async () => (await page.text('token-problem')) === '', 'the complaint to go');
});

test('a token listens by both transports, and a key publishes', async () => {
  const page = await scene.open();
  await page.give('token', await scene.signer.sign({ sub: 'ann', subscribe: ['orders'], publish: [] }));
  await page.give('key', scene.key.secret);
  await page.untilState('live');
  const { status, text } = await page.publish({ data: '{"n": 1}' });
  expect(status).toBe('201');
  for (const transport of BOTH) await page.message(transport, /id (\S+)/.exec(text)?.[1] ?? '').waitFor();
  expect(await page.rows('websocket', 'authenticated').textContent()).toMatch(
    /Authenticated as ann, until .*\d\d:\d\d/,
  );
  expect(await page.text('websocket-identity')).toMatch(/^ann until /);
  // Of what is refused before a token is there, Chromium itself complains.
  expect(page.complaints.filter((complaint) => !complaint.startsWith('Failed to load resource'))).toEqual([]);
});

test('nothing of a token or a key is in the address, a storage, a cookie, the markup, an address that is asked, or a Referer', async () => {
  const page = await scene.open();
  const told: string[] = [];
  const headers: Promise<Record<string, string>>[] = [];
  page.page.on('request', (request) => {
    told.push(request.url());
    headers.push(request.allHeaders());
  });
  page.page.on('websocket', (socket) => told.push(socket.url()));
  const secrets = [await secretSigner().sign(), await scene.signer.sign(), scene.key.secret] as const;
  await page.give('token', secrets[0]);
  for (const transport of BOTH) await untilSaid(page, transport, 'refused');
  told.push(await page.page.evaluate<string>('document.body.innerText'));
  await page.give('token', secrets[1]);
  await page.give('key', secrets[2]);
  await page.untilState('live');
  await page.publish({ data: '1' });
  for (const tab of ['curl', 'EventSource', 'WebSocket', 'Publish']) {
    await page.page.getByRole('tab', { name: tab }).click();
    told.push((await page.text('snippet')) ?? '');
  }
  for (const { referer = '' } of await Promise.all(headers)) told.push(referer);
  told.push(
    await page.page.evaluate<string>(`JSON.stringify([
      location.href, history.state, { ...localStorage }, { ...sessionStorage }, document.cookie, document.title,
      document.documentElement.outerHTML, document.body.innerText, performance.getEntries().map(({ name }) => name)])`),
  );
  const parts = secrets.flatMap((secret) => secret.split('.')).filter((each) => each.length > 20);
  expect(parts.length).toBeGreaterThanOrEqual(5);
  for (const part of parts) expect(told.filter((text) => text.includes(part))).toEqual([]);
  expect(told.some((text) => text.includes('/v1/sse?') && text.includes('ticket=fft_'))).toBe(true);

  await page.page.reload();
  await page.untilState('closed');
  for (const field of ['token', 'key']) expect(await page.hook(field).inputValue()).toBe('');
});

describe('what the node refuses is said plainly', () => {
  test('a token that has expired', async () => {
    const page = await scene.open();
    await page.give('token', await scene.signer.sign({ iat: nowSeconds() - 120, exp: nowSeconds() - 60 }));
    for (const transport of BOTH) await untilSaid(page, transport, 'expired');
    await page.untilState('closed');
    await untilSaid(page, 'sse', 'Enter another token above');
    expect(await page.text('token-problem')).toContain('expired');
  });

  test('a token that somebody else signed', async () => {
    const page = await scene.open();
    await page.give('token', await secretSigner().sign());
    for (const transport of BOTH) await untilSaid(page, transport, 'The token is refused');
    await page.untilState('closed');
    for (const transport of BOTH) await untilSaid(page, transport, 'Enter another token above');
  });

  test('a token that gives no right to the channel', async () => {
    const page = await scene.open();
    await page.give('token', await scene.signer.sign({ subscribe: ['invoices'] }));
    for (const transport of BOTH) await untilSaid(page, transport, 'gives no right to subscribe to orders');
    await page.untilState('closed');
  });

  test('a key where a token belongs', async () => {
    const page = await scene.open();
    await page.give('token', scene.key.secret);
    expect(await page.text('token-problem')).toContain('a publisher’s key, which cannot listen');
  });

  test('a publish without a key, with a wrong one, and one that needs another right', async () => {
    const page = await scene.open({ hash: '' });
    const none = await page.publish({ channel: 'orders', data: '1' });
    expect(none.status).toBe('401');
    expect(none.text).toContain('a token or a key is needed to publish to orders');
    expect(await page.page.evaluate('document.activeElement.dataset.testid')).toBe('key');
    await page.give('key', publishSecret().secret);
    const wrong = await page.publish({ channel: 'orders', data: '1' });
    expect(wrong.text).toContain('this key is not known');
    expect(await page.text('key-problem')).toContain('This key is not known');
    await page.give('key', await scene.signer.sign({ publish: ['invoices'] }));
    const other = await page.publish({ channel: 'orders', data: '1' });
    expect(other.status).toBe('403');
    expect(other.text).toContain('gives no right to publish to orders');
  });

  test('a publish over the WebSocket, where the token to listen counts', async () => {
    const page = await scene.listening();
    await page.give('key', scene.key.secret);
    await page.hook('publish-websocket').check();
    const { status, text } = await page.publish({ data: '1' });
    expect(status).toBe('error');
    expect(text).toContain('gives no right to publish to orders');
    expect(text).toContain('the token to listen counts');
  });
});

test('a node that asks nobody takes a token all the same', async () => {
  const own = await startGateway();
  try {
    const page = await scene.open({ url: own.url });
    await page.untilState('live');
    expect(await page.hook('token').isVisible()).toBe(false);
    await page.give('token', await scene.signer.sign());
    await page.rows('websocket', 'authenticated').waitFor();
    await page.untilState('live');
    const { status, text } = await page.publish({ data: '1' });
    expect(status).toBe('201');
    for (const transport of BOTH) await page.message(transport, /id (\S+)/.exec(text)?.[1] ?? '').waitFor();
  } finally {
    await own.kill();
  }
});
