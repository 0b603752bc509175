import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Extension, parseExtensions } from '../../../../src/wire/websocket/extensions.ts';

function extension(name: string, ...parameters: [name: string, value?: string][]): Extension {
  return { name, parameters: parameters.map(([each, value]) => ({ name: each, value })) };
}

describe('a Sec-WebSocket-Extensions header (RFC 6455 9.1)', () => {
  test.each<[string, Extension[]]>([
    ['foo', [extension('foo')]],
    ['foo, bar; baz=2', [extension('foo'), extension('bar', ['baz', '2'])]],
    ['deflate-stream', [extension('deflate-stream')]],
    [
      'mux; max-channels=4; flow-control, deflate-stream',
      [extension('mux', ['max-channels', '4'], ['flow-control']), extension('deflate-stream')],
    ],
    ['private-extension', [extension('private-extension')]],
    ['a;b;b=1;b', [extension('a', ['b'], ['b', '1'], ['b'])]],
    ['a, a', [extension('a'), extension('a')]],
    ["!#$%&'*+-.^_`|~09AZaz", [extension("!#$%&'*+-.^_`|~09AZaz")]],
  ])('%s', (header, offers) => {
    expect(parseExtensions(header)).toEqual(offers);
  });

  test('a value in quotes means the same as without, as what it is when its backslashes are resolved', () => {
    expect(parseExtensions('a; b="10"')).toEqual(parseExtensions('a; b=10'));
    expect(parseExtensions('a; b="\\1\\0"; c="x\\y"')).toEqual([extension('a', ['b', '10'], ['c', 'xy'])]);
  });

  test('a value in quotes must be a token too', () => {
    for (const value of ['""', '"a b"', '"a,b"', '"a;b"', '"\\""', '"\\\\"', '"ä"', '"a\tb"', '"\\ "'])
      expect(parseExtensions(`a; b=${value}`), value).toBeUndefined();
  });

  test('spaces and tabs may stand around every part', () => {
    expect(parseExtensions(' \ta\t ; b \t=  2 ;c = "3"\t,  d ')).toEqual([
      extension('a', ['b', '2'], ['c', '3']),
      extension('d'),
    ]);
  });

  test('empty elements do not count (RFC 9110 5.6.1)', () => {
    expect(parseExtensions(',a,, ,\t,b;c , ,')).toEqual([extension('a'), extension('b', ['c'])]);
  });

  test('an empty list is malformed', () => {
    for (const header of ['', ' ', ',', ', \t,']) expect(parseExtensions(header), header).toBeUndefined();
  });

  test.each([
    'a b',
    'a;',
    ';a',
    'a;;b',
    'a; ,b',
    'a; b=',
    'a; =b',
    'a; b==c',
    'a; b=c d',
    'a; b="c',
    'a; b="c\\',
    'a; b=c"',
    'a; b="c"d',
    'a; b="c" "d"',
    'a=1',
    '"a"',
    'a; "b"',
    'a/b',
    'a@',
    '(a)',
    'ä',
    'a\u00a0',
    'a\r\nb',
    'a\0',
  ])('%j is malformed', (header) => {
    expect(parseExtensions(header)).toBeUndefined();
  });

  const token = fc.string({ unit: fc.constantFrom(..."aZ09!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 8 });
  const space = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 2 });
  const value = fc.oneof(
    token.map((each) => ({ written: each, meant: each })),
    fc.tuple(token, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 })).map(([each, escaped]) => ({
      written: `"${[...each].map((character, i) => (escaped[i] ? `\\${character}` : character)).join('')}"`,
      meant: each,
    })),
  );
  const parameter = fc.record({ name: token, value: fc.option(value, { nil: undefined }) });
  const offer = fc.record({ name: token, parameters: fc.array(parameter, { maxLength: 4 }) });

  test('any list is read as it was meant, however it is spaced and quoted', () => {
    fc.assert(
      fc.property(fc.array(offer, { minLength: 1, maxLength: 4 }), fc.infiniteStream(space), (offers, spaces) => {
        const pad = (mark: string): string => `${spaces.next().value ?? ''}${mark}${spaces.next().value ?? ''}`;
        const header = offers
          .map(({ name, parameters }) =>
            [name, ...parameters.map((each) => each.name + (each.value ? pad('=') + each.value.written : ''))].join(
              pad(';'),
            ),
          )
          .join(pad(','));
        expect(parseExtensions(pad(header))).toEqual(
          offers.map(({ name, parameters }) => ({
            name,
            parameters: parameters.map((each) => ({ name: each.name, value: each.value?.meant })),
          })),
        );
      }),
    );
  });

  test('no header makes it throw, and what it takes has only tokens in it', () => {
    const anything = fc.string({ unit: fc.constantFrom('a', '1', ' ', '\t', ',', ';', '=', '"', '\\', 'ä', '\0') });
    fc.assert(
      fc.property(anything, (header) => {
        for (const { name, parameters } of parseExtensions(header) ?? [])
          for (const text of [name, ...parameters.flatMap((each) => [each.name, each.value ?? 'none'])])
            expect(text).toMatch(/^[a-z0-9]+$/);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([',', ' ', '\t,', 'a,', 'a;', 'a;b=c,', '"', '\\', 'a;b="', 'a;b="\\', ';=', 'a '])(
    'a header full of %j is read to its end',
    (part) => {
      const offers = parseExtensions(part.repeat(200_000));
      expect(offers?.length).toBe(part === 'a,' || part === 'a;b=c,' ? 200_000 : undefined);
    },
  );
});
