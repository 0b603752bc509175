/**
 * Reads a header's value of the form `1#element` (RFC 9110, 5.6.1): elements between commas, of which empty ones do not
 * count, and at least one other. `readElement` stands at the first character of an element, and leaves the scanner behind
 * its last. Undefined when the value is malformed, or `readElement` says that an element is.
 */
export function readList<T>(header: string, readElement: (scanner: HeaderScanner) => T | undefined): T[] | undefined {
  const scanner = new HeaderScanner(header);
  const elements: T[] = [];
  do {
    if (scanner.isAtEnd() || scanner.isAt(',')) continue;
    const element = readElement(scanner);
    if (element === undefined) return undefined;
    elements.push(element);
  } while (scanner.take(','));
  return scanner.isAtEnd() && elements.length > 0 ? elements : undefined;
}

/** Reads a header's value from left to right, each character once. Spaces and tabs before what is asked for are passed. */
export class HeaderScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    this.#passSpace();
    return this.#at === this.#text.length;
  }

  isAt(character: string): boolean {
    this.#passSpace();
    return this.#text[this.#at] === character;
  }

  /** Passes `character` if it comes next. */
  take(character: string): boolean {
    if (!this.isAt(character)) return false;
    this.#at++;
    return true;
  }

  /** The token that comes next (RFC 9110, 5.6.2), or undefined. */
  token(): string | undefined {
    this.#passSpace();
    const start = this.#at;
    while (isTokenCharacter(this.#text[this.#at])) this.#at++;
    return this.#at > start ? this.#text.slice(start, this.#at) : undefined;
  }

  /** The token that comes next in quotes (RFC 9110, 5.6.4), its backslashes resolved, or undefined. */
  quotedToken(): string | undefined {
    if (!this.take('"')) return undefined;
    let value = '';
    for (;;) {
      if (this.#text[this.#at] === '"') break;
      if (this.#text[this.#at] === '\\') this.#at++;
      const character = this.#text[this.#at++];
      if (!isTokenCharacter(character)) return undefined;
      value += character;
    }
    this.#at++;
    return value === '' ? undefined : value;
  }

  #passSpace(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
  }
}

const TOKEN_CHARACTER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/;

function isTokenCharacter(character: string | undefined): character is string {
  return character !== undefined && TOKEN_CHARACTER.test(character);
}
