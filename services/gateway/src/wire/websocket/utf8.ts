import { isUtf8 } from 'node:buffer';

/**
 * UTF-8 that arrives in pieces (RFC 3629; Unicode, table 3-7). The state between two pieces is one number: which bytes may
 * come next. Overlong forms, surrogates and what lies above U+10FFFF fail at the first byte that makes them certain.
 */

/** The state before the first byte and after each whole character: the text may end here. */
export const UTF8_BOUNDARY = 0;
/** The state after a byte that cannot be: there is no way out of it. */
export const UTF8_INVALID = 8;

const ONE_MORE = 1;
const TWO_MORE = 2;
const THREE_MORE = 3;
const AFTER_E0 = 4; // below A0: overlong
const AFTER_ED = 5; // above 9F: surrogates
const AFTER_F0 = 6; // below 90: overlong
const AFTER_F4 = 7; // above 8F: above U+10FFFF

/** From here on the runtime's own check, which sees many bytes at once, is quicker than a look at each (measured). */
const NATIVE_FROM_BYTES = 48;

const REPLACEMENT = '\uFFFD';

/** The state after `bytes[start…end)`, given the one before it. */
export function advanceUtf8(state: number, bytes: Buffer, start: number, end: number): number {
  if (end - start < NATIVE_FROM_BYTES) return stepThrough(state, bytes, start, end);
  let at = start;
  let next = state;
  while (next !== UTF8_BOUNDARY && next !== UTF8_INVALID) next = step(next, bytes[at++] as number);
  if (next === UTF8_INVALID) return UTF8_INVALID;
  const tail = lastCharacterStart(bytes, end);
  return isUtf8(bytes.subarray(at, tail)) ? stepThrough(UTF8_BOUNDARY, bytes, tail, end) : UTF8_INVALID;
}

/** The text of `bytes[start…end)`, or undefined when it is not valid UTF-8. A byte order mark stays in the text. */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('utf8', start, end);
  // Bad bytes are decoded to U+FFFD, so text without one needs no second look.
  return text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end)) ? undefined : text;
}

function stepThrough(state: number, bytes: Buffer, start: number, end: number): number {
  let next = state;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (next === UTF8_BOUNDARY && byte < 0x80) continue;
    next = step(next, byte);
    if (next === UTF8_INVALID) break;
  }
  return next;
}

/** Where the last character begins when its last byte is not there yet, else the end. Looks at three bytes at most. */
function lastCharacterStart(bytes: Buffer, end: number): number {
  for (let back = 1; back <= 3; back++) {
    const byte = bytes[end - back] as number;
    if (byte < 0x80) return end;
    if (byte >= 0xc0) return characterBytes(byte) > back ? end - back : end;
  }
  return end;
}

function characterBytes(lead: number): number {
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

function step(state: number, byte: number): number {
  switch (state) {
    case UTF8_BOUNDARY:
      return afterLead(byte);
    case ONE_MORE:
      return isBetween(byte, 0x80, 0xbf) ? UTF8_BOUNDARY : UTF8_INVALID;
    case TWO_MORE:
      return isBetween(byte, 0x80, 0xbf) ? ONE_MORE : UTF8_INVALID;
    case THREE_MORE:
      return isBetween(byte, 0x80, 0xbf) ? TWO_MORE : UTF8_INVALID;
    case AFTER_E0:
      return isBetween(byte, 0xa0, 0xbf) ? ONE_MORE : UTF8_INVALID;
    case AFTER_ED:
      return isBetween(byte, 0x80, 0x9f) ? ONE_MORE : UTF8_INVALID;
    case AFTER_F0:
      return isBetween(byte, 0x90, 0xbf) ? TWO_MORE : UTF8_INVALID;
    case AFTER_F4:
      return isBetween(byte, 0x80, 0x8f) ? TWO_MORE : UTF8_INVALID;
    default:
      return UTF8_INVALID;
  }
}

function afterLead(byte: number): number {
  if (byte < 0x80) return UTF8_BOUNDARY;
  if (byte < 0xc2) return UTF8_INVALID; // a continuation byte, or C0 and C1: overlong
  if (byte < 0xe0) return ONE_MORE;
  if (byte < 0xf0) {
    if (byte === 0xe0) return AFTER_E0;
    return byte === 0xed ? AFTER_ED : TWO_MORE;
  }
  if (byte < 0xf4) return byte === 0xf0 ? AFTER_F0 : THREE_MORE;
  return byte === 0xf4 ? AFTER_F4 : UTF8_INVALID;
}

function isBetween(byte: number, low: number, high: number): boolean {
  return byte >= low && byte <= high;
}
