import { hash } from 'node:crypto';
import { FanfareError } from '../errors.ts';
import type { Access, Asking, Identity, Ticket } from './access.ts';
import { ChannelPatterns } from './channel-pattern.ts';
import { credentialsOf } from './credentials.ts';
import { Principal } from './principal.ts';
import { KEY_PREFIX, type PublishKeys } from './publish-keys.ts';
import type { Revocations } from './sessions/revocations.ts';
import { readTicketCookie, ticketCookies } from './tickets/ticket-cookie.ts';
import type { Tickets } from './tickets/tickets.ts';
import { KnownTokens } from './tokens/known-tokens.ts';
import { principalOf, type TokenClaims } from './tokens/token-claims.ts';
import type { TokenVerifier } from './tokens/token-verifier.ts';

export interface AuthenticatorOptions {
  readonly tokens: TokenVerifier;
  readonly keys: PublishKeys;
  readonly tickets: Tickets;
  readonly revocations: Revocations;
  /** Whether it is known yet who was disconnected before this node started. */
  readonly begun: () => boolean;
  /** Undefined: no cookie is looked at. */
  readonly cookieName: string | undefined;
  /** Whether a request's cookies say who wants it: a browser sends them along whoever makes it ask. */
  readonly mayUseCookie: (asking: Asking) => boolean;
  /** Patterns of the channels that need no token. */
  readonly publicChannels: readonly string[];
}

/** Says who somebody is by tokens, publishers' keys and tickets. */
export class Authenticator implements Access {
  readonly required = true;
  readonly stranger: Principal;
  readonly #options: AuthenticatorOptions;
  /** Of tickets, by the SHA-256 of their claims. */
  readonly #holders = new KnownTokens();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.stranger = new Principal({
      subscribe: new ChannelPatterns(options.publicChannels),
      publish: new ChannelPatterns([]),
      stranger: true,
    });
  }

  identify(asking: Asking): Principal | Promise<Principal> {
    const { cookieName, mayUseCookie } = this.#options;
    const credentials = credentialsOf(asking.headers, cookieName);
    switch (credentials.kind) {
      case 'bearer':
        return this.check(credentials.text);
      case 'cookie':
        // A publisher's key has no business in a browser.
        return mayUseCookie(asking) ? this.#verify(credentials.text) : this.stranger;
      case 'none':
        return this.stranger;
    }
  }

  async check(secret: string): Promise<Principal> {
    if (!secret.startsWith(KEY_PREFIX)) return this.#verify(secret);
    const principal = this.#options.keys.find(secret);
    if (principal === undefined) throw new FanfareError('unauthenticated', 'this key is not known');
    return principal;
  }

  async issue({ claims, stranger }: Principal): Promise<Ticket> {
    if (claims !== undefined) return this.#options.tickets.issue(claims);
    const detail = 'a ticket is made for a token: send one in the Authorization header';
    throw new FanfareError(stranger ? 'unauthenticated' : 'forbidden', detail);
  }

  async redeem({ headers }: Asking, ticket: string): Promise<Identity> {
    const { tickets } = this.#options;
    const { claims, secret } = await tickets.redeem(ticket, readTicketCookie(headers.cookie, ticket));
    const principal = this.#holderOf(claims);
    this.confirm(principal);
    const expiresMs = claims.exp * 1000;
    return { principal, cookies: secret === undefined ? [] : ticketCookies({ ticket, secret, expiresMs, headers }) };
  }

  confirm(principal: Principal): void {
    if (principal.expiresMs !== undefined && principal.expiresMs <= Date.now())
      throw new FanfareError('unauthenticated', 'the token has expired');
    const { begun, revocations } = this.#options;
    if (principal.subject !== undefined && !begun())
      throw new FanfareError('starting', 'this node does not know yet who was disconnected');
    if (revocations.holds(principal))
      throw new FanfareError('unauthenticated', 'this subject was disconnected; a newer token is needed');
  }

  /** The same one for all tickets of a token, while it is remembered. */
  #holderOf(claims: TokenClaims): Principal {
    const text = JSON.stringify(claims);
    const digest = hash('sha256', text, 'base64url');
    let principal = this.#holders.find(digest);
    if (principal === undefined) {
      principal = principalOf(claims, this.#options.publicChannels);
      this.#holders.add(digest, text.length, principal);
    }
    return principal;
  }

  async #verify(token: string): Promise<Principal> {
    const principal = await this.#options.tokens.verify(token);
    this.confirm(principal);
    return principal;
  }
}
