import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type OriginJudgement, Origins, originProblem } from '../../../src/request/origins.ts';

const HOST = 'fanfare.example';

function judge(
  allowed: readonly string[],
  origin: string | undefined,
  host: string | undefined = HOST,
): OriginJudgement {
  return new Origins(allowed).judge({ origin, host });
}

describe('a request without an Origin', () => {
  test.each([[[]], [['*']], [['https://a.example']]])('is not asked, whatever is allowed: %j', (allowed) => {
    expect(judge(allowed, undefined)).toBe('none');
  });
});

describe('a page of the same origin', () => {
  test.each([
    ['http://fanfare.example', 'fanfare.example'],
    ['https://fanfare.example', 'fanfare.example'],
    ['https://fanfare.example', 'fanfare.example:443'],
    ['https://fanfare.example:443', 'fanfare.example'],
    ['http://fanfare.example', 'fanfare.example:80'],
    ['http://localhost:8080', 'localhost:8080'],
    ['http://127.0.0.1:8080', '127.0.0.1:8080'],
    ['http://[::1]:8080', '[::1]:8080'],
    ['https://[::1]', '[::1]:443'],
    ['HTTPS://Fanfare.Example', 'FANFARE.example'],
  ])('%s is the same as Host %s', (origin, host) => {
    expect(judge([], origin, host)).toBe('same');
  });

  test.each([
    ['https://fanfare.example', 'fanfare.example:80'],
    ['http://fanfare.example', 'fanfare.example:443'],
    ['http://localhost:8080', 'localhost:8081'],
    ['http://localhost:8080', 'localhost'],
    ['http://localhost:8080', '127.0.0.1:8080'],
    ['https://a.fanfare.example', 'fanfare.example'],
    ['https://fanfare.example', 'a.fanfare.example'],
    ['https://fanfare.example.evil.example', 'fanfare.example'],
    ['https://fanfare.example@evil.example', 'fanfare.example'],
    ['https://fanfare.example.', 'fanfare.example'],
    ['https://fanfare.example/', 'fanfare.example'],
    ['fanfare.example', 'fanfare.example'],
    ['chrome-extension://fanfare.example', 'fanfare.example'],
    ['https://fanfare.example', undefined],
    ['https://fanfare.example', ''],
    ['', ''],
    ['null', 'null'],
  ])('%s is another than Host %s', (origin, host) => {
    expect(new Origins([]).judge({ origin, host })).toBe('refused');
  });
});

describe('the list', () => {
  test.each([
    ['https://a.example', 'https://a.example'],
    ['https://a.example', 'https://A.Example:443'],
    ['HTTPS://A.example:443', 'https://a.example'],
    ['http://localhost:5173', 'http://localhost:5173'],
    ['http://[::1]:5173', 'http://[::1]:5173'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['chrome-extension://abcdefghijklmnop', 'chrome-extension://abcdefghijklmnop'],
    ['https://*.a.example', 'https://b.a.example'],
    ['https://*.a.example', 'https://c.b.a.example'],
    ['https://*.a.example:8443', 'https://b.a.example:8443'],
    ['https://*.a.example:443', 'https://b.a.example'],
    ['https://fanfare.example', 'https://fanfare.example'],
  ])('%s lets %s in', (entry, origin) => {
    expect(originProblem(entry)).toBeUndefined();
    expect(judge([entry], origin)).toBe('allowed');
  });

  test.each([
    ['https://a.example', 'http://a.example'],
    ['https://a.example', 'https://a.example:8443'],
    ['https://a.example', 'https://b.a.example'],
    ['https://a.example', 'https://a.example.evil.example'],
    ['https://a.example', 'https://a.example, https://b.example'],
    ['https://a.example', 'https://a.example https://b.example'],
    ['https://a.example', 'null'],
    ['https://*.a.example', 'https://a.example'],
    ['https://*.a.example', 'https://.a.example'],
    ['https://*.a.example', 'https://evila.example'],
    ['https://*.a.example', 'http://b.a.example'],
    ['https://*.a.example', 'https://b.a.example:8443'],
    ['https://*.a.example', 'http://a-longer-name.a.example'],
    ['https://*.a.example', 'https://b.a.example.evil.example'],
    ['https://*.a.example', 'https://evil.example/.a.example'],
    ['https://*.a.example', 'https://evil.example:1.a.example'],
    ['https://*.a.example', 'https://evil.example?.a.example'],
    ['https://*.a.example', 'https://evil.example#.a.example'],
    ['https://*.a.example', 'https://evil.example\\.a.example'],
    ['https://*.a.example', 'https://evil@b.a.example'],
  ])('%s keeps %s out', (entry, origin) => {
    expect(judge([entry], origin)).toBe('refused');
  });

  test('is asked before the Host is, so that a listed http page of the same host gets its CORS header', () => {
    expect(judge(['http://fanfare.example'], 'http://fanfare.example')).toBe('allowed');
  });
});

describe('*', () => {
  test.each(['https://a.example', 'null', '', 'rubbish', `https://${'a'.repeat(5000)}.example`])(
    'lets anyone in, as anyone: %s',
    (origin) => {
      expect(judge(['*'], origin)).toBe('any');
    },
  );

  test('takes nothing from those who are listed or at home', () => {
    expect(judge(['*', 'https://a.example'], 'https://a.example')).toBe('allowed');
    expect(judge(['*'], `https://${HOST}`)).toBe('same');
  });
});

test('whatever the headers hold, a judgement comes, and only of what is listed is it a good one', () => {
  const origins = new Origins(['https://*.a.example', 'https://b.example']);
  const piece = fc.constantFrom(
    'https://',
    '.a.example',
    'b.example',
    ':',
    '/',
    '@',
    '*',
    '443',
    '[',
    ']',
    '%',
    ' ',
    'x',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
  );
  fc.assert(
    fc.property(text, text, (origin, host) => {
      const judgement = origins.judge({ origin, host });
      const url = URL.canParse(origin) ? new URL(origin) : undefined;
      if (judgement === 'allowed')
        expect(url?.origin === 'https://b.example' || url?.hostname.endsWith('.a.example')).toBe(true);
      else expect(['same', 'refused']).toContain(judgement);
    }),
    { numRuns: 2000 },
  );
});

describe('an entry that would do something else than it seems to', () => {
  test.each([
    ['a.example', /no scheme/],
    ['', /no scheme/],
    ['null', /only \* lets/],
    ['https://a.example/', /no slash/],
    ['https://a.example/path', /no slash/],
    ['https://a.example?x', /query/],
    ['https://a.example#x', /fragment/],
    ['https://user:secret@a.example', /user name/],
    ['wss://a.example', /http:\/\/ or https:\/\//],
    ['https://*', /may only stand/],
    ['https://a.*.example', /may only stand/],
    ['https://*a.example', /may only stand/],
    ['https://*.*.example', /may only stand/],
    ['https://a.example:*', /may only stand/],
    ['*.a.example', /no scheme/],
    ['*://a.example', /may only stand/],
    ['https://*.127.0.0.1', /no subdomains/],
    ['https://a.example:65536', /cannot be/],
    ['https://a.example:', /not an origin/],
    ['https://', /not an origin/],
    ['https://a b.example', /not an origin/],
    ['https://a.example,https://b.example', /no slash/],
    ['https://bücher.example', /ASCII/],
    ['http://127.1', /browsers write it as "http:\/\/127\.0\.0\.1"/],
    ['http://[0:0:0:0:0:0:0:1]:80', /browsers write it as "http:\/\/\[::1\]"/],
    ['https://a.example:0443', /browsers write it as "https:\/\/a\.example"/],
  ])('%s is refused', (entry, problem) => {
    expect(originProblem(entry)).toMatch(problem);
  });

  test.each([
    '*',
    'https://xn--bcher-kva.example',
    'https://a_b.example',
    'https://*.localhost',
    'http://10.0.0.1:3000',
  ])('but %s is as it seems', (entry) => {
    expect(originProblem(entry)).toBeUndefined();
  });
});

test('a page that came by plain HTTP is not the node’s own where the node is served by TLS', () => {
  const judged = (origin: string, proto: string | string[] | undefined) =>
    new Origins([]).judge({ origin, host: 'app.example', 'x-forwarded-proto': proto });
  expect(judged('http://app.example', 'https')).toBe('refused');
  expect(judged('http://app.example', 'HTTPS, http')).toBe('refused');
  expect(judged('http://app.example', ['https'])).toBe('refused');
  expect(judged('https://app.example', 'https')).toBe('same');
  for (const proto of [undefined, 'http', 'http, https', '', 'httpsx'])
    expect(judged('http://app.example', proto)).toBe('same');
  expect(
    new Origins(['http://app.example']).judge({ origin: 'http://app.example', 'x-forwarded-proto': 'https' }),
  ).toBe('allowed');
});
