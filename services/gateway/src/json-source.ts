/**
 * The source text of JSON values, so that they can be carried as they were written. All functions want valid JSON
 * (RFC 8259): run JSON.parse over the whole text first.
 */

const SPACE = /[ \t\r\n]*/y;
/** A number or a word. */
const WORD = /[^\s,\]}]+/y;

/** An object's members, each with its value's source text; undefined when the text is no object. Throws on a name that stands twice. */
export function membersOf(text: string): Map<string, string> | undefined {
  let at = skipSpace(text, 0);
  if (text[at] !== '{') return undefined;
  const members = new Map<string, string>();
  at = skipSpace(text, at + 1);
  while (text[at] !== '}') {
    const nameEnd = endOfValue(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = endOfValue(text, start);
    if (members.has(name)) throw new SyntaxError(`the member ${JSON.stringify(name)} stands twice`);
    members.set(name, text.slice(start, end));
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return members;
}

/** The source text of an array's elements; undefined when the text is no array. */
export function elementsOf(text: string): string[] | undefined {
  let at = skipSpace(text, 0);
  if (text[at] !== '[') return undefined;
  const elements: string[] = [];
  at = skipSpace(text, at + 1);
  while (text[at] !== ']') {
    const end = endOfValue(text, at);
    elements.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return elements;
}

function skipSpace(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.test(text);
  return SPACE.lastIndex;
}

/** Index behind the value that begins at `at`. A loop with a depth, so that deep nesting costs no stack. */
function endOfValue(text: string, at: number): number {
  let depth = 0;
  let index = at;
  do {
    const character = text[index];
    if (character === '{' || character === '[') {
      depth++;
      index++;
    } else if (character === '}' || character === ']') {
      depth--;
      index++;
    } else if (character === ',' || character === ':') index++;
    else index = character === '"' ? endOfString(text, index) : endOfWord(text, index);
    if (depth > 0) index = skipSpace(text, index);
  } while (depth > 0);
  return index;
}

function endOfWord(text: string, at: number): number {
  WORD.lastIndex = at;
  if (!WORD.test(text)) throw new SyntaxError(`not valid JSON at position ${at}`);
  return WORD.lastIndex;
}

/** Index behind the string that begins at `at`: behind the next quote with an even number of backslashes before it. */
function endOfString(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  throw new SyntaxError(`not valid JSON at position ${at}`);
}
