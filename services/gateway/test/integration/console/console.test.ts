import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { until } from '../../support/until.ts';
import { BOTH, ConsolePage, launchChromium } from './chromium.ts';

let browser: Browser;
let gateway: Gateway;
const pages: ConsolePage[] = [];

async function open(hash = ''): Promise<ConsolePage> {
  const page = await ConsolePage.open(browser, gateway.url, hash);
  pages.push(page);
  return page;
}

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
  await gateway.kill();
});

test('the page comes with a policy that lets nothing in from elsewhere, and keeps to it', async () => {
  const page = await open();
  await until(async () => (await page.text('sse-state')) === 'off', 'the page to be drawn');
  const policy = (await fetch(gateway.url)).headers.get('content-security-policy');
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  await page.hook('try-demo').click();
  await page.untilState('live');
  expect(page.complaints).toEqual([]);
});

test('everything of the page comes with what keeps it from being framed, guessed at and told about', async () => {
  for (const path of ['/', '/console/main.js', '/console/theme.css', '/console/favicon.svg']) {
    const { headers } = await fetch(gateway.url + path);
    const policy = headers.get('content-security-policy')?.split('; ') ?? [];
    for (const directive of ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'"])
      expect(policy).toContain(directive);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
  }
});

test('what strangers publish, and put into a link, is text and nothing else', async () => {
  const markup = `<img src=x onerror="complain('ran')"><script>complain('ran')</script>`;
  const page = await open(`#channel=guests&transport=sse&transport=websocket&channel=${encodeURIComponent(markup)}`);
  await page.page.getByRole('button', { name: `Remove channel ${markup}` }).click();
  await page.untilState('live');
  const event = `<svg onload=complain('ran')>`;
  const id = await publish(gateway.url, 'guests', { [markup]: markup, link: 'javascript:complain()' }, event);
  const data = JSON.stringify({ [markup]: markup, link: 'javascript:complain()' });
  for (const transport of BOTH) {
    const row = page.message(transport, id);
    await row.waitFor();
    expect(await row.getByTestId('data').textContent()).toBe(data);
    expect(await row.textContent()).toContain(event);
    await row.getByRole('button').first().click();
    expect(await row.locator('pre').textContent()).toContain(JSON.stringify(markup));
  }
  const made = await page.page.locator('[data-part="lanes"] :is(img, script, a, svg svg), [onerror], [onload]').count();
  expect(made).toBe(0);
  const unexpected = page.complaints.filter((text) => !/^Failed to load resource/.test(text));
  expect(unexpected).toEqual([]);
});

test('what the form publishes arrives over both transports, to the digit', async () => {
  const page = await open();
  await page.listenTo('orders:eu');
  const data = '{"id": 12345678901234567890, "rate": 1.0, "b": 1, "a": [1e3, "\\u00e9"]}';
  const { status, text } = await page.publish({ event: 'order.updated', data });
  expect(status).toBe('201');
  const id = /id (\S+)/.exec(text)?.[1] ?? '';
  for (const transport of BOTH) {
    const row = page.message(transport, id);
    await row.waitFor();
    expect(await row.getAttribute('data-channel')).toBe('orders:eu');
    expect(await row.getByTestId('data').textContent()).toBe(data);
    expect(await row.textContent()).toContain('order.updated');
    await until(async () => (await page.text(`${transport}-cursor`)) === id, `the cursor of ${transport}`);
    expect(await page.count(transport, 'received')).toBe(1);
  }
  await until(async () => /^In step: 1 /.test((await page.text('agreement')) ?? ''), 'both to be in step');
  expect(await page.text('websocket-node')).not.toBe('–');
  expect(page.complaints).toEqual([]);
});

test('a message can be published over the WebSocket, too', async () => {
  const page = await open('#channel=chat&transport=websocket&transport=sse');
  await page.untilState('live');
  await page.hook('publish-websocket').check();
  const { status, text } = await page.publish({ data: '1.50' });
  expect(status).toBe('published');
  const row = page.message('sse', /id (\S+)/.exec(text)?.[1] ?? '');
  await row.waitFor();
  expect(await row.getByTestId('data').textContent()).toBe('1.50');
});

test('a message can be given a time to live, by HTTP, over the WebSocket and many times at once', async () => {
  const page = await open('#channel=brief&transport=websocket&transport=sse');
  await page.untilState('live');
  await page.page.getByText('More', { exact: true }).click();
  await page.hook('publish-ttl').fill('1');
  expect((await page.publish({ data: '1' })).status).toBe('201');
  await page.hook('publish-websocket').check();
  expect((await page.publish({ data: '2' })).status).toBe('published');
  await page.hook('publish-http').check();
  await page.hook('publish-times').fill('3');
  expect((await page.publish({ data: '3' })).status).toBe('200');
  await until(async () => (await page.count('websocket', 'received')) === 5, 'all of them to be delivered');
  const kept = async () => (await fetch(`${gateway.url}/v1/channels/brief/messages`)).json();
  await until(async () => ((await kept()) as { messages: unknown[] }).messages.length === 0, 'all of them to end');

  await page.hook('publish-times').fill('1');
  await page.hook('publish-ttl').fill('0');
  const { status, text } = await page.publish({ data: '1' });
  expect(status).toBe('400');
  expect(text).toContain('a time to live is a whole number of seconds');
});

test('the address keeps channels, transports and start, so that a reload shows the same', async () => {
  const page = await open();
  await page.hook('start-mode').selectOption('last');
  await page.hook('start-last').fill('2');
  await page.listenTo('orders:eu');
  expect(page.page.url()).toMatch(/#channel=orders:eu&transport=sse&transport=websocket&last=2$/);
  for (const n of [1, 2, 3]) await publish(gateway.url, 'orders:eu', n);
  await page.page.reload();
  await page.untilState('live');
  for (const transport of BOTH) {
    await page.rows(transport, 'caught-up').first().waitFor();
    const data = page.rows(transport, 'message').getByTestId('data');
    expect(await data.allTextContents()).toEqual(['3', '2']);
  }
});

test('a channel that is added to open connections is followed, and one that is removed is not', async () => {
  const page = await open('#channel=a&transport=sse&transport=websocket');
  await page.untilState('live');
  await publish(gateway.url, 'a', 'first');
  for (const transport of BOTH) await page.rows(transport, 'message').first().waitFor();
  await page.hook('channel-input').fill('b, c');
  await page.hook('channel-add').click();
  await page.untilState('live');
  await page.page.getByRole('button', { name: 'Remove channel a' }).click();
  await page.untilState('live');
  await publish(gateway.url, 'a', 'unheard');
  const id = await publish(gateway.url, 'b', 'second');
  for (const transport of BOTH) {
    await page.message(transport, id).waitFor();
    expect(await page.rows(transport, 'message').count()).toBe(2);
    expect(await page.count(transport, 'duplicates')).toBe(0);
  }
  expect(page.complaints).toEqual([]);
});

describe('when the node goes away', () => {
  test('a kill is seen, both come back by themselves, and the gap that the embedded log leaves is shown', async () => {
    const page = await open('#channel=orders&transport=sse&transport=websocket');
    await page.untilState('live');
    const before = await publish(gateway.url, 'orders', 'before');
    for (const transport of BOTH) await page.message(transport, before).waitFor();
    await gateway.kill();
    await page.untilState('reconnecting');
    gateway = await startGateway({ PORT: String(gateway.port) });
    await page.untilState('live');
    for (const transport of BOTH) {
      const gap = page.rows(transport, 'gap');
      await gap.first().waitFor();
      expect(await gap.count()).toBe(1);
      expect(await gap.textContent()).toContain('orders');
      await until(async () => (await page.count(transport, 'gaps')) === 1, `the gap to be counted for ${transport}`);
    }
    const after = await publish(gateway.url, 'orders', 'after');
    for (const transport of BOTH) {
      await page.message(transport, after).waitFor();
      expect(await page.count(transport, 'duplicates')).toBe(0);
    }
    const unexpected = page.complaints.filter(
      (text) => !/^Failed to load resource|^WebSocket connection to/.test(text),
    );
    expect(unexpected).toEqual([]);
  });

  test('a drain is told with a bye', async () => {
    const page = await open('#channel=orders&transport=sse&transport=websocket');
    await page.untilState('live');
    gateway.process.kill('SIGTERM');
    for (const transport of BOTH) {
      const bye = page.rows(transport, 'bye');
      await bye.first().waitFor();
      expect(await bye.first().textContent()).toContain('draining');
    }
    await page.untilState('reconnecting');
  });
});

describe('what the node refuses', () => {
  test('closes both transports for good, with its words', async () => {
    const page = await open('#channel=not%20a%20channel&transport=sse&transport=websocket');
    await page.untilState('closed');
    for (const transport of BOTH) {
      expect(await page.text(`${transport}-sentence`)).toContain('a channel name is made of');
      expect(await page.text(`${transport}-sentence`)).toContain('invalid_channel');
    }
    await page.page.getByRole('button', { name: 'Remove channel not a channel' }).click();
    await page.untilState('off');
  });

  test('is shown under the form, with its code', async () => {
    const page = await open();
    const { status, text } = await page.publish({ channel: 'orders', event: 'fanfare:gap', data: '1' });
    expect(status).toBe('400');
    expect(text).toContain('reserved');
  });
});

test('the form says what is wrong with the JSON, and sends none of it', async () => {
  const page = await open('#channel=orders');
  await page.hook('publish-data').fill('{"a": 1,}');
  expect(await page.text('publish-problem')).toContain('JSON');
  await page.hook('publish-submit').click();
  expect(await page.hook('publish-data').getAttribute('aria-invalid')).toBe('true');
  expect(await page.hook('publish-result').isVisible()).toBe(false);
  await page.hook('publish-data').fill('{"a": 1}');
  expect(await page.text('publish-problem')).toContain('Valid JSON');
});

test('a burst of thousands is counted to the last, and the page keeps the newest 500 rows', async () => {
  const page = await open('#channel=a&channel=b&transport=sse&transport=websocket');
  await page.untilState('live');
  const messages = Array.from({ length: 1000 }, (_, n) => ({ channel: n % 2 ? 'a' : 'b', data: { n } }));
  let last = '';
  for (let batch = 0; batch < 4; batch++) {
    const response = await fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages }),
    });
    const { results } = (await response.json()) as { results: { id: string }[] };
    last = results.at(-1)?.id ?? '';
  }
  for (const transport of BOTH) {
    await until(async () => (await page.count(transport, 'received')) === 4000, `4000 messages by ${transport}`);
    await page.message(transport, last).waitFor();
    await until(async () => (await page.hook(`${transport}-list`).locator('> li').count()) === 500, '500 rows');
    expect(await page.count(transport, 'duplicates')).toBe(0);
    expect(await page.count(transport, 'gaps')).toBe(0);
  }
  await until(async () => /^In step: 4,000 /.test((await page.text('agreement')) ?? ''), 'both to be in step');
});

test('pausing holds messages back, a filter leaves some out, and clearing starts afresh', async () => {
  const page = await open('#channel=orders&transport=sse&transport=websocket');
  await page.untilState('live');
  const paid = await publish(gateway.url, 'orders', { state: 'paid' });
  for (const transport of BOTH) await page.message(transport, paid).waitFor();
  await page.hook('pause').click();
  const sent = await publish(gateway.url, 'orders', { state: 'sent' });
  await until(async () => (await page.text('pause')) === 'Resume · 1 new', 'a message to be held back');
  expect(await page.message('sse', sent).count()).toBe(0);
  await page.hook('pause').click();
  for (const transport of BOTH) await page.message(transport, sent).waitFor();
  await page.hook('filter').fill('paid');
  for (const transport of BOTH) {
    expect(await page.message(transport, paid).count()).toBe(1);
    expect(await page.message(transport, sent).count()).toBe(0);
  }
  await page.hook('clear').click();
  for (const transport of BOTH) {
    expect(await page.rows(transport, 'message').count()).toBe(0);
    await until(async () => (await page.count(transport, 'received')) === 0, 'the counter to be zero');
  }
});

test('the list is reached by the keyboard, and a row opens to the whole message', async () => {
  const page = await open('#channel=orders&transport=sse&transport=websocket');
  await page.untilState('live');
  const id = await publish(gateway.url, 'orders', { a: [1, 2] });
  await page.message('sse', id).waitFor();
  await page.hook('sse-list').focus();
  await page.page.keyboard.press('ArrowDown');
  await page.page.keyboard.press('Enter');
  const whole = page.message('sse', id).locator('pre');
  expect(await whole.textContent()).toBe('{\n  "a": [\n    1,\n    2\n  ]\n}');
});
