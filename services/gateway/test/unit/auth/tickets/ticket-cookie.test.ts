import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cookieNameOf, readTicketCookie, ticketCookies } from '../../../../src/auth/tickets/ticket-cookie.ts';

const TICKET = `fft_${'t'.repeat(22)}`;
const SECRET = 'Se-cret_'.padEnd(22, '0');
const NOW_MS = Date.parse('2026-01-01T00:00:00Z');

beforeEach(() => vi.useFakeTimers({ now: NOW_MS, toFake: ['Date'] }));
afterEach(() => vi.useRealTimers());

const cookiesFor = (headers: IncomingHttpHeaders, expiresMs = NOW_MS + 3_600_000): string[] =>
  ticketCookies({ ticket: TICKET, secret: SECRET, expiresMs, headers });

/** `names` as a browser would send them, oldest first. */
const headerOf = (names: readonly string[]): string => names.map((name) => `${name}=${SECRET}`).join('; ');

const manyNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `ff_${i.toString(16).padStart(8, '0')}`);

describe('the name', () => {
  test('is of the ticket and tells nothing of it', () => {
    expect(cookieNameOf(TICKET)).toBe(`ff_${createHash('sha256').update(TICKET).digest('hex').slice(0, 8)}`);
  });
});

describe('what a browser is given', () => {
  test('is one cookie for the paths of the API that no script can read and no other site can use', () => {
    expect(cookiesFor({})).toEqual([
      `${cookieNameOf(TICKET)}=${SECRET}; Max-Age=3600; Path=/v1; HttpOnly; SameSite=Strict`,
    ]);
  });

  test.each(['https', 'HTTPS', 'https, http', ' https '])(
    'goes over TLS only when the browser came by TLS: %j',
    (proto) => {
      expect(cookiesFor({ 'x-forwarded-proto': proto })[0]).toMatch(/; Path=\/v1; HttpOnly; Secure; SameSite=Strict$/);
    },
  );

  test.each(['http', 'http, https', '', 'httpsx', undefined])('is not held back from plain HTTP: %j', (proto) => {
    const headers = proto === undefined ? {} : { 'x-forwarded-proto': proto };
    expect(cookiesFor(headers)[0]).not.toContain('Secure');
  });

  test.each([
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-storage-access': 'none', 'x-forwarded-proto': 'https' },
    // A frame of our own in such a page.
    { 'sec-fetch-site': 'same-origin', 'sec-fetch-storage-access': 'none' },
    { 'sec-fetch-site': 'same-site', 'sec-fetch-storage-access': 'active' },
  ])('comes with the pages of another site alone where the ticket was redeemed in one: %j', (headers) => {
    expect(cookiesFor(headers)[0]).toMatch(/; Path=\/v1; HttpOnly; Secure; SameSite=None; Partitioned$/);
  });

  test.each(['same-origin', 'same-site', 'none'])('is for its own site when asked from %s', (site) => {
    expect(cookiesFor({ 'sec-fetch-site': site })[0]).toMatch(/SameSite=Strict$/);
  });

  test.each([
    [1, 1],
    [1000, 1],
    [1001, 2],
    [-5000, 1],
  ])('ends with the token, in whole seconds: %i ms → %i s', (leftMs, seconds) => {
    expect(cookiesFor({}, NOW_MS + leftMs)[0]).toContain(`; Max-Age=${seconds};`);
  });
});

describe('how many it keeps', () => {
  test('is thirty with the new one: nothing is deleted up to there', () => {
    expect(cookiesFor({ cookie: headerOf(manyNames(29)) })).toHaveLength(1);
  });

  test('the oldest are deleted beyond it, with the attributes that a new one has', () => {
    const names = manyNames(32);
    for (const headers of [{}, { 'x-forwarded-proto': 'https' }, { 'sec-fetch-site': 'cross-site' }] as const) {
      const [added = '', ...deleted] = cookiesFor({ ...headers, cookie: headerOf(names) });
      const attributes = added.slice(added.indexOf('; Path='));
      expect(deleted).toEqual(names.slice(0, 3).map((name) => `${name}=; Max-Age=0${attributes}`));
    }
  });

  test('few are deleted at once, however many there are', () => {
    const cookies = cookiesFor({ cookie: headerOf(manyNames(400)) });
    expect(cookies).toHaveLength(11);
    expect(cookies.join().length).toBeLessThan(2048);
  });

  test('other cookies are neither counted nor deleted, nor the one that is given', () => {
    const strange = ['session', 'ff_', 'ff_12345', 'ff_0000000G', 'xff_00000000', 'ff_000000000'];
    const own = cookieNameOf(TICKET);
    const cookie = headerOf([own, ...Array(40).fill('session'), ...strange, ...manyNames(30), ...manyNames(30)]);
    const [, ...deleted] = cookiesFor({ cookie });
    expect(deleted.map((each) => each.split('=')[0])).toEqual(manyNames(1));
  });
});

describe('what a browser brings', () => {
  const name = cookieNameOf(TICKET);

  test.each([
    `${name}=${SECRET}`,
    `session=1; ${name}=${SECRET}; theme=dark`,
    `session=1;${name}=${SECRET}`,
    `a==; ; =b; c; ${name}=${SECRET}`,
    `x${name}=${'1'.repeat(22)}; ${name}=${SECRET}`,
    `${name}=nonsense; ${name}=${SECRET}`,
  ])('is found among others: %j', (header) => {
    expect(readTicketCookie(header, TICKET)).toBe(SECRET);
  });

  test.each([
    undefined,
    '',
    ';;;',
    name,
    `${name}=`,
    `${name}=short`,
    `${name}=${SECRET}0`,
    `${name}="${SECRET}"`,
    `${name}=${SECRET.slice(1)} `,
    `${name}=${SECRET.slice(1)}=`,
    `x${name}=${SECRET}`,
    `${name.toUpperCase()}=${SECRET}`,
    `ff_00000000=${SECRET}`,
    `session=${name}=${SECRET}`,
  ])('is nothing where there is none that could be: %j', (header) => {
    expect(readTicketCookie(header, TICKET)).toBeUndefined();
  });

  test('may be very long', () => {
    const header = `${'a=b; '.repeat(20_000)}${name}=${SECRET}`;
    expect(readTicketCookie(header, TICKET)).toBe(SECRET);
  });
});
