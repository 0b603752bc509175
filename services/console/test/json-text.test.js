import { describe, expect, test } from 'vitest';
import { jsonProblem, layOut, memberText } from '../public/json-text.js';

describe('the exact text of a member', () => {
  test.each([
    ['{"id":"1-0","channel":"a","data":12345678901234567890}', '12345678901234567890'],
    ['{"id":"1-0","channel":"a","data":{"b":1.0,"a":[1e3, {"data":2}]}}', '{"b":1.0,"a":[1e3, {"data":2}]}'],
    ['{"data": "a \\" and } and \\\\" ,"id":"1-0"}', '"a \\" and } and \\\\"'],
    ['{"id":"1-0","event":"x\\",\\"data\\":7","data":null}', 'null'],
    ['{"other":{"data":1},"data":\n[\n1,\n2]\n}', '[\n1,\n2]'],
    ['{"data":""}', '""'],
  ])('stands in %s', (text, data) => {
    expect(memberText(text, 'data')).toBe(data);
  });

  test('is missing where there is no such member at the top', () => {
    expect(memberText('{"other":{"data":1},"list":["data"]}', 'data')).toBeUndefined();
  });
});

describe('laid out', () => {
  const asText = (/** @type {string} */ text) =>
    layOut(text)
      .map((token) => token.text)
      .join('');

  test('every token stays as it was written, and only white space is new', () => {
    expect(asText('{"b":1.0,"a":[1e3,{"c":"x, y: {"}],"n":12345678901234567890,"e":{},"f":[]}')).toBe(`{
  "b": 1.0,
  "a": [
    1e3,
    {
      "c": "x, y: {"
    }
  ],
  "n": 12345678901234567890,
  "e": {},
  "f": []
}`);
  });

  test('keys are told from strings', () => {
    const kinds = layOut('{"a":"a"}').filter(({ text }) => text === '"a"');
    expect(kinds.map(({ kind }) => kind)).toEqual(['key', 'string']);
  });

  test('a string of nothing but escapes is one token, however long', () => {
    const text = `"${'\\"'.repeat(50_000)}"`;
    expect(layOut(text)).toEqual([{ kind: 'string', text }]);
  });
});

test('text that is not JSON has a problem, and JSON has none', () => {
  expect(jsonProblem('{"a":1,}')).toMatch(/JSON/);
  expect(jsonProblem('  ')).toMatch(/needed/);
  expect(jsonProblem(' {"a":1} ')).toBeUndefined();
});
