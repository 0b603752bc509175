import { describe, expect, test } from 'vitest';
import { mayUseCookie } from '../../../src/request/cookie-trust.ts';
import { Origins } from '../../../src/request/origins.ts';

const SITES = [undefined, 'same-origin', 'same-site', 'cross-site', 'none'];
const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS', 'get', undefined];

function may(judgement: Parameters<typeof mayUseCookie>[1], method: string | undefined, site: string | undefined) {
  return mayUseCookie({ method, headers: site === undefined ? {} : { 'sec-fetch-site': site } }, judgement);
}

describe('a cookie speaks for whoever sent the request', () => {
  test.each(['same', 'allowed'] as const)('always, when its Origin is %s', (judgement) => {
    for (const method of METHODS) for (const site of SITES) expect(may(judgement, method, site)).toBe(true);
  });

  test.each(['any', 'refused'] as const)('never, when its Origin is %s', (judgement) => {
    for (const method of METHODS) for (const site of SITES) expect(may(judgement, method, site)).toBe(false);
  });

  test.each([
    ['GET', undefined, true],
    ['HEAD', undefined, true],
    ['GET', 'same-origin', true],
    ['HEAD', 'same-origin', true],
    ['GET', 'none', true],
    ['GET', 'same-site', false],
    ['GET', 'cross-site', false],
    ['HEAD', 'cross-site', false],
    ['GET', 'none, none', false],
    ['GET', 'same-origin, cross-site', false],
    ['GET', 'Same-Origin', false],
    ['GET', '', false],
    ['POST', undefined, false],
    ['POST', 'same-origin', false],
    ['POST', 'none', false],
    ['DELETE', undefined, false],
    ['OPTIONS', undefined, false],
    ['get', undefined, false],
    [undefined, undefined, false],
  ] as const)('without an Origin, by %s and Sec-Fetch-Site %s: %s', (method, site, expected) => {
    expect(may('none', method, site)).toBe(expected);
  });
});

describe('a page of another site gets nothing by the cookies of its visitors', () => {
  const host = 'fanfare.example';
  const origins = new Origins(['https://app.example']);
  const foreign = { origin: 'https://evil.example', host };

  test.each([
    ['its fetch', 'POST', foreign],
    ['its form', 'POST', { ...foreign, 'sec-fetch-site': 'cross-site' }],
    ['its form, sent from a sandbox', 'POST', { origin: 'null', host }],
    ['its WebSocket', 'GET', foreign],
    ['its EventSource', 'GET', foreign],
    ['an image on it', 'GET', { host, 'sec-fetch-site': 'cross-site' }],
    ['a page of a neighbour on the same site', 'GET', { host, 'sec-fetch-site': 'same-site' }],
  ])('by %s', (_what, method, headers) => {
    expect(mayUseCookie({ method, headers }, origins.judge(headers))).toBe(false);
    const open = new Origins(['*']);
    expect(mayUseCookie({ method, headers }, open.judge(headers))).toBe(false);
  });

  test.each([
    ['a page of the node itself', 'GET', { host, 'sec-fetch-site': 'same-origin' }],
    ['a page of the node itself, publishing', 'POST', { host, origin: `https://${host}` }],
    ['a page that is on the list', 'GET', { host, origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }],
    ['curl', 'GET', { host }],
  ])('but %s does', (_what, method, headers) => {
    expect(mayUseCookie({ method, headers }, origins.judge(headers))).toBe(true);
  });
});
