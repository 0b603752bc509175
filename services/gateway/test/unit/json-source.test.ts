import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { elementsOf, membersOf } from '../../src/json-source.ts';

/** Writes a value as JSON in one of the many ways in which it can be written; `choices` decides which. */
class Printer {
  readonly #choices: readonly number[];
  #next = 0;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  space(): string {
    return ['', '', ' ', '\n', '\t \r\n'][this.#choose(5)] ?? '';
  }

  string(text: string): string {
    if (this.#choose(3) > 0) return JSON.stringify(text);
    let escaped = '';
    for (let i = 0; i < text.length; i++) escaped += `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`;
    return `"${escaped}"`;
  }

  value(value: unknown): string {
    if (typeof value === 'string') return this.string(value);
    if (Array.isArray(value)) return this.array(value.map((element) => this.value(element)));
    if (typeof value === 'object' && value !== null)
      return this.object(Object.entries(value).map(([name, member]) => [name, this.value(member)]));
    if (typeof value === 'number' && this.#choose(3) === 0) return value.toExponential();
    return JSON.stringify(value);
  }

  array(elements: readonly string[]): string {
    const inside = elements.map((element) => this.space() + element + this.space()).join(',');
    return `[${inside || this.space()}]`;
  }

  object(members: readonly (readonly [string, string])[]): string {
    const inside = members
      .map(
        ([name, source]) =>
          `${this.space()}${this.string(name)}${this.space()}:${this.space()}${source}${this.space()}`,
      )
      .join(',');
    return `{${inside || this.space()}}`;
  }

  #choose(of: number): number {
    const choice = this.#choices[this.#next++ % this.#choices.length] ?? 0;
    return choice % of;
  }
}

/**
 * True for valid JSON. What it parses to is compared nowhere: V8 14.6 reads the member name in `{"]":1,"\\u007d":1}` as a
 * backslash once it has seen `{"]":1,"\\\\":1}`.
 */
function isJson(text: string): boolean {
  return JSON.parse(text) !== undefined;
}

const choices = fc.array(fc.nat(59), { minLength: 7, maxLength: 40 });
const anyString = fc.string({ unit: 'binary', maxLength: 10 });
const tricky = fc.constantFrom(
  '"',
  '\\',
  '\\"',
  '}',
  ']',
  ',',
  ':',
  '__proto__',
  'constructor',
  '',
  '\0',
  '\ud800',
  '{"a":[',
);
const name = fc.oneof(anyString, tricky);
const value = fc.oneof(fc.jsonValue({ maxDepth: 4 }), tricky, fc.array(tricky), fc.dictionary(tricky, tricky));

describe("an object's members", () => {
  test('are found with their exact source text, however the object is written', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 8 }),
        choices,
        (entries, how) => {
          const printer = new Printer(how);
          const members = entries.map(([key, content]) => [key, printer.value(content)] as const);
          const text = printer.space() + printer.object(members) + printer.space();
          expect([...(membersOf(text) ?? [])]).toEqual(members);
          expect(isJson(text)).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test.each([
    '1e400',
    '9007199254740993',
    '-0',
    '0.10000000000000000000000000000000001',
    '1E+2',
    'true',
    'null',
    '""',
    '"\\u0000\\ud800\\/"',
    '{"b":1,"a":2,"b":3}',
    '[ 1 , 2 ]',
    '{\n  "a": "line"\r\n}',
    '"\u2028\u2029\u007f\ufeff"',
    '"\\\\"',
    '"\\\\\\""',
  ])('the value %s is carried as it was written', (source) => {
    expect(membersOf(`{"data":${source}}`)?.get('data')).toBe(source);
    expect(membersOf(`  { "data" : ${source} , "next":1 } `)?.get('data')).toBe(source);
  });

  test('stand in the order in which they were written, also where a JavaScript object would sort them', () => {
    expect([...(membersOf('{"b":1,"10":2,"2":3,"a":4}')?.keys() ?? [])]).toEqual(['b', '10', '2', 'a']);
  });

  test('that are called like something every object has are members like any other', () => {
    expect(membersOf('{"__proto__":{"data":1},"constructor":2}')).toEqual(
      new Map([
        ['__proto__', '{"data":1}'],
        ['constructor', '2'],
      ]),
    );
    expect(membersOf('{"__proto__":{"data":1}}')?.get('data')).toBeUndefined();
  });

  test.each(['{"a":1,"a":1}', '{"a":1,"b":2,"\\u0061":3}', '{"__proto__":1,"__proto__":2}', '{"":1,"":2}'])(
    'of %s are refused, because one name stands twice',
    (text) => {
      expect(() => membersOf(text)).toThrow(SyntaxError);
      expect(() => membersOf(text)).toThrow('stands twice');
    },
  );

  test('of what is no object there are none', () => {
    for (const text of ['[]', '[{"a":1}]', '"{}"', '1', 'null', ' \n true ']) expect(membersOf(text)).toBeUndefined();
    expect(membersOf('{}')).toEqual(new Map());
    expect(membersOf(' {\n} ')).toEqual(new Map());
  });

  test('may be nested a hundred thousand levels deep', () => {
    const arrays = '['.repeat(100_000) + ']'.repeat(100_000);
    const objects = `${'{"a":'.repeat(100_000)}0${'}'.repeat(100_000)}`;
    for (const source of [arrays, objects]) expect(membersOf(`{"data":${source},"x":1}`)?.get('data')).toBe(source);
  });

  test('may be a megabyte long, be it text, escapes or space', () => {
    for (const source of [`"${'a'.repeat(1e6)}"`, `"${'\\"'.repeat(5e5)}"`, `"${'ü😀'.repeat(3e5)}"`, '1'.repeat(1e6)])
      expect(membersOf(`{${' '.repeat(1e6)}"data":${source}}`)?.get('data')).toBe(source);
  });
});

describe("an array's elements", () => {
  test('are found with their exact source text, however the array is written', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), choices, (values, how) => {
        const printer = new Printer(how);
        const sources = values.map((content) => printer.value(content));
        const text = printer.space() + printer.array(sources) + printer.space();
        expect(elementsOf(text)).toEqual(sources);
        expect(isJson(text)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('of what is no array there are none', () => {
    for (const text of ['', '{}', '{"a":[1]}', '"[]"', '1', 'null']) expect(elementsOf(text)).toBeUndefined();
    expect(elementsOf('[]')).toEqual([]);
    expect(elementsOf(' [ \r\n] ')).toEqual([]);
  });

  test('may be many', () => {
    expect(elementsOf(`[${Array.from({ length: 100_000 }, (_, i) => i).join(' ,\n')}]`)).toHaveLength(100_000);
  });
});

test('a string of 16 MiB costs no stack', () => {
  const source = `"${'a'.repeat(2 ** 24)}"`;
  expect(membersOf(`{"data":${source}}`)?.get('data') === source).toBe(true);
});
