// JSON as text: to find and to lay out values without parsing them, because printing a parsed number can change it
// (12345678901234567890, 1.0, 1e3), and this page shows what was published.

/** One token: a string, a bracket or separator, white space, or a run of anything else (numbers, true, false, null). */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|\s+|[^\s{}[\],:"]+|"/g;

/**
 * The exact text of a member of the object that `text` holds, or undefined when it has no such member.
 *
 * @param {string} text valid JSON
 * @param {string} name
 * @returns {string | undefined}
 */
export function memberText(text, name) {
  const key = JSON.stringify(name);
  let depth = 0;
  let start = -1;
  let before = '';
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '}' || token === ']') depth--;
    if (start >= 0 && ((depth === 1 && token === ',') || depth === 0)) return text.slice(start, index).trim();
    if (start < 0 && depth === 1 && token === ':' && before === key) start = index + 1;
    if (token === '{' || token === '[') depth++;
    if (token.trim() !== '') before = token;
  }
  return undefined;
}

/** @typedef {'key' | 'string' | 'literal' | 'mark' | 'space'} TokenKind */

/**
 * Lays JSON out over lines. Every token stays as it is; only the white space between tokens is new.
 *
 * @param {string} text valid JSON
 * @returns {{ kind: TokenKind, text: string }[]}
 */
export function layOut(text) {
  const tokens = (text.match(TOKEN) ?? []).filter((token) => token.trim() !== '');
  /** @type {{ kind: TokenKind, text: string }[]} */
  const laidOut = [];
  let indent = 0;
  const newLine = () => laidOut.push({ kind: 'space', text: `\n${'  '.repeat(indent)}` });
  for (const [at, token] of tokens.entries()) {
    const next = tokens[at + 1];
    const closes = token === '}' || token === ']';
    const opens = token === '{' || token === '[';
    if (closes) {
      indent--;
      if (tokens[at - 1] !== (token === '}' ? '{' : '[')) newLine();
    }
    laidOut.push({ kind: kindOf(token, next), text: token });
    if (opens) {
      indent++;
      if (next !== (token === '{' ? '}' : ']')) newLine();
    } else if (token === ',') newLine();
    else if (token === ':') laidOut.push({ kind: 'space', text: ' ' });
  }
  return laidOut;
}

/**
 * @param {string} token
 * @param {string | undefined} next
 * @returns {TokenKind}
 */
function kindOf(token, next) {
  if (token.startsWith('"')) return next === ':' ? 'key' : 'string';
  return '{}[],:'.includes(token) ? 'mark' : 'literal';
}

/**
 * What is wrong with a text that ought to be JSON, or undefined when it is good.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
export function jsonProblem(text) {
  if (text.trim() === '') return 'Data is needed: any JSON value, such as {"hello":"world"}, "text", 42 or null';
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
