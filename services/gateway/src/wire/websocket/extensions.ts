import { type HeaderScanner, readList } from './header-list.ts';

/** One extension that a client offers, with its parameters in their order; a name may stand more than once. */
export interface Extension {
  readonly name: string;
  readonly parameters: readonly ExtensionParameter[];
}

export interface ExtensionParameter {
  readonly name: string;
  /** Undefined for a parameter that is its name alone. */
  readonly value: string | undefined;
}

/**
 * Reads a `Sec-WebSocket-Extensions` header (RFC 6455, 9.1), its lines joined by commas: what the client offers, best
 * first. Undefined when the value does not conform to the grammar; also when it names no extension at all.
 */
export function parseExtensions(header: string): readonly Extension[] | undefined {
  return readList(header, readExtension);
}

function readExtension(scanner: HeaderScanner): Extension | undefined {
  const name = scanner.token();
  if (name === undefined) return undefined;
  const parameters: ExtensionParameter[] = [];
  while (scanner.take(';')) {
    const parameter = readParameter(scanner);
    if (parameter === undefined) return undefined;
    parameters.push(parameter);
  }
  return { name, parameters };
}

/** `name`, `name=token` or `name="token"`. Spaces around the `=` are good: the grammar is RFC 2616's, with its implied ones. */
function readParameter(scanner: HeaderScanner): ExtensionParameter | undefined {
  const name = scanner.token();
  if (name === undefined) return undefined;
  if (!scanner.take('=')) return { name, value: undefined };
  const value = scanner.isAt('"') ? scanner.quotedToken() : scanner.token();
  return value === undefined ? undefined : { name, value };
}
