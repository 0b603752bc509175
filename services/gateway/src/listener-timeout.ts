import type { Server } from 'node:net';

/** Linux, `netinet/in.h` and `netinet/tcp.h`. */
const IPPROTO_TCP = 6;
const TCP_USER_TIMEOUT = 18;

/**
 * Has the kernel end every connection of a listening server whose peer took nothing for `seconds`, though there was
 * something to take: a peer that vanished without a word, and one whose window stays shut (tcp(7), TCP_USER_TIMEOUT).
 * The socket then fails with ETIMEDOUT. The kernel's own patience is a quarter of an hour. Connections inherit the
 * option from the listener, so it costs them nothing; those accepted before are not touched.
 *
 * Returns false where it cannot be set: no Linux, no `node:ffi`, no TCP.
 */
export function limitUnacknowledged(server: Server, seconds: number): boolean {
  const fd = descriptorOf(server);
  if (process.platform !== 'linux' || fd === undefined) return false;
  try {
    using library = loadFfi()?.dlopen(null, {
      setsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'u32'], return: 'i32' },
    });
    if (library === undefined) return false;
    const value = new Int32Array([Math.round(seconds * 1000)]);
    return library.functions.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, value, value.byteLength) === 0;
  } catch {
    return false;
  }
}

/**
 * Undefined in a runtime that has no `node:ffi`. Node warns of an experiment when it is loaded, on the terminal of
 * someone who cannot do anything about it; that one call is kept from being heard, and no other warning is.
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
