import type { Server } from 'node:net';

/** Linux, `netinet/in.h` and `netinet/tcp.h`. */
const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;
const TCP_NOTSENT_LOWAT = 25;

/**
 * What the kernel holds of a connection beyond this, and has not sent, waits in Node instead, where it is counted. By itself
 * it would take megabytes for a reader that is slow, behind which pings wait as well.
 */
const UNSENT_BYTES = 128 * 1024;

/**
 * Sets what Node has no names for, on a listening server; the connections that it accepts from then on inherit it, so it
 * costs them nothing.
 *
 * The kernel ends every connection whose peer took nothing for `unacknowledgedSeconds`, though there was something to take:
 * a peer that vanished without a word, and one whose window stays shut (tcp(7), TCP_USER_TIMEOUT; RFC 5482). The socket then
 * fails with ETIMEDOUT. Its own patience is a quarter of an hour. And it takes little in advance (TCP_NOTSENT_LOWAT).
 * Returns false where these cannot be set: no Linux, no `node:ffi`, no TCP.
 */
export function setListenerOptions(server: Server, unacknowledgedSeconds: number): boolean {
  const fd = descriptorOf(server);
  if (process.platform !== 'linux' || fd === undefined) return false;
  try {
    using library = loadFfi()?.dlopen(null, {
      setsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'u32'], return: 'i32' },
    });
    if (library === undefined) return false;
    const { setsockopt } = library.functions;
    const set = (option: number, number: number): boolean => {
      const value = new Int32Array([number]);
      return setsockopt(fd, IPPROTO_TCP, option, value, value.byteLength) === 0;
    };
    return set(TCP_USER_TIMEOUT, Math.round(unacknowledgedSeconds * 1000)) && set(TCP_NOTSENT_LOWAT, UNSENT_BYTES);
  } catch {
    return false;
  }
}

/**
 * Undefined in a runtime that has no `node:ffi`. Node warns of an experiment when it is loaded, on the terminal of someone who
 * cannot do anything about it; that one call is kept from being heard, and no other warning is.
 */
function loadFfi(): typeof import('node:ffi') | undefined {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Node has no public name for it. */
function descriptorOf(server: Server & { readonly _handle?: { readonly fd?: number } | null }): number | undefined {
  const fd = server._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}
