import { WINDOW_BITS } from '../deflate.ts';
import type { Extension } from './extensions.ts';

const NAME = 'permessage-deflate';
/** 8 to 15, with no zero before it (RFC 7692, 7.1.2). */
const WINDOW_BITS_VALUE = /^(?:[89]|1[0-5])$/;

/**
 * The answer to what a client offers, as the value of `Sec-WebSocket-Extensions`: for the first offer of permessage-deflate
 * (RFC 7692, 7.1) that can be met; undefined when there is none, and the extension is declined.
 *
 * Neither side keeps its window from message to message, so that a compressed message can be sent to everyone, and a
 * connection costs no memory. The client need not have offered either (7.1.1). Our window is what the bytes for everyone
 * have: an offer that asks for a smaller one is declined. The client's may be any, so `client_max_window_bits` is not answered.
 */
export function negotiateDeflate(offers: readonly Extension[]): string | undefined {
  for (const offer of offers) {
    const windowBits = offer.name === NAME ? acceptedWindowBits(offer) : undefined;
    if (windowBits === undefined) continue;
    const answer = `${NAME}; server_no_context_takeover; client_no_context_takeover`;
    return windowBits === 'not asked for' ? answer : `${answer}; server_max_window_bits=${windowBits}`;
  }
  return undefined;
}

/** Undefined for an offer that must be declined: for a parameter that is unknown, twice there or bad (RFC 7692, 7.1), or too small a window. */
function acceptedWindowBits({ parameters }: Extension): number | 'not asked for' | undefined {
  const seen = new Set<string>();
  let windowBits: number | 'not asked for' = 'not asked for';
  for (const { name, value } of parameters) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    switch (name) {
      case 'server_no_context_takeover':
      case 'client_no_context_takeover':
        if (value !== undefined) return undefined;
        break;
      case 'client_max_window_bits':
        if (value !== undefined && !WINDOW_BITS_VALUE.test(value)) return undefined;
        break;
      case 'server_max_window_bits':
        if (value === undefined || !WINDOW_BITS_VALUE.test(value) || Number(value) < WINDOW_BITS) return undefined;
        windowBits = WINDOW_BITS;
        break;
      default:
        return undefined;
    }
  }
  return windowBits;
}
