/**
 * What a request's Origin makes of it. `none`: it has none: no page sent it, or one that cannot read the answer, or a
 * GET of the same origin · `allowed`: it is on the list · `same`: the page came from this very host · `any`: the list
 * is open to all, so what it may do must not hang on cookies · `refused`: another site's page.
 */
export type OriginJudgement = 'none' | 'allowed' | 'same' | 'any' | 'refused';

/** What is looked at of a request. */
export interface OriginHeaders {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly 'x-forwarded-proto'?: string | readonly string[] | undefined;
}

/** Far above the longest host name (253), a port and a scheme. */
const MAX_ORIGIN_LENGTH = 320;
/** `scheme://host[:port]`, the only form that browsers send (RFC 6454, 6.2). */
const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' };
const ANY = '*';
const SUBDOMAINS = '://*.';

/**
 * The origins whose pages may use this node besides its own. An entry is an origin (`https://a.example`), all
 * subdomains of a host at any depth, without that host itself (`https://*.a.example`), or `*`: everyone, also `null`,
 * without credentials. Entries must have passed `originProblem`.
 */
export class Origins {
  readonly #exact = new Set<string>();
  /** What an allowed origin begins and ends with. */
  readonly #subdomains: { readonly start: string; readonly end: string }[] = [];
  readonly #any: boolean;

  constructor(allowed: readonly string[]) {
    this.#any = allowed.includes(ANY);
    for (const entry of allowed) {
      const origin = parseOrigin(entry.replace(SUBDOMAINS, '://'));
      if (origin === undefined) continue;
      const { scheme, authority } = origin;
      if (entry.includes(SUBDOMAINS)) this.#subdomains.push({ start: `${scheme}://`, end: `.${authority}` });
      else this.#exact.add(`${scheme}://${authority}`);
    }
  }

  /**
   * Judges a request by its header fields, whatever they hold. `same` compares the host and its port; a proxy that ends
   * TLS says so in `X-Forwarded-Proto`, and then a page that came by plain HTTP is another's: anybody on the way can have
   * made it. Where both serve, list `http://` pages to let them in with CORS.
   */
  judge(headers: OriginHeaders): OriginJudgement {
    const { origin, host } = headers;
    if (origin === undefined) return 'none';
    const parsed = parseOrigin(origin);
    if (parsed !== undefined) {
      if (this.#lists(`${parsed.scheme}://${parsed.authority}`)) return 'allowed';
      if (isHost(parsed, host) && !(parsed.scheme === 'http' && isForwardedHttps(headers))) return 'same';
    }
    return this.#any ? 'any' : 'refused';
  }

  #lists(origin: string): boolean {
    if (this.#exact.has(origin)) return true;
    // Between start and end there can only be labels: `parseOrigin` lets nothing else stand in a host.
    return this.#subdomains.some(
      ({ start, end }) => origin.length > start.length + end.length && origin.startsWith(start) && origin.endsWith(end),
    );
  }
}

/** What is wrong with an entry for the list of allowed origins; undefined when nothing is. */
export function originProblem(entry: string): string | undefined {
  if (entry === ANY) return undefined;
  const quoted = JSON.stringify(entry);
  if (entry === 'null') return 'null stands for every page that hides its origin, and only * lets those in';
  if (!entry.includes('://')) return `${quoted} has no scheme: write an origin like https://a.example`;
  if (/^wss?:/i.test(entry)) return `${quoted}: a page's origin begins with http:// or https://, for WebSocket too`;
  const authority = entry.slice(entry.indexOf('://') + 3);
  if (/[/?#\\]/.test(authority)) return `${quoted} must end after its host and port: no slash, path, query or fragment`;
  if (authority.includes('@')) return `${quoted} must not have a user name or a password`;
  const subdomains = authority.startsWith('*.');
  const plain = subdomains ? entry.replace('*.', '') : entry;
  if (plain.includes(ANY))
    return `${quoted}: a * may only stand for all subdomains, as in https://*.a.example, or alone`;
  const origin = parseOrigin(plain);
  if (origin === undefined)
    return `${quoted} is not an origin like https://a.example (a host in ASCII, as in xn--bcher-kva.example)`;
  const serialised = `${origin.scheme}://${origin.authority}`;
  if (DEFAULT_PORTS[origin.scheme] === undefined) return undefined;
  if (!URL.canParse(serialised)) return `${quoted} has a host or a port that cannot be`;
  const url = new URL(serialised);
  if (url.origin !== serialised)
    return `${quoted} would never match: browsers write it as ${JSON.stringify(url.origin)}`;
  if (subdomains && /^\[|\.\d+$/.test(url.hostname)) return `${quoted}: an IP address has no subdomains`;
  return undefined;
}

interface Origin {
  readonly scheme: string;
  /** Host and port; without the port where it is the scheme's default one. */
  readonly authority: string;
}

/** Undefined for anything but one origin with a host: `null`, a list, garbage. */
function parseOrigin(text: string): Origin | undefined {
  if (text.length > MAX_ORIGIN_LENGTH) return undefined;
  const [, scheme, host, port = ''] = ORIGIN.exec(text.toLowerCase()) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  return { scheme, authority: port === DEFAULT_PORTS[scheme] ? host : host + port };
}

/** Whether the browser spoke TLS, as the first proxy saw it. No page can make a browser say so. */
function isForwardedHttps(headers: OriginHeaders): boolean {
  const [first = ''] = [headers['x-forwarded-proto'] ?? []].flat();
  return /^\s*https\s*(,|$)/i.test(first);
}

/** Whether the Host header names the origin's host, its default port written out or left out. */
function isHost({ scheme, authority }: Origin, host: string | undefined): boolean {
  const defaultPort = DEFAULT_PORTS[scheme];
  if (host === undefined || defaultPort === undefined) return false;
  const named = host.toLowerCase();
  return named === authority || named === authority + defaultPort;
}
