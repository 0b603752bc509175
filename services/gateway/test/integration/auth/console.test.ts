import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { nowSeconds, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { BOTH, ConsolePage, launchChromium, type Transport } from '../console/chromium.ts';

const signer = secretSigner();
const key = publishSecret();
const ENV = {
  FANFARE_AUTH: 'jwt',
  FANFARE_CONSOLE: 'on',
  FANFARE_JWT_SECRET: signer.secret,
  FANFARE_PUBLISH_KEYS: JSON.stringify([{ name: 'shop', sha256: key.sha256, channels: ['*'], disconnect: true }]),
};

let browser: Browser;
let gateway: Gateway;
const pages: ConsolePage[] = [];

/** A page that would listen to `orders` by both transports, if it may. */
async function open(hash = '#channel=orders&transport=sse&transport=websocket'): Promise<ConsolePage> {
  const page = await ConsolePage.open(browser, gateway.url, hash);
  pages.push(page);
  return page;
}

/** One that does, with a token of its own. */
async function listening(claims: Readonly<Record<string, unknown>> = {}): Promise<ConsolePage> {
  const page = await open();
  await page.give('token', await signer.sign({ publish: [], ...claims }));
  await page.untilState('live');
  return page;
}

function ask(path: string, body: object): Promise<Response> {
  return fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key.secret}` },
    body: JSON.stringify(body),
  });
}

async function publish(data: unknown, channel = 'orders'): Promise<string> {
  return ((await (await ask(`/v1/channels/${channel}/messages`, { data })).json()) as { id: string }).id;
}

async function untilSaid(page: ConsolePage, transport: Transport, text: string): Promise<void> {
  await until(
    async () => ((await page.text(`${transport}-sentence`)) ?? '').includes(text),
    `${transport} to say "${text}"`,
  );
}

beforeAll(async () => {
  [browser, gateway] = await Promise.all([launchChromium(), startGateway(ENV)]);
});
afterAll(async () => {
  await browser?.close();
  await gateway?.kill();
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

test('without a token the page says that one is needed, and connects when it is entered', async () => {
  const page = await open();
  await page.untilState('closed');
  for (const transport of BOTH) {
    await untilSaid(page, transport, 'A token or a key is needed to subscribe to orders');
    await untilSaid(page, transport, 'Enter a token above');
  }
  expect(await page.hook('token').isVisible()).toBe(true);
  expect(await page.text('token-problem')).toContain('is needed to subscribe to orders');
  await page.give('token', await signer.sign());
  await page.untilState('live');
  await until(async () => (await page.text('token-problem')) === '', 'the complaint to go');
});

test('a token listens by both transports, and a key publishes', async () => {
  const page = await open();
  await page.give('token', await signer.sign({ sub: 'ann', subscribe: ['orders'], publish: [] }));
  await page.give('key', key.secret);
  await page.untilState('live');
  const { status, text } = await page.publish({ data: '{"n": 1}' });
  expect(status).toBe('201');
  for (const transport of BOTH) await page.message(transport, /id (\S+)/.exec(text)?.[1] ?? '').waitFor();
  expect(await page.rows('websocket', 'authenticated').textContent()).toMatch(
    /Authenticated as ann, until .*\d\d:\d\d/,
  );
  expect(await page.text('websocket-identity')).toMatch(/^ann until /);
});

test('nothing of a token or a key is in the address, a storage, a cookie, the markup, an address that is asked, or a Referer', async () => {
  const page = await open();
  const told: string[] = [];
  page.page.on('request', async (request) => {
    told.push(request.url(), (await request.allHeaders()).referer ?? '');
  });
  page.page.on('websocket', (socket) => told.push(socket.url()));
  const secrets = [await signer.sign(), key.secret];
  await page.give('token', secrets[0] as string);
  await page.give('key', secrets[1] as string);
  await page.untilState('live');
  await page.publish({ data: '1' });
  for (const tab of ['curl', 'EventSource', 'WebSocket', 'Publish'])
    told.push(
      (await page.page
        .getByRole('tab', { name: tab })
        .click()
        .then(() => page.text('snippet'))) ?? '',
    );
  told.push(
    await page.page.evaluate<string>(`JSON.stringify([
      location.href, history.state, { ...localStorage }, { ...sessionStorage }, document.cookie, document.title,
      document.documentElement.outerHTML, document.body.innerText, performance.getEntries().map(({ name }) => name)])`),
  );
  const parts = secrets.flatMap((secret) => secret.split('.')).filter((each) => each.length > 20);
  expect(parts.length).toBeGreaterThanOrEqual(3);
  for (const part of parts) expect(told.filter((text) => text.includes(part))).toEqual([]);
  expect(told.some((text) => text.includes('/v1/sse?') && text.includes('ticket=fft_'))).toBe(true);

  await page.page.reload();
  await page.untilState('closed');
  for (const field of ['token', 'key']) expect(await page.hook(field).inputValue()).toBe('');
});

describe('what the node refuses is said plainly', () => {
  test('a token that has expired', async () => {
    const page = await open();
    await page.give('token', await signer.sign({ iat: nowSeconds() - 120, exp: nowSeconds() - 60 }));
    for (const transport of BOTH) await untilSaid(page, transport, 'expired');
    await page.untilState('closed');
    await untilSaid(page, 'sse', 'Enter another token above');
    expect(await page.text('token-problem')).toContain('expired');
  });

  test('a token that somebody else signed', async () => {
    const page = await open();
    await page.give('token', await secretSigner().sign());
    for (const transport of BOTH) await untilSaid(page, transport, 'The token is refused');
    await page.untilState('closed');
    for (const transport of BOTH) await untilSaid(page, transport, 'Enter another token above');
  });

  test('a token that gives no right to the channel', async () => {
    const page = await open();
    await page.give('token', await signer.sign({ subscribe: ['invoices'] }));
    for (const transport of BOTH) await untilSaid(page, transport, 'gives no right to subscribe to orders');
    await page.untilState('closed');
  });

  test('a key where a token belongs', async () => {
    const page = await open();
    await page.give('token', key.secret);
    expect(await page.text('token-problem')).toContain('a publisher’s key, which cannot listen');
  });

  test('a publish without a key, with a wrong one, and one that needs another right', async () => {
    const page = await open('');
    const none = await page.publish({ channel: 'orders', data: '1' });
    expect(none.status).toBe('401');
    expect(none.text).toContain('a token or a key is needed to publish to orders');
    expect(await page.hook('key').evaluate('(field) => field === document.activeElement')).toBe(true);
    await page.give('key', publishSecret().secret);
    const wrong = await page.publish({ channel: 'orders', data: '1' });
    expect(wrong.text).toContain('this key is not known');
    expect(await page.text('key-problem')).toContain('This key is not known');
    await page.give('key', await signer.sign({ publish: ['invoices'] }));
    const other = await page.publish({ channel: 'orders', data: '1' });
    expect(other.status).toBe('403');
    expect(other.text).toContain('gives no right to publish to orders');
  });

  test('a publish over the WebSocket, where the token to listen counts', async () => {
    const page = await listening();
    await page.give('key', key.secret);
    await page.hook('publish-websocket').check();
    const { status, text } = await page.publish({ data: '1' });
    expect(status).toBe('error');
    expect(text).toContain('gives no right to publish to orders');
    expect(text).toContain('the token to listen counts');
  });
});

test('a token that ends closes both transports, and a new one brings what was published meanwhile', async () => {
  const page = await listening({ exp: nowSeconds() + 4 });
  const before = await publish('before');
  for (const transport of BOTH) await page.message(transport, before).waitFor();
  await page.untilState('closed');
  for (const transport of BOTH) await untilSaid(page, transport, 'expired');
  await page.rows('sse', 'bye').filter({ hasText: 'token_expired' }).first().waitFor();
  const missed = await publish('meanwhile');
  await page.give('token', await signer.sign());
  await page.untilState('live');
  for (const transport of BOTH) {
    await page.message(transport, missed).waitFor();
    expect(await page.rows(transport, 'message').count()).toBe(2);
    expect(await page.count(transport, 'gaps')).toBe(0);
  }
});

test('whoever is disconnected is told so, and comes back with a newer token only', async () => {
  const page = await listening({ sub: 'eve' });
  expect((await ask('/v1/disconnect', { subject: 'eve' })).status).toBe(202);
  await page.untilState('closed');
  for (const transport of BOTH) await untilSaid(page, transport, 'disconnected');
  await page.page.getByRole('button', { name: 'Try Server-Sent Events again now' }).click();
  await untilSaid(page, 'sse', 'This subject was disconnected');
  await page.give('token', await signer.sign({ sub: 'eve', iat: nowSeconds() + 2 }));
  await page.untilState('live');
});

describe('a new token while connected', () => {
  test('goes on without a loss beyond the end of the first', async () => {
    const exp = nowSeconds() + 6;
    const [page, other] = [await listening({ exp }), await listening({ exp })];
    const first = await page.text('websocket-identity');
    await page.give('token', await signer.sign());
    await until(async () => (await page.text('websocket-identity')) !== first, 'the new end to be shown');
    const between = await publish('between');
    await other.untilState('closed');
    const after = await publish('after');
    for (const transport of BOTH) {
      for (const id of [between, after]) await page.message(transport, id).waitFor();
      expect(await page.text(`${transport}-state`)).toBe('live');
      expect(await page.count(transport, 'duplicates')).toBe(0);
    }
    expect(await page.rows('websocket', 'state').filter({ hasText: 'reconnecting' }).count()).toBe(0);
    expect(await page.rows('websocket', 'authenticated').count()).toBe(2);
  });

  test('that is refused leaves the WebSocket as it was, and says why', async () => {
    const page = await listening();
    await page.give('token', await secretSigner().sign());
    await page.rows('websocket', 'trouble').filter({ hasText: 'still counts' }).waitFor();
    expect(await page.text('token-problem')).toContain('The token is refused');
    const id = await publish('still');
    await page.message('websocket', id).waitFor();
    expect(await page.text('websocket-state')).toBe('live');
  });

  test('of somebody else opens other connections for him', async () => {
    const page = await listening({ sub: 'ann' });
    await page.give('token', await signer.sign({ sub: 'bob' }));
    await until(async () => /^bob/.test((await page.text('websocket-identity')) ?? ''), 'the other to be shown');
    await page.untilState('live');
    const id = await publish('for bob');
    for (const transport of BOTH) await page.message(transport, id).waitFor();
  });

  test('with fewer rights loses channels, and with more gets them back', async () => {
    const page = await open('#channel=orders&channel=news&transport=websocket');
    await page.give('token', await signer.sign());
    const isLive = async () => (await page.text('websocket-state')) === 'live';
    await until(isLive, 'the WebSocket to be live');
    await page.give('token', await signer.sign({ subscribe: ['news'] }));
    await page.rows('websocket', 'trouble').filter({ hasText: 'orders: the token gives no right' }).waitFor();
    const unheard = await publish('unheard');
    const heard = await publish('heard', 'news');
    await page.message('websocket', heard).waitFor();
    expect(await page.message('websocket', unheard).count()).toBe(0);
    await page.give('token', await signer.sign());
    await page.message('websocket', unheard).waitFor();
    expect(await isLive()).toBe(true);
  });

  test('that is taken back ends what it gave', async () => {
    const page = await listening();
    await page.give('token', '');
    await page.untilState('closed');
    expect(await page.text('credentials-standing')).toBe('none');
  });
});

test('a node that has forgotten its tickets is asked for a new one, without anybody’s help', async () => {
  const own = await startGateway(ENV);
  let again: Gateway | undefined;
  try {
    const page = await ConsolePage.open(browser, own.url, '#channel=orders&transport=sse&transport=websocket');
    pages.push(page);
    await page.give('token', await signer.sign());
    await page.untilState('live');
    await own.kill();
    await page.untilState('reconnecting');
    again = await startGateway({ ...ENV, PORT: String(own.port) });
    await page.untilState('live');
  } finally {
    await own.kill();
    await again?.kill();
  }
});

test('a node that asks nobody takes a token all the same', async () => {
  const own = await startGateway();
  try {
    const page = await ConsolePage.open(browser, own.url, '#channel=orders&transport=sse&transport=websocket');
    pages.push(page);
    await page.untilState('live');
    expect(await page.hook('token').isVisible()).toBe(false);
    await page.give('token', await signer.sign());
    await page.rows('websocket', 'authenticated').waitFor();
    await page.untilState('live');
    const { status, text } = await page.publish({ data: '1' });
    expect(status).toBe('201');
    for (const transport of BOTH) await page.message(transport, /id (\S+)/.exec(text)?.[1] ?? '').waitFor();
  } finally {
    await own.kill();
  }
});
