import { readList } from './header-list.ts';

/**
 * Reads a `Sec-WebSocket-Protocol` header (RFC 6455, 4.1 and 11.3.4), its lines joined by commas: the subprotocols that
 * the client offers, best first. Undefined when the value is not a list of tokens, names none, or names one twice.
 */
export function parseSubprotocols(header: string): readonly string[] | undefined {
  const names = readList(header, (scanner) => scanner.token());
  return names === undefined || new Set(names).size < names.length ? undefined : names;
}
