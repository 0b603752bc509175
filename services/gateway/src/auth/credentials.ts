import type { IncomingHttpHeaders } from 'node:http';
import { FanfareError } from '../errors.ts';

/** What a request brings to say who it comes from. */
export type Credentials =
  | { readonly kind: 'none' }
  /** From the Authorization header: RFC 6750, section 2.1. */
  | { readonly kind: 'bearer'; readonly text: string }
  /** From a cookie, which a browser sends without being asked. */
  | { readonly kind: 'cookie'; readonly text: string };

/** Names under which people put tokens and keys into URLs: small letters only, without `-` and `_`. */
const NAMES_OF_SECRETS = new Set([
  ...['token', 'accesstoken', 'idtoken', 'refreshtoken', 'authtoken', 'bearertoken', 'sessiontoken', 'jwttoken'],
  ...['auth', 'authorization', 'authentication', 'bearer', 'jwt', 'credential', 'credentials'],
  ...['key', 'apikey', 'xapikey', 'accesskey', 'authkey', 'publishkey', 'publisherkey', 'secretkey'],
  ...['secret', 'apisecret', 'clientsecret', 'pass', 'password', 'session', 'sid'],
]);

/** A token or a publisher's key, under whatever name. */
const SECRET = /^(Bearer\s+\S|eyJ[\w-]+\.[\w-]+\.[\w-]*$|ffk_\w{24})/i;

/**
 * Throws FanfareError `invalid_request` for a query that holds a token or a key, by its name or by its look, and says where it belongs. A token in
 * a URL ends in logs and histories. The value is not repeated.
 */
export function refuseTokenInUrl(query: URLSearchParams): void {
  for (const [name, value] of query) {
    if (NAMES_OF_SECRETS.has(name.toLowerCase().replace(/[-_]/g, ''))) refuse(`"${name}" is`);
    if (SECRET.test(value) || SECRET.test(name)) refuse('tokens and keys are');
  }
}

function refuse(what: string): never {
  throw new FanfareError(
    'invalid_request',
    `${what} not taken from a URL, which ends in logs: use the Authorization header ("Bearer …"), the cookie, the first WebSocket message, or a ticket (POST /v1/tickets)`,
  );
}

/**
 * Reads the credentials of a request; the Authorization header goes before the cookie. Throws FanfareError `unauthenticated` for what
 * makes no sense: whoever sends something must not be taken for somebody without. An empty cookie is none: that is how pages take one back.
 */
export function credentialsOf(headers: IncomingHttpHeaders, cookieName: string | undefined): Credentials {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const [, text] = /^Bearer +([\w\-.~+/]+=*) *$/i.exec(authorization) ?? [];
    if (text === undefined)
      throw new FanfareError('unauthenticated', 'the Authorization header must be "Bearer" and one token or key');
    return { kind: 'bearer', text };
  }
  if (cookieName === undefined) return { kind: 'none' };
  const [text, ...others] = new Set(cookiesOf(headers.cookie, cookieName).filter((value) => value !== ''));
  // Another host of the same site can add a cookie of this name (RFC 6265, 8.6), and its place tells nothing about whose it is.
  if (others.length > 0)
    throw new FanfareError('unauthenticated', `the cookie ${cookieName} came more than once, with different values`);
  return text === undefined ? { kind: 'none' } : { kind: 'cookie', text };
}

/** The values of all cookies of this name (RFC 6265, section 4.2.1), in their order, without the quotes around them. Case matters. */
export function cookiesOf(header: string | undefined, name: string): string[] {
  const values: string[] = [];
  for (const pair of header?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    values.push(/^".*"$/.test(value) ? value.slice(1, -1) : value);
  }
  return values;
}
