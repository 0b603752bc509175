/**
 * The source text of JSON values, so that they can be carried as they were written. All functions want valid JSON
 * (RFC 8259): run JSON.parse over the whole text first.
 */

const SPACE = /[ \t\r\n]*/y;
/** A string, or a run of characters of a number or a word. */
const SCALAR = /"(?:[^"\\]|\\.)*"|[^\s,\]}]+/y;

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
    else {
      SCALAR.lastIndex = index;
      if (!SCALAR.test(text)) throw new SyntaxError(`not valid JSON at position ${index}`);
      index = SCALAR.lastIndex;
    }
    if (depth > 0) index = skipSpace(text, index);
  } while (depth > 0);
  return index;
}
