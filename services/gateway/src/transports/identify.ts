import type { IncomingMessage } from 'node:http';
import type { Access, Identity } from '../auth/access.ts';
import type { Principal } from '../auth/principal.ts';

const NO_COOKIES: readonly string[] = [];

/** Whom a request for a stream comes from: by its ticket, which is spent thereby, else by what its head brings. Throws and rejects like Access. */
export function identify(
  access: Access,
  request: IncomingMessage,
  ticket: string | undefined,
): Identity | Promise<Identity> {
  // To look is not to open: HEAD must not spend the ticket.
  if (ticket !== undefined && request.method === 'GET') return access.redeem(request, ticket);
  const principal = access.identify(request);
  return principal instanceof Promise ? principal.then(withoutCookies) : withoutCookies(principal);
}

function withoutCookies(principal: Principal): Identity {
  return { principal, cookies: NO_COOKIES };
}
