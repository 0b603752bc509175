import { describe, expect, test } from 'vitest';
import { hostProblem } from '../../../src/request/host.ts';

function problem(rawHeaders: string[], httpVersionMinor = 1): string | undefined {
  return hostProblem({ httpVersionMajor: 1, httpVersionMinor, rawHeaders });
}

describe('a Host', () => {
  test.each([
    'a.example',
    'A.Example:8080',
    'localhost',
    'a_b-c.example.',
    '127.0.0.1:80',
    '[::1]',
    '[2001:db8::1]:8080',
    '[::ffff:1.2.3.4]',
    'a.example:',
    'a%20b',
    "!$&'()*+,;=~",
  ])('can be %s', (host) => {
    expect(problem(['Host', host])).toBeUndefined();
  });

  test.each([
    '',
    ':8080',
    'a.example:http',
    'a.example:80:80',
    'a.example:123456',
    'a.example/',
    'http://a.example',
    'user@a.example',
    'a b',
    'a%2',
    'a?b',
    'a#b',
    'a\\b',
    'b\u00fccher.example',
    '::1',
    '[::1',
    '[]',
    '[1::2::3]',
    '[127.0.0.1]',
    '[::1]8080',
    'a.example, b.example',
  ])('cannot be %j', (host) => {
    expect(problem(['Host', host])).toMatch(/must be a host name/);
  });

  test('must be there from HTTP/1.1 on', () => {
    expect(problem(['Accept', '*/*'])).toMatch(/missing/);
    expect(problem([])).toMatch(/missing/);
    expect(hostProblem({ httpVersionMajor: 2, httpVersionMinor: 0, rawHeaders: [] })).toMatch(/missing/);
  });

  test('need not be there in HTTP/1.0', () => {
    expect(problem([], 0)).toBeUndefined();
    expect(problem(['host', '/'], 0)).toMatch(/must be a host name/);
  });

  test('must not be there twice, in any case, not even the same', () => {
    expect(problem(['Host', 'a.example', 'Accept', '*/*', 'hOST', 'a.example'])).toMatch(/this one has 2/);
    expect(problem(['Host', 'a.example', 'Host', 'b.example'], 0)).toMatch(/this one has 2/);
  });

  test('is a name, and no value of another header', () => {
    expect(problem(['X-Forwarded', 'host', 'Host', 'a.example'])).toBeUndefined();
  });
});
