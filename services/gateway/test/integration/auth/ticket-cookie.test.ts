import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { selfSigned } from '../../../../../infra/cluster/certificate.ts';
import { cookieNameOf } from '../../../src/auth/tickets/ticket-cookie.ts';
import { BrowserPage } from '../../support/browser-page.ts';
import { until } from '../../support/until.ts';
import { launchChromium } from '../console/chromium.ts';
import { CookieServer, type StreamRequest, secretOf } from './cookie-server.ts';

/** The most that a browser keeps. */
const MOST = 30;

let browser: Browser;
let plain: CookieServer;
let secure: CookieServer;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfare-cookies-'));
  const certificate = await selfSigned(folder);
  [browser, plain, secure] = await Promise.all([
    launchChromium([
      '--host-resolver-rules=MAP *.example 127.0.0.1, MAP *.test 127.0.0.1',
      // Nobody has signed the certificate.
      '--ignore-certificate-errors',
    ]),
    CookieServer.start(),
    CookieServer.start(certificate),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([plain?.stop(), secure?.stop()]);
  await rm(folder, { recursive: true });
});

const newTicket = (): string => `fft_${randomBytes(16).toString('base64url')}`;

/** Opens a stream with a ticket and waits until the EventSource has come back by itself, twice. Returns the requests. */
async function comeBack(
  page: BrowserPage,
  server: CookieServer,
  origin: string,
  withCredentials = false,
): Promise<{ ticket: string; requests: StreamRequest[] }> {
  const ticket = newTicket();
  const source = await page.source(`${origin}/v1/sse?ticket=${ticket}`, { withCredentials });
  await until(() => server.of(ticket).length >= 3, 'the stream to come back');
  await source.close();
  return { ticket, requests: server.of(ticket).slice(0, 3) };
}

/** The names of the ticket cookies that a page's requests bring to an origin. */
async function namesAt(page: BrowserPage, origin: string): Promise<string[]> {
  const answer = await page.ask(`${origin}/v1/cookies`, { credentials: 'include' });
  return (answer?.text ?? '').split('; ').flatMap((pair) => (pair === '' ? [] : [pair.split('=')[0] ?? '']));
}

/** Opens more streams than a browser keeps cookies for, one after another; the tickets. */
async function openMany(page: BrowserPage, server: CookieServer, origin: string): Promise<string[]> {
  const tickets = Array.from({ length: MOST + 4 }, newTicket);
  for (const ticket of tickets) {
    const answer = await page.ask(`${origin}/v1/sse?ticket=${ticket}`, { credentials: 'include' });
    expect(answer?.status).toBe(200);
    expect(server.of(ticket)).toHaveLength(1);
  }
  return tickets;
}

const newestOf = (tickets: readonly string[]): string[] => tickets.slice(-MOST).map(cookieNameOf);

describe.each(['127.0.0.1', 'localhost'])('over plain HTTP at %s', (host) => {
  const origin = () => `http://${host}:${plain.port}`;

  test('a stream that a ticket opened comes back with its cookie, which no script sees', async () => {
    const page = await BrowserPage.open(browser, `${origin()}/page`);
    const { ticket, requests } = await comeBack(page, plain, origin());
    const secret = secretOf(ticket);
    expect(requests.map(({ presented }) => presented)).toEqual([undefined, secret, secret]);
    expect(await namesAt(page, origin())).toEqual([cookieNameOf(ticket)]);
    expect(await page.page.evaluate('document.cookie')).toBe('');
    // Also where a script could see it by its path.
    await page.page.goto(`${origin()}/v1/cookies`);
    expect(await page.page.evaluate('document.cookie')).toBe('');
    const [cookie] = await page.page.context().cookies(`${origin()}/v1/sse`);
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', secure: false, path: '/v1' });
    await page.close();
  });

  test('the oldest cookies go when there are too many', async () => {
    const page = await BrowserPage.open(browser, `${origin()}/page`);
    const tickets = await openMany(page, plain, origin());
    expect(await namesAt(page, origin())).toEqual(newestOf(tickets));
    await page.close();
  });
});

describe('over TLS', () => {
  const gateway = () => `https://b.test:${secure.port}`;
  const site = () => `https://a.example:${secure.port}`;

  test('a stream of another site comes back with its cookie when it is opened with credentials', async () => {
    const page = await BrowserPage.open(browser, `${site()}/page`);
    const { ticket, requests } = await comeBack(page, secure, gateway(), true);
    const secret = secretOf(ticket);
    expect(requests.map((request) => request.site)).toEqual(Array(3).fill('cross-site'));
    expect(requests.map(({ presented }) => presented)).toEqual([undefined, secret, secret]);
    expect(await page.page.evaluate('document.cookie')).toBe('');
    const [cookie] = await page.page.context().cookies(`${gateway()}/v1/sse`);
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'None', secure: true, path: '/v1' });
    expect(cookie?.partitionKey).toContain('a.example');
    await page.close();
  });

  test('such a cookie does not come with the pages of a third site, nor with those of its own', async () => {
    const page = await BrowserPage.open(browser, `${site()}/page`);
    const { ticket } = await comeBack(page, secure, gateway(), true);
    expect(await namesAt(page, gateway())).toEqual([cookieNameOf(ticket)]);
    for (const elsewhere of [`https://c.example:${secure.port}`, gateway()]) {
      const other = await page.page.context().newPage();
      await other.goto(`${elsewhere}/page`);
      const text = `fetch('${gateway()}/v1/cookies', { credentials: 'include' }).then((answer) => answer.text())`;
      expect(await other.evaluate(text)).toBe('');
    }
    await page.close();
  });

  test('a stream of our own page in a frame of another site comes back with its cookie', async () => {
    const inner = `${gateway()}/page`;
    const page = await BrowserPage.open(browser, `${site()}/page?frame=${encodeURIComponent(inner)}`);
    const ticket = newTicket();
    const frame = page.page.frame({ url: inner });
    await frame?.evaluate(`void new EventSource('/v1/sse?ticket=${ticket}')`);
    await until(() => secure.of(ticket).length >= 3, 'the stream to come back');
    const requests = secure.of(ticket).slice(0, 3);
    await page.close();
    expect(requests.map((request) => request.site)).toEqual(Array(3).fill('same-origin'));
    expect(requests.map(({ presented }) => presented)).toEqual([undefined, secretOf(ticket), secretOf(ticket)]);
  });

  test('without credentials another site’s stream has no cookie to come back with', async () => {
    const page = await BrowserPage.open(browser, `${site()}/page`);
    const { requests } = await comeBack(page, secure, gateway());
    expect(requests.map(({ presented }) => presented)).toEqual([undefined, undefined, undefined]);
    await page.close();
  });

  test('the cookie of a stream of its own site comes with no other site’s requests', async () => {
    const page = await BrowserPage.open(browser, `${gateway()}/page`);
    const { ticket, requests } = await comeBack(page, secure, gateway());
    expect(requests.at(-1)?.presented).toBe(secretOf(ticket));
    const other = await page.page.context().newPage();
    await other.goto(`${site()}/page`);
    const text = `fetch('${gateway()}/v1/cookies', { credentials: 'include' }).then((answer) => answer.text())`;
    expect(await other.evaluate(text)).toBe('');
    await page.close();
  });

  test('the oldest cookies of another site’s streams go when there are too many', async () => {
    const page = await BrowserPage.open(browser, `${site()}/page`);
    const tickets = await openMany(page, secure, gateway());
    expect(await namesAt(page, gateway())).toEqual(newestOf(tickets));
    await page.close();
  });
});
