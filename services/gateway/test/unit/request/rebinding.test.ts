import { describe, expect, test } from 'vitest';
import { Origins, originProblem } from '../../../src/request/origins.ts';
import { OwnNames } from '../../../src/request/rebinding.ts';

const problem = (host: string | undefined, ...allowed: string[]) => {
  expect(allowed.map(originProblem)).toEqual(allowed.map(() => undefined));
  return new OwnNames(allowed).rebindingProblem(host);
};

describe('an open node on loopback', () => {
  test.each([
    'localhost',
    'localhost:8080',
    'LocalHost:',
    'localhost.',
    'app.localhost:8080',
    'a.b.localhost.',
    '127.0.0.1:8080',
    '127.0.0.1',
    '127.0.0.1.',
    '192.0.2.7:80',
    '[::1]:8080',
    '[::1]',
    '[2001:db8::1]',
  ])('answers to %s', (host) => {
    expect(problem(host)).toBeUndefined();
  });

  test.each([
    'evil.example',
    'evil.example:8080',
    'evil.example.',
    'localhost.evil.example',
    'localhost-evil.example:8080',
    'evillocalhost',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io:8080',
    '.',
    '.localhost',
    '%6cocalhost',
    'localhost..',
    'node',
    'fanfare.internal',
    '1.2.3',
    '1.2.3.4.5',
  ])('does not answer to %s', (host) => {
    expect(problem(host)).toMatch(/^this node is open .* FANFARE_ALLOWED_ORIGINS, or set FANFARE_AUTH=jwt$/);
  });

  test('answers to whoever has no Host, which every browser has', () => {
    expect(problem(undefined)).toBeUndefined();
  });

  test('a page whose name leads to this machine passes for its own, and is found by that name', () => {
    const host = 'evil.example:8080';
    expect(new Origins([]).judge({ origin: `http://${host}`, host })).toBe('same');
    expect(problem(host)).toContain('"evil.example"');
  });

  test('says how to let a name in, and that does let it in', () => {
    const [, advice = ''] = /list (\S+) in/.exec(problem('dev.example:8080') ?? '') ?? [];
    expect(problem('dev.example:8080', advice)).toBeUndefined();
  });

  test('repeats no more than the beginning of a long name', () => {
    expect(problem(`${'a'.repeat(30_000)}.example`)?.length).toBeLessThan(500);
  });
});

describe('the hosts of allowed origins', () => {
  test('are answered to, by whatever port', () => {
    const allowed = ['https://app.example:8443', 'http://other.example', 'https://[2001:db8::1]'];
    for (const host of ['app.example', 'APP.example:80', 'app.example.:8443', 'other.example:8080', 'localhost'])
      expect(problem(host, ...allowed)).toBeUndefined();
    for (const host of ['www.app.example', 'example', 'app.example.evil.example', 'pp.example'])
      expect(problem(host, ...allowed)).toBeDefined();
  });

  test('are all those under a domain where subdomains are allowed, without the domain itself', () => {
    for (const host of ['a.dev.example', 'a.b.dev.example:1'])
      expect(problem(host, 'https://*.dev.example')).toBeUndefined();
    for (const host of ['dev.example', '.dev.example', 'adev.example', 'dev.example.evil.example'])
      expect(problem(host, 'https://*.dev.example')).toBeDefined();
  });

  test('are all where all may', () => {
    expect(problem('evil.example', 'https://app.example', '*')).toBeUndefined();
  });

  test('are not the names of extensions', () => {
    for (const host of ['abcdef', '.']) expect(problem(host, 'chrome-extension://abcdef')).toBeDefined();
  });
});
