import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';

/** More proxies than any request passes: what an `X-Forwarded-For` of 32 KiB may cost. */
const MAX_HOPS = 32;
/** Longer than any address with a zone and a port. */
const MAX_ENTRY_LENGTH = 100;
/** How IPv6 writes an IPv4 address (RFC 4291, 2.5.5.2): what a socket open to both shows for IPv4 peers. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;

/**
 * The proxies whose word about a client's address is taken: IP addresses and CIDR ranges that have passed
 * `proxyProblem`.
 */
export class TrustedProxies {
  readonly #proxies = new BlockList();

  constructor(list: readonly string[]) {
    for (const entry of list) {
      const [address = '', prefix] = entry.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      if (prefix === undefined) this.#proxies.addAddress(address, family);
      else this.#proxies.addSubnet(address, Number(prefix), family);
    }
  }

  /**
   * The client's address, in its canonical form: IPv6 in lower case and shortest, without a zone; IPv4 also where it
   * came as `::ffff:1.2.3.4`. `X-Forwarded-For` (its lines joined with commas, as Node does) is read from the right,
   * because each proxy appends the peer that it saw itself, and only as far as trusted proxies wrote it. An entry that
   * is no address ends the walk at the last good one.
   */
  clientAddress(remoteAddress: string, forwardedFor: string | undefined): string {
    let address = canonical(remoteAddress);
    if (forwardedFor === undefined) return address;
    let end = forwardedFor.length;
    for (let hop = 0; hop < MAX_HOPS && end > 0 && this.#trusts(address); hop++) {
      const comma = forwardedFor.lastIndexOf(',', end - 1);
      const entry = end - comma > MAX_ENTRY_LENGTH ? '' : withoutPort(forwardedFor.slice(comma + 1, end).trim());
      if (isIP(entry) === 0) break;
      address = canonical(entry);
      end = comma;
    }
    return address;
  }

  #trusts(address: string): boolean {
    return this.#proxies.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  }
}

/** What is wrong with an entry for the list of trusted proxies; undefined when nothing is. */
export function proxyProblem(entry: string): string | undefined {
  const [address = '', prefix, ...more] = entry.split('/');
  const quoted = JSON.stringify(entry);
  if (isIP(address) === 0 || address.includes('%') || more.length > 0)
    return `${quoted} is not an IP address or a range like 10.0.0.0/8`;
  const bits = isIPv4(address) ? 32 : 128;
  if (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
    return `${quoted}: what follows the / must be a number from 0 to ${bits}`;
  return undefined;
}

/**
 * What connections are counted by, from an address as `clientAddress` gives it: an IPv4 address whole; of an IPv6
 * address its /64, because a single customer has all of that (RFC 6177) and could come from another address each time.
 */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [left = '', right] = address.split('::');
  const groups = left === '' ? [] : left.split(':');
  if (right !== undefined) {
    const after = right === '' ? [] : right.split(':');
    groups.push(...Array<string>(8 - groups.length - after.length).fill('0'), ...after);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** An empty text (the peer of a socket that is gone) stays as it is. */
function canonical(address: string): string {
  if (!isIPv6(address)) return address;
  const { address: shortest } = new SocketAddress({ address, family: 'ipv6' });
  return MAPPED.exec(shortest)?.[1] ?? shortest;
}

/** Some proxies append the port: `1.2.3.4:5678`, `[::1]:443`. */
function withoutPort(entry: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(entry) ?? [];
  return bracketed ?? plain ?? entry;
}
