import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/**
 * `uri-host [":" port]` (RFC 9110, 7.2; RFC 3986, 3.2.2); a host of the http schemes is not empty (RFC 9110, 4.2.1).
 */
const HOST = /^(?:\[([0-9a-f:.]+)\]|(?:[a-z0-9\-._~!$&'()*+,;=]|%[0-9a-f]{2})+)(?::\d{0,5})?$/i;

/**
 * What is wrong with a request's Host (RFC 9112, 3.2), to be answered with 400; undefined when nothing is. HTTP/1.0 may
 * go without. Two proxies that read different ones of two Hosts could be led to two different places.
 */
export function hostProblem(
  request: Pick<IncomingMessage, 'httpVersionMajor' | 'httpVersionMinor' | 'rawHeaders'>,
): string | undefined {
  const { rawHeaders } = request;
  let lines = 0;
  let value = '';
  // `headers` cannot tell: it keeps the first line and drops the others.
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() === 'host') {
      lines++;
      value = rawHeaders[i + 1] ?? '';
    }
  if (lines === 0) {
    const { httpVersionMajor: major, httpVersionMinor: minor } = request;
    return major > 1 || (major === 1 && minor >= 1) ? 'the Host header is missing' : undefined;
  }
  if (lines > 1) return `a request has one Host header, this one has ${lines}`;
  const match = HOST.exec(value);
  if (match === null || (match[1] !== undefined && !isIPv6(match[1])))
    return 'the Host header must be a host name or an IP address, with or without a port';
  return undefined;
}
