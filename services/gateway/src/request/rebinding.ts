import { isIPv4 } from 'node:net';

/** A host, and the port that may follow it. An IPv6 address stands in brackets. */
const HOST = /^(\[.*\]|[^:]*)(?::\d*)?$/;

/**
 * The names by which a node may be asked that is on loopback and open to everybody who reaches it. A page of evil.example may let that
 * name lead to 127.0.0.1 once it has been loaded (DNS rebinding). Then the browser takes the node for the page's own server, and
 * the Origin, if one is sent, is that of the Host. What gives it away is the name: no such page has an IP address or `localhost`
 * in its Host. The hosts of `allowedOrigins`, which must have passed `originProblem`, may ask too; where `*` is among them, all may.
 */
export class OwnNames {
  readonly #all: boolean;
  readonly #names = new Set<string>();
  /** With the dot before them. */
  readonly #endings = ['.localhost'];

  constructor(allowedOrigins: readonly string[]) {
    this.#all = allowedOrigins.includes('*');
    for (const entry of allowedOrigins) {
      const [, subdomains, authority] = /^https?:\/\/(\*(?=\.))?(.*)$/i.exec(entry) ?? [];
      if (authority === undefined) continue;
      const name = nameOf(authority);
      if (subdomains !== undefined) this.#endings.push(name);
      else this.#names.add(name);
    }
    this.#names.add('localhost');
  }

  /** What is wrong with a Host that has passed `hostProblem`, to be answered with 403 `forbidden`; undefined when nothing is. */
  rebindingProblem(host: string | undefined): string | undefined {
    // Every browser sends one.
    if (this.#all || host === undefined) return undefined;
    const name = nameOf(host);
    if (name.startsWith('[') || isIPv4(name) || this.#names.has(name)) return undefined;
    if (this.#endings.some((ending) => name.length > ending.length && name.endsWith(ending))) return undefined;
    return `this node is open to everybody on its machine, so it answers to localhost and IP addresses only, and not to ${JSON.stringify(name.slice(0, 100))}: list http://${name.slice(0, 100)} in FANFARE_ALLOWED_ORIGINS, or set FANFARE_AUTH=jwt`;
  }
}

/** In lower case, without port, and without the dot that may end it. */
function nameOf(host: string): string {
  const [, name = ''] = HOST.exec(host.toLowerCase()) ?? [];
  return name.replace(/\.$/, '');
}
